"""`leansort score --unknown`: on bundles whose logits are colours, so that dark photos are unknown."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import leansort
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.files.bundle_decisions import NoveltyScale
from leansort.workflows.contest.score import score_table
from tests.support.graphs import LABELS, SIZE, colour_bundle


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, crops of three colours by class, and darker ones that are of none; treat as read-only."""
    root = tmp_path_factory.mktemp("unknown")
    colour_bundle().save(root / "m.leansort")
    for number in range(24):
        pixels = np.full((SIZE, SIZE, 3), 10, np.uint8)
        pixels[..., number % 3] = 150 + number
        draw(root / "crops" / LABELS.names[number % 3] / f"{number}.png", pixels)
        draw(root / "dark" / f"{number}.png", pixels // 4 + number // 12 * 60)
    return root


def draw(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_every_method_is_measured_and_the_table_tells_it(ground: Path) -> None:
    result = leansort.score(ground / "m.leansort", ground_truth=ground / "crops", unknown=ground / "dark")
    assert result.unknown is not None
    assert (result.unknown.known, result.unknown.unknown) == (24, 24)
    rows = {row.method: row.auroc.value for row in result.unknown.methods}
    assert rows["energy"] == 1.0
    assert list(rows.values()) == sorted(rows.values(), reverse=True)
    text = score_table(result)
    assert "energy *" in text
    assert "no scale of novelty" in text


def test_known_photos_in_the_folder_are_left_out_counted_and_named(ground: Path, tmp_path: Path) -> None:
    shutil.copytree(ground / "dark", tmp_path / "u" / LABELS.names[0])
    shutil.copy(ground / "crops" / LABELS.names[0] / "0.png", tmp_path / "u" / "again.png")
    (tmp_path / "u" / "broken.jpg").write_bytes(b"nothing")
    result = leansort.score(ground / "m.leansort", ground_truth=ground / "crops", unknown=tmp_path / "u").unknown
    assert result is not None
    assert result.unknown == 24
    notes = "\n".join(result.notes)
    assert "1 of 26 photos are among the known ones (again.png), left out" in notes
    assert f"folders are called as known classes are ({LABELS.names[0]} 24)" in notes
    assert "broken.jpg" in notes


@pytest.mark.parametrize(("folder", "text"), [("crops", "24 of 24 photos are among the known"), ("no", "not there")])
def test_a_folder_of_known_photos_is_refused(ground: Path, folder: str, text: str) -> None:
    with pytest.raises(UserError, match=text):
        leansort.score(ground / "m.leansort", ground_truth=ground / "crops", unknown=ground / folder)


def test_the_costs_of_decisions_are_told_with_unknown_photos_by_their_share(ground: Path, tmp_path: Path) -> None:
    plain = colour_bundle()
    scale = NoveltyScale(method="max_logit", zero=-200.0, span=80.0)
    Bundle(plain.meta.model_copy(update={"novelty": scale}), plain.files).save(tmp_path / "m.leansort")
    costs = tmp_path / "costs.yaml"
    costs.write_text("reject: 0.3\nunknown: {share: 0.1, taken_for_known: 0.2, cost: 5}\n")
    bundle, truth, unknown = tmp_path / "m.leansort", ground / "crops", ground / "dark"
    result = leansort.score(bundle, ground_truth=truth, unknown=unknown, costs=costs)
    assert result.costs is not None
    assert (result.costs.known, result.costs.unknown, result.costs.share) == (24, 24, 0.1)
    cheap, probable, _ = result.costs.rules
    assert cheap.cost.value == pytest.approx(0.0)  # all known ones are right, and all dark ones unknown
    assert (cheap.coverage, cheap.unknown_accepted) == (1.0, 0.0)
    assert probable.cost.value == pytest.approx(0.1 * 5)
    assert probable.unknown_accepted == 1.0
    assert "least expected cost" in score_table(result)
    assert leansort.ScoreResult.from_json(result.to_json(), "kept") == result


def test_costs_of_other_classes_and_of_files_of_answers_are_refused(ground: Path, tmp_path: Path) -> None:
    (tmp_path / "costs.yaml").write_text("costs: {glas: {a: 2}}\nreject: 0.3\n")
    with pytest.raises(UserError, match="got 'glas', allowed: a, b, c"):
        leansort.score(ground / "m.leansort", ground_truth=ground / "crops", costs=tmp_path / "costs.yaml")
    (tmp_path / "output.csv").write_text("{}")
    with pytest.raises(UserError, match="needs a bundle, whose probabilities decide"):
        leansort.score(tmp_path / "output.csv", ground_truth=ground / "crops", costs=tmp_path / "costs.yaml")


def test_answers_without_logits_are_refused(ground: Path, tmp_path: Path) -> None:
    (tmp_path / "output.csv").write_text("{}")
    with pytest.raises(UserError, match="needs a bundle"):
        leansort.score(tmp_path / "output.csv", ground_truth=ground / "crops", unknown=ground / "dark")

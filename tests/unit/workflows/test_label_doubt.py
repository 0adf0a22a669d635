"""`leansort data doubt`: swapped labels lead the ranking, and its corrections file puts them right in an import."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import leansort
from leansort.arch import trained_model
from leansort.arch.build import build
from leansort.arch.spec.spec import ArchSpec
from leansort.cli import main
from leansort.core import manifest as manifests
from leansort.core.seeds import Seeds
from leansort.data.importing.corrections import read_corrections
from leansort.workflows.training.doubt.doubt_result import DoubtResult
from tests.conftest import CLASSES

SWAPPED = ("train/Metal/swapped_a.png", "val/Paper/swapped_b.png")


@pytest.fixture(scope="module")
def overrides(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Weights drawn at random, whose features tell stripes from rings all the same."""
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    tensors = build(ArchSpec(base="tiny_s", width=0.25, classes=5), Seeds(3)).state_dict()
    trained_model.save_tensors(path, tensors, {"order": list(tensors)})
    return [f"arch.pretrained={path}", "train.threads=1"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos whose class is their colour, 16 for train and 8 for val of each; two of them lie under other labels."""
    root = tmp_path_factory.mktemp("swapped") / "photos"
    for kind, name in enumerate(CLASSES):
        for number in range(24):
            rng = Seeds(100 * kind + number).child("test/doubt").numpy()
            colour = np.full(3, 60) + 120 * np.eye(3, dtype=int)[kind]
            picture = np.clip(colour + rng.normal(0, 12, (48, 48, 3)) + rng.normal(0, 15), 0, 255).astype(np.uint8)
            path = root / ("train" if number < 16 else "val") / name / f"{name}_{number:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture)
    (root / "train" / "Plastic" / "Plastic_00.png").rename(root / SWAPPED[0])
    (root / "val" / "Plastic" / "Plastic_16.png").rename(root / SWAPPED[1])
    return root


@pytest.fixture(scope="module")
def doubted(tiny_recipe: Path, photos: Path, overrides: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished job. Treat as read-only."""
    out = tmp_path_factory.mktemp("doubt") / "out"
    leansort.doubt_labels(tiny_recipe, overrides, data=photos, out=out, top=12)
    return out


def test_labels_of_all_splits_are_ranked_and_swapped_ones_suggest_their_class(doubted: Path) -> None:
    with (doubted / "doubt.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["rank"]) for row in rows] == list(range(1, 73))
    assert {row["split"] for row in rows} == {"train", "val"}
    assert {row["file"] for row in rows[:2]} == set(SWAPPED)
    for row in rows:
        if row["file"] in SWAPPED:
            assert (row["suggested"], row["flagged"]) == ("Plastic", "yes")
    scores = [float(row["label_probability"]) for row in rows]
    assert scores == sorted(scores)
    result = DoubtResult.from_json(json.loads((doubted / "doubt.json").read_text()), "test")
    assert len(result.top) == 12
    assert result.photos == {"train": 48, "val": 24}
    assert result.flagged == sum(row["flagged"] == "yes" for row in rows) == sum(pair.count for pair in result.pairs)


def test_the_corrections_file_decides_nothing_until_it_is_filled_in(
    doubted: Path, photos: Path, tmp_path: Path
) -> None:
    template = doubted / "corrections.csv"
    read = read_corrections(template)
    assert (read.rows, read.blank) == ((), 12)
    filled = tmp_path / "filled.csv"
    with template.open(newline="") as source, filled.open("w", newline="") as target:
        lines = csv.DictReader(source)
        writer = csv.DictWriter(target, lines.fieldnames or ())
        writer.writeheader()
        for row in lines:
            writer.writerow(row | ({"label": row["suggested"]} if row["file"] in SWAPPED else {}))
    leansort.import_data("folder", photos, out=tmp_path / "out", corrections=filled)
    data = manifests.load(tmp_path / "out")
    named = {row.image: data.labels.names[row.label] for row in data.rows}
    assert [named[file] for file in SWAPPED] == ["Plastic", "Plastic"]
    assert data.notes["corrections"] == {"Metal -> Plastic": 1, "Paper -> Plastic": 1, "undecided rows": 10}


def test_decisions_are_not_written_over(
    doubted: Path, tiny_recipe: Path, photos: Path, overrides: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(doubted, out)
    (out / "corrections.csv").write_text(f"file,label\n{SWAPPED[0]},Plastic\n")
    again = leansort.doubt_labels(tiny_recipe, overrides, data=photos, out=out, top=3)
    assert (again.corrections_kept, again.cached) == (True, True)
    assert (out / "corrections.csv").read_text() == f"file,label\n{SWAPPED[0]},Plastic\n"
    (out / "corrections.csv").write_text("file,label\n")
    assert not leansort.doubt_labels(tiny_recipe, overrides, data=photos, out=out, top=3).corrections_kept
    assert read_corrections(out / "corrections.csv").blank == 3


def test_a_class_that_is_one_group_is_not_judged_and_named(
    tiny_recipe: Path, photos: Path, overrides: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = [f"{path},{path.parent.name},{path.parent.parent.name}" for path in sorted(photos.rglob("*.png"))]
    rows = [f"{line},{'one' if 'Metal' in line else n}" for n, line in enumerate(listed) if "val/Metal" not in line]
    alone = sum("Metal," in line for line in rows)
    (tmp_path / "list.csv").write_text("\n".join(["image,label,split,group", *rows]))
    leansort.import_data("table", tmp_path / "list.csv", images=photos, out=tmp_path / "crops")
    arguments = ["data", "doubt", tiny_recipe, *overrides, "--manifest", tmp_path / "crops", "--out", tmp_path / "out"]
    with pytest.raises(SystemExit) as stopped:
        main([*map(str, arguments), "--folds", "2"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert f"not judged     {alone}: " in shown
    with (tmp_path / "out" / "doubt.csv").open(newline="") as file:
        unranked = [row for row in csv.DictReader(file) if not row["rank"]]
    assert [row["label"] for row in unranked] == ["Metal"] * alone


def test_what_cannot_be_meant_is_refused(tiny_recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(leansort.UserError, match="data and manifest each say what is judged"):
        leansort.doubt_labels(tiny_recipe, data=tmp_path, manifest=tmp_path, out=tmp_path / "out")
    with pytest.raises(leansort.UserError, match="is not there"):
        leansort.doubt_labels(tiny_recipe, data=tmp_path / "none", out=tmp_path / "out")
    with pytest.raises(leansort.UserError, match="folds: got 1, allowed: 2 or more"):
        leansort.doubt_labels(tiny_recipe, folds=1, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()

"""What a run's page gathers beside its scores: goals, photos behind cells, what was tried, results that fit the run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leansort.contest.score_result import ListScore, ScoreResult
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.manifest import Manifest, Row
from leansort.core.run_folder import RunFolder, SolveFolder
from leansort.measure.accuracy.ground_truth import GroundTruth
from leansort.measure.accuracy.metrics import Interval, confusion, coverage, per_class
from leansort.measure.robustness.stress_result import StressResult
from leansort.recipe.load import load_recipe
from leansort.runtime.predictor import Classifier, Prediction
from leansort.workflows.deploy.evidence.cell_photos import MOST_RIGHT, MOST_WRONG, matrix_cells
from leansort.workflows.deploy.evidence.data_health import data_health
from leansort.workflows.deploy.evidence.further_results import judged_candidates, read_stress, read_study, read_unknown
from leansort.workflows.deploy.evidence.goal_rows import RunGoal, goal_rows, limit_rows
from leansort.workflows.deploy.evidence.run_commands import run_commands
from leansort.workflows.deploy.evidence.small_pictures import evidence_pictures
from leansort.workflows.deploy.evidence.tried_results import pass_steps, tried_candidates, tried_steps
from leansort.workflows.deploy.target_limits import LimitResult
from tests.support.graphs import LABELS, SIZE, colour_bundle
from tests.support.page_samples import full_report, latency, stressed
from tests.unit.report.test_compression_page import compressed, step

F1 = Interval(0.86, 0.83, 0.89)


def scored(matrix: list[list[int]]) -> ScoreResult:
    truth = np.repeat(np.arange(2), [sum(row) for row in matrix])
    predicted = np.concatenate([np.repeat(np.arange(2), row) for row in matrix])
    part = ListScore(
        len(truth), F1, coverage("ab", [3, 3]).describe("val"), 0.8, 0.8, tuple(per_class(truth, predicted, "ab")),
        tuple(map(tuple, confusion(truth, predicted, 2).tolist())),
    )  # fmt: skip
    return ScoreResult(split="val", lists={"all": part}, contest=(), faults=())


@pytest.mark.parametrize(
    ("asked", "verdict"), [(0.8, "met"), (0.85, "met, but not surely: 0.830 is possible"), (0.9, "not met")]
)
def test_a_goal_within_the_interval_is_not_surely_met(asked: float, verdict: str) -> None:
    [row] = goal_rows(RunGoal(macro_f1=asked), F1, 500_000, ())
    assert (row.verdict, row.asked) == (verdict, f"at least {asked:g}")
    [limit] = limit_rows([LimitResult(name="macro_f1", limit=asked, value=0.86, met=asked <= 0.86)], F1)
    assert (limit.verdict, limit.source) == (verdict, "target.limits.macro_f1")


def test_each_number_of_a_goal_is_a_row_and_what_was_not_measured_is_not_met() -> None:
    goal = RunGoal(macro_f1=0.8, p99_ms=7.0, size_mb=0.4)
    rows = goal_rows(goal, F1, 500_000, (latency("decode to label", 4.0),))
    assert [row.verdict for row in rows] == ["met", "met", "not met"]
    assert [row.reached for row in rows[1:]] == ["6 ms, of 500 calls", "0.5 MB"]
    assert [row.verdict for row in goal_rows(RunGoal(p99_ms=7.0), F1, 1, ())] == ["not known"]
    assert goal_rows(None, F1, 1, ()) == goal_rows(RunGoal(), F1, 1, ()) == []


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> GroundTruth:
    folder = tmp_path_factory.mktemp("photos")
    files = {f"{at:02d}.png": folder / f"{at:02d}.png" for at in range(40)}
    for path in files.values():
        Image.fromarray(np.full((20, 30, 3), 120, np.uint8)).save(path)
    return GroundTruth(LabelSet.of(["a", "b"], "here"), {name: int(name[:2]) // 20 for name in files}, files, "")


def predictions() -> list[Prediction]:
    """Of 20 crops of a 17 taken for b; of 20 of b one that cannot be read, the others right."""
    made = [Prediction("b" if at < 17 or at >= 20 else "a", 0.5 + at / 100, True, ()) for at in range(40)]
    return [*made[:-1], Prediction("", 0.0, False, (), "unreadable")]


def test_the_photos_of_a_cell_are_its_worst_or_its_least_sure(photos: GroundTruth) -> None:
    cells, sentence = matrix_cells(predictions(), photos, 240)
    assert {cell: (len(found.photos), found.count) for cell, found in cells.items()} == {
        (0, 1): (MOST_WRONG, 17), (0, 0): (3, 3), (1, 1): (MOST_RIGHT, 19),
    }  # fmt: skip
    assert cells[0, 1].photos[0].file == "16.png"
    assert cells[1, 1].photos[0].file == "20.png"
    assert all(photo.thumbnail.startswith(b"\xff\xd8") for found in cells.values() for photo in found.photos)
    assert "together at most 240" in sentence
    assert "want of room" not in sentence


def test_wrong_cells_come_first_where_there_is_little_room(photos: GroundTruth) -> None:
    cells, sentence = matrix_cells(predictions(), photos, 5)
    assert {cell: len(found.photos) for cell, found in cells.items()} == {(0, 1): 5}
    assert "2 cells have none for want of room" in sentence
    assert matrix_cells(predictions(), photos, 0) == ({}, "")


def test_evidence_lies_where_the_colour_is(tmp_path: Path) -> None:
    pixels = np.full((SIZE, SIZE, 3), 90, np.uint8)
    pixels[: SIZE // 4, : SIZE // 4, 2] = 250
    Image.fromarray(pixels).save(tmp_path / "blue.png")
    (tmp_path / "torn.png").write_bytes(b"no picture")
    with Classifier.of(colour_bundle()) as classifier:
        names = [(name, tmp_path / name) for name in ("blue.png", "torn.png")]
        found = evidence_pictures(classifier, names)
    assert list(found) == ["blue.png"]
    assert found["blue.png"].words.startswith(
        f"evidence for {LABELS.names[2]}, most in the upper left: covering lowers"
    )


def test_steps_that_were_refused_have_no_size() -> None:
    steps = (
        step("start", "start", 0.9, 8000),
        step("1-prune", "accepted", 0.89, 4000),
        step("2-q", "refused", 0.5, 4000),
    )
    start, kept, refused = tried_steps(compressed(*steps))
    assert (start.size_mb, start.here) == (0.032, False)
    assert (kept.size_mb, kept.here, kept.ms) == (0.016, True, 0.004)
    assert (refused.size_mb, refused.ms, refused.macro_f1) == (None, None, 0.5)
    passes = pass_steps(compressed(*steps))
    assert [(item.name, item.size_mb) for item in passes] == [("start", 0.032), ("1-prune", 0.016)]


def test_a_stress_test_of_another_bundle_is_refused_where_it_was_named(tmp_path: Path) -> None:
    folder, bundle = RunFolder(tmp_path), stressed()
    assert "No stress test" in str(read_stress(folder, None, bundle.digest))
    classes = coverage("ab", [3, 3])
    result = StressResult(
        bundles=(bundle,), truth="here", crops=360, macro_f1_classes=classes, side=64, seed=0, parameters=()
    )
    (tmp_path / "stress").mkdir()
    (tmp_path / "stress" / "stress.json").write_text(json.dumps(result.to_json()))
    assert read_stress(folder, None, bundle.digest) == bundle
    assert read_stress(folder, tmp_path / "stress" / "stress.json", bundle.digest) == bundle
    assert isinstance(read_stress(folder, None, "other"), str)
    with pytest.raises(UserError, match=r"stress: the stress test is of other bundles than the run's, other"):
        read_stress(folder, tmp_path / "stress", "other")
    with pytest.raises(UserError, match=r"cannot read"):
        read_stress(folder, tmp_path / "nowhere.json", "other")


def test_unknown_photos_of_another_bundle_are_refused_where_they_were_named(tmp_path: Path) -> None:
    folder, mine, other = RunFolder(tmp_path), scored([[3, 0], [1, 2]]), scored([[2, 1], [1, 2]])
    unknown = full_report().more.unknown
    assert "--unknown" not in str(read_unknown(folder, None, mine))
    folder.unknown.write(mine.model_copy(update={"unknown": unknown}))
    assert read_unknown(folder, None, mine) == unknown
    assert "another bundle" in str(read_unknown(folder, None, other))
    with pytest.raises(UserError, match="of another bundle"):
        read_unknown(folder, folder.unknown.path, other)
    folder.unknown.write(mine)
    with pytest.raises(UserError, match="made without --unknown"):
        read_unknown(folder, folder.unknown.path, mine)
    assert read_study(folder, None) is None


def test_commands_are_quoted_and_the_recipe_beside_a_run_can_be_run_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "my run")
    folder.path.mkdir()
    recipe = load_recipe("sample")
    folder.recipe.write(recipe.to_json())
    commands = dict(run_commands(folder, "test", "openvino"))
    words = shlex.split(commands["The whole run again, into a new folder"])
    assert words[:2] == ["leansort", "run"]
    assert load_recipe(words[2]) == recipe
    assert shlex.split(commands["Add stress curves"])[-1] == str(folder.path / "stress")
    assert all(shlex.split(line)[0] == "leansort" for line in commands.values())


def test_data_is_counted_by_split_and_class(tmp_path: Path) -> None:
    rows = [
        Row(f"{at}.png", int(at > 7), "train" if at < 9 else "val", f"g{at // 2}", "", f"{at}.png") for at in range(12)
    ]
    manifest = Manifest(tuple(rows), LabelSet.of(["a", "b"], "here"), tmp_path)
    health = data_health(RunFolder(tmp_path), manifest)
    assert health.splits == {"train": {"a": 8, "b": 1}, "val": {"a": 0, "b": 3}}
    assert health.notes[0].startswith("12 crops in 6 groups")
    assert "a, has 8.0 times the crops of the smallest, b" in health.notes[1]


def test_what_a_solve_made_comes_onto_the_pages_of_its_candidates(tmp_path: Path) -> None:
    solve, bundle = SolveFolder(tmp_path), stressed()
    candidate = solve.candidate("small")
    candidate.path.mkdir(parents=True)
    assert judged_candidates(candidate) == []  # any folder may be called `candidates`
    solve.plan.write({})
    for name, fraction, size in (("large", 1.0, 4_000_000), ("small", 0.5, 600_000)):
        kept = {"version": 1, "name": name, "macro_f1": F1.__dict__, "fraction": fraction, "bytes": size, "macs": 1}
        (solve.candidate(name).path).mkdir(exist_ok=True)
        solve.candidate(name).judged.write(kept)
    large, small = tried_candidates(judged_candidates(candidate))
    assert (large.name, large.outcome, large.size_mb, large.here) == ("recipe large", "trained whole", 4.0, False)
    assert (small.outcome, small.here, small.interval) == ("trained for 50% of its epochs", True, (F1.low, F1.high))
    solve.stress.path.mkdir()
    classes = coverage("ab", [3, 3])
    solve.stress.result.write(
        StressResult(bundles=(bundle,), truth="", crops=9, macro_f1_classes=classes, side=64, seed=0, parameters=())
    )
    assert read_stress(candidate, None, bundle.digest) == bundle

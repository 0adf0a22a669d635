"""`leansort compare` of several: any mix of bundles and answers, one reading of the photos, one timing run."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from leansort.core.errors import UserError
from leansort.measure.comparison.multiple_comparison import MultipleComparisonResult
from leansort.measure.timing import latency, timing_lock
from leansort.report.comparison.multiple_comparison_table import multiple_comparison_text
from leansort.runtime import shipped_models
from leansort.runtime.predictor import Classifier
from leansort.workflows.comparison.answer_files import side_names
from leansort.workflows.comparison.compare import compare
from leansort.workflows.comparison.compare_all import compare_all
from tests.conftest import ROOT
from tests.support.comparison_ground import CROPS, comparison_ground, crops, written
from tests.support.graphs import bundle_of, mean_colour, node, onnx_graph
from tests.support.processors import needs_vnni


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return comparison_ground(tmp_path_factory.mktemp("compare"))


def three(ground: Path) -> list[Path]:
    return [ground / f"{name}.leansort" for name in ("weak", "good", "fair")]


def quick(paths: list[Path], truth: Path, **more: object) -> MultipleComparisonResult:
    return compare_all(paths, truth, **{"seconds": 0.0, **more})  # type: ignore[arg-type]


def test_each_is_compared_with_the_first_as_two_are(ground: Path) -> None:
    result = quick(three(ground), ground / "crops")
    assert [member.name for member in result.members] == ["A", "B", "C"]
    for other, path in zip(result.others, three(ground)[1:], strict=True):
        two = compare(three(ground)[0], path, ground / "crops", seconds=0)
        assert (other.difference, other.counts, other.classes, other.changes) == (
            two.difference, two.counts, two.classes, two.changes,
        )  # fmt: skip
        assert (result.reference.classifier, other.member.classifier) == (two.a, two.b)
        assert other.adjusted_p >= other.counts.p_value
    smaller = min(other.counts.p_value for other in result.others)
    assert min(other.adjusted_p for other in result.others) == pytest.approx(min(1, 2 * smaller))


def test_the_front_is_of_what_was_measured(ground: Path, tmp_path: Path) -> None:
    result = quick(three(ground), ground / "crops")
    assert result.front_criteria == ("macro-F1", "size")
    figures = {
        member.name: (member.classifier.macro_f1.value, -(member.classifier.size_bytes or 0))
        for member in result.members
    }
    for member in result.members:
        f1, size = figures[member.name]
        beaten = any(f >= f1 and s >= size and (f, s) != (f1, size) for f, s in figures.values())
        assert member.on_front is not beaten
    first = written(tmp_path / "first.csv", crops(ground))
    second = written(tmp_path / "second.csv", crops(ground) | {"crop00.png": "b"})
    few = quick([first, second, ground / "weak.leansort"], ground / "crops")
    assert (few.front_criteria, few.front) == ((), ())
    assert "Pareto" not in few.verdict


def test_every_bundle_reads_the_photos_once_and_all_are_timed_in_one_run(
    ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, runs = Counter[str](), list[list[str]]()
    predict_many, time_interleaved = Classifier.predict_many, latency.time_interleaved

    def counted(self: Classifier, *given: object, **named: object) -> object:
        asked[self.bundle.meta.name] += 1
        return predict_many(self, *given, **named)  # type: ignore[arg-type]

    def recorded(calls: dict[str, object], **named: object) -> object:
        runs.append(list(calls))
        return time_interleaved(calls, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(timing_lock, "lock_folder", lambda: tmp_path)
    monkeypatch.setattr(Classifier, "predict_many", counted)
    monkeypatch.setattr(latency, "time_interleaved", recorded)
    answers = written(tmp_path / "answers.csv", crops(ground))
    result = quick([answers, *three(ground)], ground / "crops", seconds=0.01, queries=2)
    assert set(asked.values()) == {1}
    assert len(asked) == 3
    assert runs == [[f"{side}: {what}" for side in "BCD" for what in ("decode to label", "model alone")]]
    assert result.front_criteria == ("macro-F1", "latency", "size")
    assert result.reference.latencies == ()
    assert all(len(other.member.latencies) == 2 and other.ratios == () for other in result.others)  # A is not timed
    assert "decode to label" not in result.verdict


def test_crops_that_one_has_no_answer_for_are_left_out_for_all(ground: Path, tmp_path: Path) -> None:
    whole = crops(ground)
    few = written(tmp_path / "few.csv", {name: label for name, label in whole.items() if name != "crop03.png"})
    result = quick([*three(ground), few], ground / "crops")
    assert result.crops == CROPS - 1
    assert f"D has no answer for 1 of {CROPS} crops, first crop03.png; they are left out for all" in result.notes
    assert "crop03.png" not in {change.image for other in result.others for change in other.changes}


@pytest.mark.parametrize("case", ["one", "copy", "same file", "classes", "no common crop", "engine", "folder"])
def test_what_cannot_be_compared_is_one_line(case: str, ground: Path, tmp_path: Path) -> None:
    paths, whole, more = three(ground), crops(ground), dict[str, object]()
    files = [written(tmp_path / f"{name}.csv", whole) for name in "abc"]
    if case == "one":
        paths, expected = paths[:1], "got 1 to compare, allowed: 2 or more"
    elif case == "copy":
        copy = tmp_path / "copy.leansort"
        copy.write_bytes(paths[1].read_bytes())
        paths, expected = [*paths, copy], f"B ({paths[1]}) and D ({copy}) are the same bundle, "
    elif case == "same file":
        paths, expected = [*paths, paths[0]], f"A and D are the same file, {paths[0]}"
    elif case == "classes":
        graph = onnx_graph([*mean_colour(), node("Identity", "colour", "logits")])
        bundle_of(graph, labels=("a", "b", "glass")).save(tmp_path / "other.leansort")
        paths, expected = [*paths, tmp_path / "other.leansort"], "different classes: only D has glass; only "
    elif case == "no common crop":
        halves = list(whole.items())
        written(files[0], dict(halves[:12]))
        written(files[1], dict(halves[12:]))
        paths, expected = files, "A, B and C have no answer for the same picture"
    elif case == "engine":
        paths, more = files, {"engine": "openvino"}
        expected = "--engine has no effect, as none of A, B and C is a bundle"
    else:
        more, expected = {"page": tmp_path}, "is a folder; name a file, such as"
    with pytest.raises(UserError) as caught:
        quick(paths, ground / "crops", **more)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sides_are_letters_and_go_on_after_z() -> None:
    names = side_names(800)
    assert names[:3] == ["A", "B", "C"]
    assert names[25:28] == ["Z", "AA", "AB"]
    assert len(set(names)) == 800


@needs_vnni
def test_the_models_of_the_package_on_val_are_as_the_documentation_says(trashnet: Path) -> None:
    names = ("trashnet-compressed", "trashnet-lean", "trashnet-hardy")
    result = quick([shipped_models.find_bundle(name) for name in names], trashnet, engine="openvino")
    assert [member.name for member in result.front] == ["B"]
    page = (ROOT / "docs" / "robot.md").read_text().partition("### Which of several")[2].partition("\n## ")[0]
    table, verdict = re.findall(r"```text\n(.*?)```", page, re.S)
    printed = multiple_comparison_text(result).splitlines()
    assert len(table.splitlines()) == 6
    assert not set(table.splitlines()) - set(printed)
    assert verdict.splitlines() == printed[-1:]

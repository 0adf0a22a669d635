"""`leansort compare`: bundles and answers on the same crops, whatever is wrong with them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from leansort.core.errors import UserError
from leansort.measure.comparison.comparison_result import ComparisonResult
from leansort.measure.timing import timing_lock
from leansort.report.comparison_table import comparison_text
from leansort.runtime import shipped_models
from leansort.workflows.comparison.compare import compare
from leansort.workflows.contest.submit import submit
from tests.conftest import ROOT, Cli
from tests.support.comparison_ground import CROPS, comparison_ground, crops, written
from tests.support.graphs import LABELS, bundle_of, colour_bundle, mean_colour, node, onnx_graph
from tests.support.processors import needs_vnni


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return comparison_ground(tmp_path_factory.mktemp("compare"))


def quick(a: Path, b: Path, truth: Path, **more: object) -> ComparisonResult:
    return compare(a, b, truth, **{"seconds": 0.0, **more})  # type: ignore[arg-type]


def test_two_bundles_in_one_command(ground: Path, cli: Cli) -> None:
    done = cli(
        "compare", ground / "weak.leansort", ground / "good.leansort", "--data", ground / "crops", "--seconds", "0.05",
        "--queries", "20", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = ComparisonResult.from_json(json.loads(done.stdout), "the output")
    assert (result.crops, result.b.accuracy, result.a.accuracy < 1) == (CROPS, 1.0, True)
    assert result.counts.only_a_right == 0 < result.counts.only_b_right == result.counts.disagreements
    assert (result.a.engine, result.a.threads, result.a.parameters) == ("onnxruntime", 1, 3)
    assert [latency.what for latency in result.latencies] == ["decode to label", "model alone"]
    for latency in result.latencies:
        assert latency.a.count >= 20 <= latency.b.count
        assert latency.ratio.low <= latency.ratio.value <= latency.ratio.high
    text = comparison_text(result)
    assert text.splitlines()[-1] == result.verdict
    assert "onnxruntime, 1 thread" in text
    assert "few crops, so that these intervals are rough: a (8), b (8), c (8)" in text


def test_the_command_prints_a_table_that_ends_with_the_verdict(ground: Path, cli: Cli) -> None:
    done = cli(
        "compare",
        ground / "weak.leansort",
        ground / "good.leansort",
        "--ground-truth",
        ground / "crops",
        "--seconds",
        "0",
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("the macro-F1 of B is higher by ")
    assert any(line.startswith("F1 of c (8, few)") for line in lines)
    assert not any("p50" in line for line in lines)  # nothing was timed


def test_the_same_seed_gives_the_same_intervals_and_another_one_others(ground: Path) -> None:
    first, again, other = (
        quick(ground / "weak.leansort", ground / "good.leansort", ground / "crops", seed=seed) for seed in (3, 3, 4)
    )
    assert first == again
    assert first.difference.value == other.difference.value
    assert first.difference != other.difference


def test_measuring_holds_the_timing_lock(ground: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(timing_lock, "lock_folder", lambda: tmp_path)
    quick(ground / "weak.leansort", ground / "good.leansort", ground / "crops")
    assert not list(tmp_path.iterdir())
    quick(ground / "weak.leansort", ground / "good.leansort", ground / "crops", seconds=0.01, queries=2)
    assert {path.name for path in tmp_path.iterdir()} == {"gate.lock", "work.lock"}


def test_answers_in_files_give_what_the_bundle_gives(ground: Path, cli: Cli, tmp_path: Path) -> None:
    """The submission is JSON called .csv, as the contest has it; predictions have paths for names."""
    weak, pictures = ground / "weak.leansort", sorted((ground / "crops").rglob("*.png"))
    submit(weak, pictures, tmp_path / "output.csv")
    done = cli("predict", weak, ground / "crops", "--format", "csv", "--out", tmp_path / "labels.csv")
    assert done.returncode == 0, done.stderr
    bundles = quick(weak, ground / "good.leansort", ground / "crops")
    for file, kind in (("output.csv", "submission"), ("labels.csv", "predictions")):
        files = quick(tmp_path / file, ground / "good.leansort", ground / "crops")
        assert files.a.kind == kind
        assert (files.difference, files.counts, files.classes) == (bundles.difference, bundles.counts, bundles.classes)
        assert files.latencies == ()
    both = quick(tmp_path / "output.csv", tmp_path / "labels.csv", ground / "crops")
    assert both.verdict == f"both give each of the {CROPS} crops the same label"
    assert both.a.stated_seconds is not None


def test_missing_and_unknown_answers_are_counted_and_named(ground: Path, tmp_path: Path) -> None:
    whole = crops(ground)
    a = written(tmp_path / "a.csv", whole | {"more.png": "a"})
    b = written(
        tmp_path / "b.csv", {name: label for name, label in whole.items() if name not in ("crop00.png", "crop07.png")}
    )
    result = quick(a, b, ground / "crops")
    assert result.crops == CROPS - 2
    assert f"B has no answer for 2 of {CROPS} crops, first crop00.png; they are left out for both" in result.notes
    assert any(
        line.startswith("A answers 1 pictures that ") and line.endswith("first more.png") for line in result.notes
    )


def test_a_picture_that_neither_bundle_can_read_is_left_out_and_named(ground: Path, tmp_path: Path) -> None:
    for path in (ground / "crops").rglob("*.png"):
        target = tmp_path / "crops" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (tmp_path / "crops" / "a" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    result = quick(ground / "weak.leansort", ground / "good.leansort", tmp_path / "crops")
    assert result.crops == CROPS
    assert [line[:24] for line in result.notes if "torn.png: " in line] == [
        "A: unreadable torn.png: ",
        "B: unreadable torn.png: ",
    ]


@pytest.mark.parametrize(
    "case",
    [
        "same file",
        "copy",
        "classes",
        "no common crop",
        "engine",
        "engine_b",
        "not there",
        "no label",
        "unknown class",
        "twice",
    ],
)
def test_what_cannot_be_compared_is_one_line(case: str, ground: Path, tmp_path: Path) -> None:
    good, weak, truth, whole = ground / "good.leansort", ground / "weak.leansort", ground / "crops", crops(ground)
    a, b = written(tmp_path / "a.csv", whole), written(tmp_path / "b.csv", whole)
    more: dict[str, str] = {}
    expected = ""
    if case == "same file":
        (a, b), expected = (good, tmp_path / "link.leansort"), "A and B are the same file"
        b.symlink_to(good)
    elif case == "copy":
        (a, b), expected = (good, tmp_path / "copy.leansort"), "are the same bundle"
        b.write_bytes(good.read_bytes())
    elif case == "classes":
        other = bundle_of(
            onnx_graph([*mean_colour(), node("Identity", "colour", "logits")]), labels=("a", "b", "glass")
        )
        other.save(tmp_path / "other.leansort")
        (a, b), expected = (good, tmp_path / "other.leansort"), "have different classes: only B has glass; only "
    elif case == "no common crop":
        half = dict(list(whole.items())[:12])
        written(a, half), written(b, {name: label for name, label in whole.items() if name not in half})
        expected = "A and B have no answer for the same picture"
    elif case == "engine":
        more, expected = {"engine": "openvino"}, "--engine has no effect"
    elif case == "engine_b":
        (a, more), expected = (weak, {"engine_b": "openvino"}), "--engine-b has no effect"
    elif case == "not there":
        a, expected = tmp_path / "gone.leansort", "gone.leansort is not there"
    elif case == "no label":
        b.write_text("image,class\ncrop00.png,a\n")
        expected = "lacks the column 'label'"
    elif case == "unknown class":
        a, expected = weak, "got 'zinc', allowed: a, b, c"
        written(b, whole | {"crop05.png": "zinc"})
    elif case == "twice":
        expected = "B answers crop00.png twice"
        written(b, whole | {"photos/crop00.png": "a"})
    with pytest.raises(UserError) as caught:
        quick(a, b, truth, **more)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_bundle_on_two_engines_is_a_comparison(ground: Path) -> None:
    pytest.importorskip("openvino")
    good = ground / "good.leansort"
    result = quick(good, good, ground / "crops", engine_b="openvino")
    assert (result.a.engine, result.b.engine) == ("onnxruntime", "openvino")
    assert result.counts.disagreements == 0


@needs_vnni
def test_the_committed_bundles_on_val(trashnet: Path) -> None:
    """Origin: the macro-F1 in their model cards."""
    compressed, lean = (shipped_models.find_bundle(name) for name in ("trashnet-compressed", "trashnet-lean"))
    result = quick(compressed, lean, trashnet, engine="openvino")
    assert result.crops == 328
    for side, bundle in ((result.a, compressed), (result.b, lean)):
        assert f"Macro-F1 {side.macro_f1.value:.4f} on 328 val crops" in (bundle.parent / "README.md").read_text()
    assert result.verdict == "the macro-F1 of B is higher by 4.9 ± 4.6 points on 328 crops"
    [block] = re.findall(r"```text\n( +A .*?)```", (ROOT / "docs" / "robot.md").read_text(), re.S)
    assert len(block.splitlines()) == 15
    assert not set(block.splitlines()) - set(comparison_text(result).splitlines())


def test_the_page_shows_every_changed_photo_and_the_figures_of_the_json(ground: Path, tmp_path: Path) -> None:
    page = tmp_path / "compare.html"
    result = compare(ground / "good.leansort", ground / "weak.leansort", ground / "crops", seconds=0, page=page)
    text = page.read_text()
    truth = crops(ground)
    assert len(result.changes) == result.counts.disagreements > 0
    assert all(item.truth == truth[item.image] and item.a != item.b for item in result.changes)
    assert text.count("data:image/jpeg;base64,") == len(result.changes)
    assert all(f"{item.image}</bdi>" in text for item in result.changes)
    only_a = [item for item in result.changes if item.a == item.truth]
    assert len(only_a) == result.counts.only_a_right
    assert f"{len(only_a)} of {len(only_a)} photos" in text
    assert f"{100 * result.difference.value:+.1f} points" in text
    for row in result.classes:
        assert row.a is not None
        assert f"<td>{row.a:.4f}</td><td>{row.b:.4f}</td>" in text
    assert ComparisonResult.from_json(json.loads(json.dumps(result.to_json())), "here") == result
    assert not re.search(r"https?://|<script", text)


def test_files_of_answers_have_a_page_too_and_distributions_are_drawn_of_bundles(ground: Path, tmp_path: Path) -> None:
    truth = crops(ground)
    first = written(tmp_path / "first.csv", truth)
    second = written(tmp_path / "second.csv", {**truth, "crop00.png": LABELS.names[1]})
    compare(first, second, ground / "crops", page=tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "Lost: only A is right" in text
    assert "Won: only B" not in text
    assert "How call times spread" not in text
    pair = ground / "good.leansort", ground / "weak.leansort"
    compare(*pair, ground / "crops", seconds=0.01, queries=20, page=tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().count('class="line other"') == 2


def test_a_run_folder_stands_for_its_bundle(ground: Path, tmp_path: Path) -> None:
    colour_bundle().save(tmp_path / "model.leansort")
    result = compare(tmp_path, ground / "weak.leansort", ground / "crops", seconds=0)
    assert result.a.path == str(tmp_path / "model.leansort")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"A: the folder .* holds no model\.leansort, so it is no finished run"):
        compare(tmp_path / "empty", ground / "weak.leansort", ground / "crops", seconds=0)
    with pytest.raises(UserError, match="is a folder; name a file, such as"):
        compare(tmp_path, ground / "weak.leansort", ground / "crops", seconds=0, page=tmp_path)

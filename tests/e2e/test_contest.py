"""`leansort contest` through the command line: scores, worth, ranks, a choice, and a user's mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leansort.core import bundle as bundles
from leansort.core import manifest as manifests
from leansort.measure.accuracy.image_names import image_names
from tests.conftest import CLASSES, Cli
from tests.e2e.test_mistakes import refused


@pytest.fixture(scope="module")
def names(tiny_run: Path) -> dict[str, str]:
    """Label by val picture."""
    manifest = manifests.load(tiny_run)
    rows = manifest.split("val")
    labels = [manifest.labels.names[row.label] for row in rows]
    return dict(zip(image_names([manifest.path(row) for row in rows]), labels, strict=True))


def submission(path: Path, labels: dict[str, str], seconds: float, macs: float) -> Path:
    times = {"profile": {"cuda": 0, "cpu": 0}, "runtime": {"all": seconds, "inference_only": 1}, "inference": {}}
    path.write_text(json.dumps({"inference": labels, "time": times, "macs": macs}))
    return path


@pytest.fixture(scope="module")
def good(names: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of 24 wrong, slow."""
    labels = {**names, **dict.fromkeys(list(names)[-2:], CLASSES[0])}
    return submission(tmp_path_factory.mktemp("answers") / "good.csv", labels, 60.0, 10e6)


@pytest.fixture(scope="module")
def poor(names: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of the second and third class is taken for the first, fast."""
    labels = {name: label if at % 2 else CLASSES[0] for at, (name, label) in enumerate(names.items())}
    return submission(tmp_path_factory.mktemp("answers") / "poor.csv", labels, 20.0, 1e6)


def test_a_bundle_is_run_in_a_process_of_its_own_and_beats_a_slow_submission(
    tiny_run: Path, good: Path, tmp_path: Path, cli: Cli
) -> None:
    given = ["contest", tiny_run / "model.leansort", good, "--manifest", tiny_run, "--draws", "100"]
    done = cli(*given, "--json")
    assert done.returncode == 0, done.stderr
    tree = json.loads(done.stdout)
    bundle, other = tree["contestants"]
    meta = bundles.load(tiny_run / "model.leansort").meta
    assert (bundle["macs"], other["macs"]) == (meta.macs, 10e6)
    assert 0 < bundle["seconds"] < 60.0 == other["seconds"]
    assert tree["list_crops"] == {"public": 12, "private": 12}
    stated = json.loads((tiny_run / "score.json").read_text())
    assert stated["split"] == "val"
    assert bundle["f1"] == pytest.approx(stated["lists"]["all"]["contest_f1"])
    assert [worth["edition"] for worth in other["worth"]] == ["time", "macs"]
    for item in tree["contestants"]:
        assert [(row["edition"], row["list"]) for row in item["standings"]] == [
            ("time", "public"), ("time", "private"), ("macs", "public"), ("macs", "private"),
        ]  # fmt: skip
        for row in item["standings"]:
            assert row["score"]["low"] <= row["score"]["high"]
            assert sum(row["rank_chances"]) == pytest.approx(1)
    assert tree["choices"][0]["edition"] == "time"
    assert [item["edition"] for item in tree["changes"]] == ["time", "macs"]


def test_the_table_tells_worth_ranks_step_and_choice(tiny_run: Path, good: Path, poor: Path, cli: Cli) -> None:
    done = cli("contest", good, poor, "--manifest", tiny_run, "--draws", "200")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("24 crops of ")
    (row,) = [line for line in lines if line.startswith("A ") and " 60.000 " in line]
    assert "+0.0116" in row  # what a second adds
    assert "edition with time: A is the best" in done.stdout or "edition with time: B is the best" in done.stdout
    assert "from the step at 0.5 of the MACs edition (margin 0.05)" in done.stdout
    again = cli("contest", good, poor, "--manifest", tiny_run, "--draws", "200")
    assert again.stdout == done.stdout


def test_what_is_near_the_step_is_warned_of_and_not_chosen(
    tiny_run: Path, names: dict[str, str], good: Path, tmp_path: Path, cli: Cli
) -> None:
    wrong = {label: CLASSES[(at + 1) % 3] for at, label in enumerate(CLASSES)}
    half = {name: label if at % 2 else wrong[label] for at, (name, label) in enumerate(names.items())}
    near = submission(tmp_path / "near.csv", half, 1.0, 1.0)  # cheap, and right half of the time
    given = ["contest", near, good, "--manifest", tiny_run, "--draws", "100", "--json"]
    done = cli(*given)
    assert done.returncode == 0, done.stderr
    tree = json.loads(done.stdout)
    assert tree["contestants"][0]["f1"] == pytest.approx(0.5)
    assert tree["contestants"][0]["cliff"]["fall_chance"] > 0.1
    assert [choice["chosen"] for choice in tree["choices"] if choice["edition"] == "macs"] == [1]
    assert "warning: MACs edition: " in done.stderr
    assert "is 0.0000 above the step at 0.5, where the score jumps by 0.60; that is inside the margin" in done.stderr
    free = json.loads(cli(*given, "--margin", "0").stdout)
    assert [choice["chosen"] for choice in free["choices"] if choice["edition"] == "macs"] == [0]
    assert free["warnings"] == []


def test_lists_and_times_that_are_given(
    tiny_run: Path, names: dict[str, str], good: Path, poor: Path, tmp_path: Path, cli: Cli
) -> None:
    parts = {"public": list(names)[:18], "private": list(names)[18:]}
    for part, listed in parts.items():
        (tmp_path / part).write_text("\n".join(listed))
    lists = ["--public", tmp_path / "public", "--private", tmp_path / "private"]
    given = ["contest", good, poor, "--manifest", tiny_run, "--draws", "100"]
    done = cli(*given, *lists, "--seconds", "10", "--seconds", "30", "--json")
    assert done.returncode == 0, done.stderr
    tree = json.loads(done.stdout)
    assert tree["list_crops"] == {"public": 18, "private": 6}
    assert [item["seconds"] for item in tree["contestants"]] == [10, 30]
    public, private = tree["contestants"][0]["standings"][:2]
    scored = json.loads(
        cli("score", good, "--ground-truth", tiny_run, "--split", "val", *lists, "--seconds", "10", "--json").stdout
    )
    by_list = {(row["edition"], row["list"]): row["score"] for row in scored["contest"]}
    assert public["score"]["value"] == pytest.approx(by_list["time", "public"])
    assert private["score"]["value"] == pytest.approx(by_list["time", "private"])
    (tmp_path / "private").write_text("\n".join(list(names)[17:]))
    refused(cli(*given, *lists), "1 pictures are in both lists")
    refused(cli(*given, *lists[:2]), "--public needs --private, too")
    refused(cli(*given, "--seconds", "1", "--seconds", "2", "--seconds", "3"), "got 3 --seconds for 2 files")


def test_a_mistake_is_one_line(tiny_run: Path, good: Path, names: dict[str, str], tmp_path: Path, cli: Cli) -> None:
    refused(cli("contest", good, good, "--manifest", tiny_run), "is named twice")
    refused(cli("contest", good, "--manifest", tiny_run, "--engine", "openvino"), "--engine has no effect")
    few = submission(tmp_path / "few.csv", dict(list(names.items())[:-1]), 1, 1)
    refused(cli("contest", few, "--manifest", tiny_run), "1 of 24 pictures have no answer")
    refused(cli("contest", "trashnet-leen", "--manifest", tiny_run), "did you mean")
    refused(cli("contest", "trashnet-lean", "--manifest", tiny_run), "labels")

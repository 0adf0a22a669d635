"""The real data sets, where they are at hand; skipped with a reason where not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leansort.core import manifest as manifests
from leansort.recipe.load import load_recipe
from tests.conftest import ROOT, Cli


def test_trashnet_counts(trashnet: Path, cli: Cli, tmp_path: Path) -> None:
    """Origin: the published train and val lists."""
    done = cli("data", "import", "folder", trashnet, "--out", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    manifest = manifests.load(tmp_path / "m")
    assert manifest.labels.names == ("cardboard", "glass", "metal", "paper", "plastic", "trash")
    assert manifest.counts("train") == [287, 354, 286, 403, 347, 91]
    assert manifest.counts("val") == [46, 65, 56, 83, 61, 17]


def test_the_doubled_ids_of_taco_are_named(taco: Path, cli: Cli) -> None:
    done = cli("data", "import", "coco", taco / "annotations.json", "--dry-run")
    assert done.returncode == 2
    assert "annotations has 2 doubled ids: 309, 4040" in done.stderr


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("taco6", [544, 385, 112, 1266, 845, 140]),
        ("taco9", [2, 36, 254, 544, 385, 112, 1266, 845, 140]),
        ("trashnet6", [251, 254, 544, 246, 1257, 1045]),
    ],
)
def test_every_annotation_of_taco_is_accounted_for(taco: Path, cli: Cli, name: str, counts: list[int]) -> None:
    """Origin: the published file's 4,784 annotations, counted per category, summed by the map."""
    done = cli("data", "import", "coco", taco / "annotations.json", "--map", name, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    surveyed = json.loads(done.stdout)
    assert list(surveyed["classes"].values()) == counts
    parts = ("classes", "dropped categories", "dropped boxes")
    assert sum(sum(surveyed[part].values()) for part in parts) == surveyed["annotations"] == 4784
    assert surveyed["dropped categories"]["Cigarette"] == 667


def test_trashnets_pairs_across_the_published_lists(trashnet: Path, cli: Cli, tmp_path: Path) -> None:
    """Origin: looked at one by one; these show the same object from the same place."""
    done = cli("data", "check", trashnet, "--strict", "--json", "--html", tmp_path / "check.html")
    assert done.returncode == 1
    result = {(pair["first"], pair["second"]): pair for pair in json.loads(done.stdout)["pairs"]}
    twice = result["train/glass/glass389.jpg", "val/plastic/plastic332.jpg"]
    assert (twice["kind"], twice["across"], twice["conflict"]) == ("exact", True, True)
    for a, b in (("paper/paper176", "paper/paper549"), ("metal/metal11", "metal/metal221")):
        assert result[f"train/{a}.jpg", f"val/{b}.jpg"]["across"]
    assert 25 <= len(result) <= 35
    assert (tmp_path / "check.html").stat().st_size > 200_000


@pytest.mark.slow
def test_the_committed_network_keeps_its_promise_in_int8(trashnet: Path, tmp_path: Path, cli: Cli) -> None:
    """Origin: val macro-F1 0.9028 of its card; 12 points fell where pictures that stand out took part."""
    recipe = load_recipe("compress/trashnet-int8", [], trashnet)
    (step,) = recipe.compress.steps
    given = f"compress.steps=[{json.dumps({**step, 'faster': False})}]"  # on a busy machine nothing is faster
    done = cli(
        "compress", "trashnet-int8", ROOT / "models" / "trashnet", given,
        "compress.seconds=0.2", "compress.max_f1_drop=0.01", "--data", trashnet, "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    start, int8 = json.loads(done.stdout)["steps"]
    assert start["verdict"]["macro_f1"]["value"] == pytest.approx(0.9028, abs=0.002)
    assert int8["state"] == "accepted"
    assert int8["bytes"] < 0.3 * start["bytes"]
    assert int8["notes"]["outliers"] == 30

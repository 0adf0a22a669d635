"""The real data sets, where they are at hand; skipped with a reason where not."""

from __future__ import annotations

from pathlib import Path

from leansort.core import manifest as manifests
from tests.conftest import Cli


def test_trashnet_counts(trashnet: Path, cli: Cli, tmp_path: Path) -> None:
    """Origin: the published train and val lists."""
    done = cli("data", "import", "folder", trashnet, "--out", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    manifest = manifests.load(tmp_path / "m")
    assert manifest.labels.names == ("cardboard", "glass", "metal", "paper", "plastic", "trash")
    assert manifest.counts("train") == [287, 354, 286, 403, 347, 91]
    assert manifest.counts("val") == [46, 65, 56, 83, 61, 17]


def test_the_doubled_ids_of_taco_are_named(taco: Path, cli: Cli, tmp_path: Path) -> None:
    done = cli("data", "import", "coco", taco / "annotations.json", "--out", tmp_path / "m")
    assert done.returncode == 2
    assert "annotations has the id 309 twice (2 doubled ids)" in done.stderr

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


def test_taco_without_its_photos_says_what_is_missing(taco: Path, cli: Cli, tmp_path: Path) -> None:
    done = cli("data", "import", "coco", taco / "annotations.json", "--out", tmp_path / "m")
    assert done.returncode == 2
    assert "photo 'batch_1/000006.jpg' is not in" in done.stderr

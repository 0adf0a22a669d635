"""COCO data sets as tools export them, through the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leansort.core import manifest as manifests
from tests.conftest import Cli
from tests.support.coco_files import cvat, label_studio, own, roboflow, world


@pytest.mark.parametrize(
    ("make", "kind", "crops"),
    [
        (roboflow, "Roboflow's COCO export", {"train": 8, "val": 4, "test": 4}),
        (own, "COCO's own layout", {"train": 8, "val": 4}),
        (cvat, "CVAT's COCO export", 6),
        (label_studio, "Label Studio's COCO export", 8),
    ],
)
def test_an_export_is_imported_in_one_command(
    make: Callable[[Path], Path], kind: str, crops: Any, cli: Cli, tmp_path: Path
) -> None:
    root = make(tmp_path / "export")
    done = cli("data", "import", "coco", root, "--out", tmp_path / "m", "--json")
    assert done.returncode == 0, done.stderr
    [told] = [line for line in done.stderr.splitlines() if f"{root} is {kind}: " in line]
    splits = {split: sum(of.values()) for split, of in json.loads(done.stdout)["splits"].items()}
    assert splits == crops if isinstance(crops, dict) else sum(splits.values()) == crops
    assert all(f"({split}, photos" in told for split in (crops if isinstance(crops, dict) else ()))
    assert len(manifests.load(tmp_path / "m").rows) == sum(splits.values())


def test_splits_and_photos_file_by_file(cli: Cli, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.move(world(tmp_path / name, 4), tmp_path / f"{name}.json")
    files = [f"train={tmp_path / 'a.json'}", f"valid={tmp_path / 'b.json'}"]
    photos = ["--images", f"train={tmp_path / 'a'}", "--images", f"val={tmp_path / 'b'}"]
    done = cli("data", "import", "coco", *files, *photos, "--out", tmp_path / "m", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["splits"] == {split: {"glass": 2, "paper": 2} for split in ("train", "val")}
    where = {row.split: row.source.partition("/")[0] for row in manifests.load(tmp_path / "m").rows}
    assert where == {"train": "a", "val": "b"}
    assert f"reading coco train={tmp_path / 'a.json'}, val={tmp_path / 'b.json'}" in done.stderr


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (["{d}/export.zip"], "export.zip is a zip archive; unpack it (unzip export.zip -d FOLDER) and give FOLDER"),
        (["{d}"], "JSON files there: a/annotations.json; did you mean {d}/a?"),
        (["{d}/a", "--images", "{d}/x", "--images", "{d}/y"], "give one folder for all, or SPLIT=FOLDER for each"),
    ],
)
def test_what_cannot_be_meant_is_one_line(given: list[str], part: str, cli: Cli, tmp_path: Path) -> None:
    world(tmp_path / "a", 2)
    (tmp_path / "export.zip").write_bytes(b"PK\x03\x04 and so on")
    done = cli("data", "import", "coco", *(item.format(d=tmp_path) for item in given), "--out", tmp_path / "m")
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (done.returncode, len(errors), "Traceback" in done.stderr) == (2, 1, False), done.stderr
    assert part.format(d=tmp_path) in errors[0]
    assert not (tmp_path / "m").exists()


def test_a_recipe_for_class_folders_runs_on_an_export(cli: Cli, tmp_path: Path, tiny_recipe: Path) -> None:
    root = roboflow(tmp_path / "export")
    quick = ("train.epochs=1", "bench.starts=0", "bench.queries=2", "bench.seconds=0.01")
    done = cli("run", tiny_recipe, "--data", root, "--out", tmp_path / "run", *quick, "data.labels=[a,b]")
    assert done.returncode == 0, done.stderr
    assert (
        f"{root} is Roboflow's COCO export, read by the source coco in place of the recipe's folder; left out, as "
        "they are of folder alone: labels" in done.stderr
    )
    manifest = manifests.load(tmp_path / "run")
    assert [sum(manifest.counts(split)) for split in ("train", "val", "test")] == [8, 4, 4]
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["data"] == {"source": "coco", "path": str(root)}

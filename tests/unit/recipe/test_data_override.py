"""`--data` on a recipe: the source that suits what lies there, and what is left out of the recipe's section."""

from __future__ import annotations

from pathlib import Path

import pytest

from leansort.core.files.typed_result import JsonObject
from leansort.recipe.data_override import with_path
from tests.conftest import draw
from tests.support.coco_files import cvat, world

COMMON = ("source", "split", "keep_classes")


def test_an_export_is_read_by_the_source_of_coco_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = cvat(tmp_path / "task")
    section: JsonObject = {"source": "sample", "train": 9, "split": {"method": "class"}, "keep_classes": ["tin"]}
    made = with_path(section, root, COMMON)
    assert made == {
        "source": "coco", "path": str(root), "split": {"method": "class"}, "keep_classes": ["tin"],
    }  # fmt: skip
    told = capsys.readouterr().err
    assert f"{root} is CVAT's COCO export, read by the source coco in place of the recipe's sample" in told
    assert told.rstrip().endswith("left out, as they are of sample alone: train")


def test_other_folders_and_sources_stay_what_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw(tmp_path / "classes" / "glass" / "a.jpg", 0, 1)
    root, plain = cvat(tmp_path / "task"), tmp_path / "classes"
    for source, path in (("folder", plain), ("coco", root), ("a plugin's", root), ("folder", tmp_path / "none")):
        assert with_path({"source": source, "x": 1}, path, COMMON) == {"source": source, "x": 1, "path": str(path)}
    assert capsys.readouterr().err == ""


def test_annotations_beside_class_folders_do_not_make_them_coco_files(tmp_path: Path) -> None:
    world(tmp_path / "d", 2)
    assert with_path({"source": "folder"}, tmp_path / "d", COMMON)["source"] == "folder"
    assert with_path({"source": "sample"}, tmp_path / "d", COMMON)["source"] == "coco"

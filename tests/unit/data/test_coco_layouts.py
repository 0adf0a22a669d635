"""Folders as Roboflow, COCO, CVAT and Label Studio lay them out: recognized, with splits and photos, or refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from leansort.core.errors import UserError
from leansort.data.importing.manifest_builder import build_manifest
from leansort.data.sources import coco, folder
from tests.support.coco_files import cvat, label_studio, own, put, roboflow, tree, world


def counts(tmp_path: Path, path: Any, **more: Any) -> dict[str, int]:
    manifest, faults = build_manifest(coco.CocoSource(coco.CocoConfig(path=path, out=tmp_path / "out", **more)).items())
    assert not [kind for kind in faults.counts if "photo" in kind or "box" in kind]
    result = {split: sum(manifest.counts(split)) for split in ("train", "val", "test")}
    return {split: count for split, count in result.items() if count}


def line(path: Any, **more: Any) -> str:
    [told] = coco.CocoSource(coco.CocoConfig(path=path, **more)).recognized()
    return told


def test_roboflow(tmp_path: Path) -> None:
    root = roboflow(tmp_path / "trash.v1i.coco")
    assert line(root) == (
        f"{root} is Roboflow's COCO export: train/_annotations.coco.json (train, photos beside it); "
        "valid/_annotations.coco.json (val, photos beside it); test/_annotations.coco.json (test, photos beside it)"
    )
    assert counts(tmp_path, root) == {"train": 8, "val": 4, "test": 4}
    manifest, faults = build_manifest(coco.CocoSource(coco.CocoConfig(path=root, out=tmp_path / "again")).items())
    assert manifest.labels.names == ("glass", "paper")
    assert [places for kind, places in faults.examples.items() if "class without a crop" in kind] == [["trash"]]


def test_one_part_of_roboflow_and_parts_beside(tmp_path: Path) -> None:
    root = roboflow(tmp_path / "r")
    assert "(no split of its own, photos beside it)" in line(root / "train")
    assert counts(tmp_path / "one", {"valid": root / "train", "train": root / "valid"}) == {"train": 4, "val": 8}
    shutil.copytree(root / "test", root / "unlabelled-later")
    assert line(root).endswith("left aside: unlabelled-later/_annotations.coco.json")
    shutil.copytree(root / "valid", root / "val")
    with pytest.raises(UserError, match="has 'val', 'valid', which all mean val"):
        line(root)


@pytest.mark.parametrize("images", ["", "images/"])
def test_cocos_own(tmp_path: Path, images: str) -> None:
    root = own(tmp_path / "coco")
    for part in ("train2017", "val2017") if images else ():
        (root / "images").mkdir(exist_ok=True)
        (root / part).rename(root / "images" / part)
    assert line(root) == (
        f"{root} is COCO's own layout: annotations/instances_train2017.json (train, photos in {images}train2017/); "
        f"annotations/instances_val2017.json (val, photos in {images}val2017/); left aside: captions_train2017.json"
    )
    assert counts(tmp_path, root) == {"train": 8, "val": 4}
    shutil.copy(root / "annotations" / "instances_train2017.json", root / "annotations" / "instances_train2014.json")
    with pytest.raises(UserError, match=r"'instances_train2014.json', 'instances_train2017.json', which all mean"):
        line(root)


@pytest.mark.parametrize("inner", [False, True])
def test_cvat(tmp_path: Path, inner: bool) -> None:
    root = cvat(tmp_path / "task", inner=inner)
    where = "images/default/" if inner else "images/"
    assert line(root) == (
        f"{root} is CVAT's COCO export: annotations/instances_default.json (no split of its own, photos in {where})"
    )
    assert sum(counts(tmp_path, root).values()) == 6


@pytest.mark.parametrize("inner", [False, True])
def test_cvat_with_subsets(tmp_path: Path, inner: bool) -> None:
    root = cvat(tmp_path / "task", ("Train", "Validation"), inner)
    assert "instances_Train.json (train, photos in images/" in line(root)
    assert counts(tmp_path, root) == {"train": 6, "val": 6}
    more = cvat(tmp_path / "other", ("batch_1", "batch_2"), inner)
    assert line(more).count("no split of its own") == 2
    assert sum(counts(tmp_path / "more", more).values()) == 12


def test_label_studio(tmp_path: Path) -> None:
    root = label_studio(tmp_path / "project-1")
    assert line(root) == (f"{root} is Label Studio's COCO export: result.json (no split of its own, photos in images/)")
    assert sum(counts(tmp_path, root).values()) == 8


def test_several_folders_and_a_folder_of_ones_own_photos(tmp_path: Path) -> None:
    both = (cvat(tmp_path / "a"), label_studio(tmp_path / "b"))
    assert len(coco.CocoSource(coco.CocoConfig(path=both)).recognized()) == 2
    assert sum(counts(tmp_path, both).values()) == 14
    shutil.move(both[0] / "images", tmp_path / "photos")
    with pytest.raises(UserError, match=r"photos: .*a/images is no folder; give it with --images"):
        counts(tmp_path / "no", both[0])
    assert f"photos in {tmp_path / 'photos'}/" in line(both[0], images=tmp_path / "photos")
    assert sum(counts(tmp_path / "moved", both[0], images=tmp_path / "photos").values()) == 6
    with pytest.raises(UserError, match="is given twice"):
        line((both[1], both[1]))


def test_leansorts_own_folder(tmp_path: Path) -> None:
    world(tmp_path / "d")
    assert line(tmp_path / "d").endswith("is a COCO data set: annotations.json (no split of its own, photos beside it)")


def test_a_split_for_a_folder_that_has_its_own(tmp_path: Path) -> None:
    root = roboflow(tmp_path / "r")
    with pytest.raises(UserError, match=r"is given as train and has its own splits \(test, train, val\)"):
        line({"train": root})
    with pytest.raises(UserError, match=r"data.path: got 'trian', allowed: test, train, val; did you mean 'train'"):
        line({"trian": root})


def test_an_archive_is_named_with_what_to_do(tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "export"), "zip", label_studio(tmp_path / "x")))
    packed = packed.rename(tmp_path / "export.json")  # whatever it is called
    with pytest.raises(UserError, match=r"export.json is a zip archive; unpack it \(unzip export.json -d FOLDER\)"):
        coco.CocoSource(coco.CocoConfig(path=packed)).survey()
    with pytest.raises(UserError, match=r"data folder: .*export.json is a zip archive; unpack it"):
        folder.FolderSource(folder.FolderConfig(path=packed)).items()


def test_a_folder_of_no_known_layout(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"looked for train\|valid\|test/_annotations.coco.json .*there: none$"):
        coco.CocoSource(coco.CocoConfig(path=tmp_path)).survey()
    put(tmp_path / "labels" / "all.json", tree(["a.jpg"]))
    with pytest.raises(UserError, match=r"JSON files there: labels/all.json; give one of them with --images FOLDER$"):
        coco.CocoSource(coco.CocoConfig(path=tmp_path)).survey()
    for number in range(20):
        put(tmp_path / "labels" / f"{number:02}.json", {})
    cvat(tmp_path / "export")
    with pytest.raises(UserError, match=r"labels/06.json and 14 more; did you mean .*/export\?$") as caught:
        coco.CocoSource(coco.CocoConfig(path=tmp_path)).survey()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [roboflow, own, cvat, label_studio])
def test_class_folders_are_told_from_coco_files(tmp_path: Path, make: Any) -> None:
    with pytest.raises(UserError, match="not class folders; read it with the source coco"):
        folder.FolderSource(folder.FolderConfig(path=make(tmp_path / "x"))).items()

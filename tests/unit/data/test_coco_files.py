"""Several COCO files: each finds its own photos, and a photo is a file on disk, not a name."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import cv2
import pytest

from leansort.core.errors import UserError
from leansort.data.importing.items import Items
from leansort.data.importing.manifest_builder import build_manifest
from leansort.data.sources import coco
from tests.support.coco_files import BOX, label_studio, photos, put, tree, world


def cut(out: Path, path: Any, **more: Any) -> Items:
    return coco.CocoSource(coco.CocoConfig(path=path, out=out, **more)).items()


def whole(items: Items, base: Path, folders: tuple[str, str]) -> bool:
    """Whether every crop shows what its own photo shows, and glass lies in the first folder, paper in the second."""
    x, y, width, height = BOX
    for item in items.items:
        crop, photo = (cv2.imread(str(path)) for path in (item.image, base / item.source))
        assert crop is not None
        assert photo is not None
        cut_out = photo[y : y + height, x : x + width].astype(float)
        if item.source.split("/")[0] != folders[item.label == "paper"] or abs(cut_out - crop).mean() > 25:
            return False
    return True


def test_photos_of_one_name_in_two_folders_are_two_photos(tmp_path: Path) -> None:
    """Origin: 8 of 16 crops got the other data set's class."""
    paths = (world(tmp_path / "glass", kind=0), world(tmp_path / "paper", kind=1))
    result = cut(tmp_path / "out", paths)
    assert len(result.items) == 16
    assert whole(result, tmp_path, ("glass", "paper"))
    assert sorted({item.source for item in result.items})[0] == "glass/frame_0.jpg"
    assert len({item.group for item in result.items}) == len({item.image for item in result.items}) == 16


def test_the_same_names_in_two_splits_do_not_leak(tmp_path: Path) -> None:
    paths = {"train": world(tmp_path / "a"), "valid": world(tmp_path / "b", 4)}
    manifest, _ = build_manifest(cut(tmp_path / "out", paths))
    assert [sum(manifest.counts(split)) for split in ("train", "val", "test")] == [8, 4, 0]


def test_one_folder_of_photos_keeps_the_names_of_its_files(tmp_path: Path) -> None:
    """Names, and with them the splits by hash, stay what they were."""
    path = world(tmp_path / "d", 2)
    assert [item.group for item in cut(tmp_path / "out", path).items] == ["frame_0.jpg", "frame_1.jpg"]
    both = (path, put(tmp_path / "d" / "more.json", tree(["frame_1.jpg"], 0, first=7)))
    assert {item.group for item in cut(tmp_path / "o", both).items} == {"frame_0.jpg", "frame_1.jpg"}


@pytest.mark.parametrize("keys", ["splits", "files"])
def test_a_folder_of_photos_for_each_file(tmp_path: Path, keys: str) -> None:
    files = []
    for kind, name in enumerate(("one", "two")):
        made = world(tmp_path / "photos" / name, 4, kind=kind)
        files.append(Path(shutil.move(made, tmp_path / f"{name}.json")))
    where = [tmp_path / "photos" / name for name in ("one", "two")]
    path: Any = dict(zip(("train", "val"), files, strict=True)) if keys == "splits" else tuple(files)
    named = ["train", "validation"] if keys == "splits" else [str(file) for file in files]
    result = cut(tmp_path / "out", path, images=dict(zip(named, where, strict=True)))
    assert whole(result, tmp_path / "photos", ("one", "two"))
    with pytest.raises(UserError, match=r"'tran' is no split or annotation file of this import"):
        coco.CocoSource(coco.CocoConfig(path=path, images={"tran": where[0]})).survey()


def test_photos_that_are_not_there_leak_nothing(tmp_path: Path) -> None:
    """Two files of one folder, whose photos are elsewhere, may well mean different photos by one name."""
    names = ["frame_0.jpg", "frame_1.jpg"]
    path = {split: put(tmp_path / f"{split}.json", tree(names)) for split in ("train", "val")}
    surveyed = coco.CocoSource(coco.CocoConfig(path=path)).survey()
    assert (surveyed["photos"], surveyed["photos that are not there"], surveyed["classes"]) == (
        4, 4, {"glass": 2, "paper": 2},
    )  # fmt: skip
    with pytest.raises(UserError, match=r"4 of 4 cannot be used.*photo is missing; looked in .* \(--images\)$"):
        cut(tmp_path / "no", path)


def test_a_photo_of_two_files_is_one_group(tmp_path: Path) -> None:
    path = world(tmp_path / "d", 6)
    other = tree(["frame_0.jpg", "frame_1.jpg"], 1, first=1)
    for mark in other["annotations"]:
        mark["bbox"] = [30, 10, 50, 60]
    second = put(tmp_path / "elsewhere" / "b.json", other)
    result = cut(tmp_path / "out", (path, second), images=tmp_path / "d")
    groups = [item.group for item in result.items]
    assert (len(groups), len(set(groups)), groups.count("frame_0.jpg")) == (8, 6, 2)
    assert len({item.image for item in result.items}) == 8
    with pytest.raises(UserError) as caught:
        cut(tmp_path / "no", {"train": path, "val": second}, images=tmp_path / "d")
    assert "2 photos are in two splits, which leaks: first 'frame_0.jpg' is train in" in str(caught.value)
    assert f"val in {second}" in str(caught.value)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_linked_photo_is_the_photo_it_links_to(tmp_path: Path, link: Any) -> None:
    first, second = world(tmp_path / "a", 4), world(tmp_path / "b", 4)
    (tmp_path / "b" / "frame_2.jpg").unlink()
    link(tmp_path / "a" / "frame_0.jpg", tmp_path / "b" / "frame_2.jpg")
    with pytest.raises(UserError, match=r"1 photo is in two splits.*: 'a/frame_0.jpg' is train .* as 'b/frame_2.jpg'"):
        cut(tmp_path / "no", {"train": first, "val": second})
    result = cut(tmp_path / "out", (first, second))
    groups = [item.group for item in result.items]
    assert (len(groups), groups.count("a/frame_0.jpg"), groups.count("b/frame_2.jpg")) == (7, 1, 0)
    assert result.notes["same box twice"] == 1


def test_a_folder_reached_by_a_link_is_the_folder(tmp_path: Path) -> None:
    path = world(tmp_path / "a", 4)
    (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
    again = put(tmp_path / "again.json", tree(["frame_1.jpg"], 0, first=50))
    with pytest.raises(UserError, match="1 photo is in two splits"):
        cut(tmp_path / "no", {"train": path, "val": again}, images={"val": tmp_path / "b"})


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    path = world(tmp_path / "d", 4)
    (tmp_path / "d" / "other.json").symlink_to(path)
    for given in ((path, path), {"train": path, "val": path}, (path, tmp_path / "d" / "other.json")):
        with pytest.raises(UserError, match=r"is given twice.*give every file once"):
            coco.CocoSource(coco.CocoConfig(path=given)).survey()


def test_a_record_of_another_size_loses_its_boxes_by_name(tmp_path: Path) -> None:
    path = world(tmp_path / "d", 4)
    other = tree(["frame_0.jpg"], first=1)
    other["images"][0].update(width=192, height=144)
    other["annotations"][0]["bbox"] = [0, 0, 40, 40]
    result = cut(tmp_path / "out", (path, put(tmp_path / "d" / "b.json", other)))
    assert len(result.items) == 4
    assert result.notes["photo has another size in an earlier record"] == 1


@pytest.mark.parametrize("form", ["images/{}", "images\\{}", "./{}", "{root}/images/{}", "export/images/{}"])
def test_names_that_repeat_the_folder_of_the_photos(tmp_path: Path, form: str) -> None:
    root = label_studio(tmp_path / "export", form.replace("{root}", str(tmp_path / "export")))
    result = cut(tmp_path / "out", root / "result.json", images=root / "images")
    assert len(result.items) == 8
    assert {item.group for item in result.items} == {path.name for path in (root / "images").iterdir()}


@pytest.mark.parametrize(
    "form", ["../../data/upload/1/{}", "C:\\Users\\me\\{}", "\\\\nas\\share\\{}", "/data/upload/{}", "images/../../{}"]
)
def test_names_that_leave_the_folder_are_refused_with_a_way_out(tmp_path: Path, form: str) -> None:
    root = label_studio(tmp_path / "export", form)
    with pytest.raises(UserError, match=r"leaves the folder of the photos; refused; --bare-names takes the last part"):
        cut(tmp_path / "no", root)
    assert len(cut(tmp_path / "out", root, bare_names=True).items) == 8


def test_bare_names_that_two_photos_share_are_refused(tmp_path: Path) -> None:
    photos(tmp_path, ["x.jpg"])
    path = put(tmp_path / "a.json", tree(["one/x.jpg", "two/x.jpg"]))
    with pytest.raises(UserError, match=r"'one/x.jpg' and 'two/x.jpg' are two photos of one bare name"):
        cut(tmp_path / "out", path, bare_names=True)


def test_a_file_without_annotations_is_named(tmp_path: Path) -> None:
    path = world(tmp_path / "d", 8)
    empty = tree([])
    second = put(tmp_path / "d" / "val.json", empty)
    surveyed = coco.CocoSource(coco.CocoConfig(path={"train": path, "val": second})).survey()
    assert surveyed["annotation files without annotations"] == [str(second)]
    assert cut(tmp_path / "out", {"train": path, "val": second}).notes["annotation files without annotations"]


@pytest.mark.parametrize("part", ["images", "annotations", "categories"])
def test_a_file_that_lacks_a_part_says_which(tmp_path: Path, part: str) -> None:
    made = tree(["a.jpg"])
    del made[part]
    with pytest.raises(UserError, match=f"is not COCO .the file lacks {part}"):
        coco.CocoSource(coco.CocoConfig(path=put(tmp_path / "a.json", made))).survey()


def brush(path: Path) -> Path:
    """CVAT's brush: a mask of one object, marked as a crowd, with run lengths as list or as text."""
    made = json.loads(path.read_text())
    runs = [72 * 8 + 6, *([50, 22] * 60)]
    runs[-1] = 72 * 96 - sum(runs[:-1])
    made["annotations"][0].update(iscrowd=1, segmentation={"size": [72, 96], "counts": runs})
    made["annotations"][1].update(iscrowd=1, bbox=None, segmentation={"size": [72, 96], "counts": runs})
    return put(path, made)


def test_crowds_are_single_objects_where_the_user_says_so(tmp_path: Path) -> None:
    path = brush(world(tmp_path / "d", 6))
    left = cut(tmp_path / "out", path)
    assert len(left.items) == 4
    assert left.notes["crowd, not one object (--crowds takes it as one)"] == 2
    taken = cut(tmp_path / "all", path, crowds=True)
    assert [item.box for item in taken.items] == [tuple(map(float, BOX))] * 6
    assert not any("crowd" in note for note in taken.notes)


def test_a_grouping_category_of_a_classs_name_is_no_second_class(tmp_path: Path) -> None:
    """Roboflow's category 0 has the project's name, which may be a class's too; it has no boxes."""
    path = world(tmp_path / "d", 8)
    made = json.loads(path.read_text())
    made["categories"].insert(0, {"id": 0, "name": "glass", "supercategory": "none"})
    surveyed = coco.CocoSource(coco.CocoConfig(path=put(path, made))).survey()
    assert surveyed["classes"] == {"glass": 4, "paper": 4}
    assert surveyed["categories of one name, taken as one"] == {"glass": "id 0, id 1"}


def test_photos_in_another_unicode_form_than_the_annotations(tmp_path: Path) -> None:
    """Origin: macOS stores é as two characters, most tools write one."""
    folder = tmp_path / "fotos"
    photos(folder, [unicodedata.normalize("NFD", "caf\u00e9/m\u00fcll.jpg"), "b.jpg"])
    path = put(folder / "a.json", tree(["caf\u00e9/m\u00fcll.jpg", "b.jpg"]))
    result = cut(tmp_path / "out", path)
    assert len(result.items) == 2
    again = put(folder / "b.json", tree(["fotos/" + unicodedata.normalize("NFD", "caf\u00e9/m\u00fcll.jpg")]))
    with pytest.raises(UserError, match="1 photo is in two splits"):
        cut(tmp_path / "no", {"train": path, "val": again})


def twins(folder: Path) -> Path:
    path = world(folder, 8)
    made = json.loads(path.read_text())
    made["categories"].append({"id": 9, "name": "glass"})
    for mark in made["annotations"][::4]:
        mark["category_id"] = 9
    return put(path, made)


def test_categories_of_one_name_are_merged_by_a_map_alone(tmp_path: Path) -> None:
    path = twins(tmp_path / "d")
    with pytest.raises(UserError, match=r"ids 1, 9 are all called 'glass'; .* a category map \(--map\)"):
        coco.CocoSource(coco.CocoConfig(path=path)).survey()
    mapping = tmp_path / "map.yaml"
    mapping.write_text("labels: [bottle, paper]\nmap: {bottle: [glass], paper: [paper]}\n")
    surveyed = coco.CocoSource(coco.CocoConfig(path=path, map=mapping)).survey()
    assert sum(surveyed["classes"].values()) == 8
    assert surveyed["categories of one name, taken as one"] == {"glass": "id 1, id 9"}
    mapping.write_text("labels: [bottle, paper]\nmap: {bottle: [glas], paper: [paper]}\n")
    with pytest.raises(UserError, match="'glass' is neither mapped nor dropped; did you mean 'glas'"):
        coco.CocoSource(coco.CocoConfig(path=path, map=mapping)).survey()

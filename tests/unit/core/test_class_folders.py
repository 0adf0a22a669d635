"""Which folders mean classes, which mean splits, and which layouts are refused with what to do instead."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from leansort.core.errors import UserError
from leansort.core.folders.class_folders import BESIDE, ClassFolders, find_class_folders

JPEG = b"\xff\xd8\xff\xe0" + bytes(40)


def made(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(JPEG)
    return root


def told(result: ClassFolders) -> dict[str, tuple[str, str | None]]:
    return {
        picture.file.relative_to(result.root).as_posix(): (picture.label, picture.split) for picture in result.images
    }


def refused(root: Path, part: str, named: tuple[str, ...] = ()) -> None:
    with pytest.raises(UserError, match=re.escape(part)) as caught:
        find_class_folders(root, named)
    assert "\n" not in str(caught.value)


def test_the_two_plain_layouts(tmp_path: Path) -> None:
    result = find_class_folders(made(tmp_path / "a", "glass/1.jpg", "paper/day1/2.jpg"))
    assert told(result) == {"glass/1.jpg": ("glass", None), "paper/day1/2.jpg": ("paper", None)}
    result = find_class_folders(made(tmp_path / "b", "train/glass/1.jpg", "train/paper/2.jpg", "test/glass/3.jpg"))
    assert told(result) == {
        "train/glass/1.jpg": ("glass", "train"), "train/paper/2.jpg": ("paper", "train"),
        "test/glass/3.jpg": ("glass", "test"),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "VAL", "valid "])
@pytest.mark.parametrize("layout", ["{split}/{label}/{n}.jpg", "{label}/{split}/{n}.jpg", "x/{split}/{label}/{n}.jpg"])
def test_every_name_of_a_split_is_known_in_every_layout(tmp_path: Path, name: str, layout: str) -> None:
    wanted = {"Training": "train", name: "val", "testing": "test"}
    files = [layout.format(split=s, label=c, n=n) for n, s in enumerate(wanted) for c in ("glass", "paper")]
    result = find_class_folders(made(tmp_path, *files))
    assert result.classes == ("glass", "paper")
    for file, (label, split) in told(result).items():
        assert label in file
        assert split == next(meant for written, meant in wanted.items() if f"{written}/" in file)


def test_train_in_train_and_folders_that_everything_lies_in(tmp_path: Path) -> None:
    double = find_class_folders(made(tmp_path / "a", "train/train/glass/1.jpg", "train/train/paper/2.jpg"))
    assert set(told(double).values()) == {("glass", "train"), ("paper", "train")}
    wrapped = find_class_folders(
        made(tmp_path / "b", "x/y/glass/1.jpg", "x/y/paper/2.jpg", "x/readme.jpg", "docs/a.txt")
    )
    assert wrapped.wrapper == ""  # a picture lies beside the inner one: it means a class
    whole = find_class_folders(made(tmp_path / "c", "x/y/glass/1.jpg", "x/y/paper/2.jpg"))
    assert (whole.wrapper, whole.classes) == ("x/y", ("glass", "paper"))
    files = [f"{split}/images/{name}/1.jpg" for split in ("train", "val") for name in ("glass", "paper")]
    inside = find_class_folders(made(tmp_path / "d", *files))
    assert set(told(inside).values()) == {(n, s) for n in ("glass", "paper") for s in ("train", "val")}


def test_one_class_alone_is_no_folder_that_everything_lies_in(tmp_path: Path) -> None:
    assert find_class_folders(made(tmp_path, "glass/day1/1.jpg")).classes == ("glass",)
    assert told(find_class_folders(made(tmp_path / "b", "glass/train/1.jpg", "glass/test/2.jpg"))) == {
        "glass/train/1.jpg": ("glass", "train"), "glass/test/2.jpg": ("glass", "test"),
    }  # fmt: skip
    deep = made(tmp_path / "c", "glass/bottles/1.jpg", "glass/jars/2.jpg")
    assert find_class_folders(deep, ["glass", "paper"]).classes == ("glass",)


@pytest.mark.parametrize(
    ("files", "part"),
    [
        (["train/test/glass/1.jpg", "train/test/paper/1.jpg"], "holds the split folder 'test' itself"),
        (["train/train/glass/1.jpg", "train/paper/2.jpg"], "holds the split folder 'train' itself"),
        (["train/glass/test/1.jpg", "train/paper/2.jpg"], "may mean the split test or be a part of the class 'glass'"),
        (["glass/train/1.jpg", "glass/2.jpg", "paper/train/3.jpg"], "give all of them one, or none"),
        (["glass/train/1.jpg", "paper/3.jpg"], "give all of them one, or none"),
        (["glass/day1/test/1.jpg", "paper/3.jpg"], "may mean the split test"),
        (["glass/train/test/1.jpg", "paper/train/3.jpg"], "may mean the split test"),
        (["val/glass/1.jpg", "valid/glass/2.jpg"], "'val', 'valid', which all mean val; keep one"),
        (["glass/1.jpg", "paper/1.jpg", "test/glass/2.jpg"], "has the class folder 'glass' beside the split folder"),
        (["original/glass/1.jpg", "original/paper/2.jpg", "resized/glass/1.png", "resized/paper/2.png"], "give one of"),
        (["dataset-256/glass/a.jpg", "dataset-256/paper/a.jpg", "x/glass/b.jpg", "x/paper/b.jpg"], "give one of"),
        ([f"{copy}/{name}/{n}.jpg" for copy in "ab" for name in ("glass", "paper") for n in range(9)], "give one of"),
        (["raw/train/glass/1.jpg", "raw/test/paper/2.jpg", "b/train/glass/1.jpg", "b/test/paper/2.jpg"], "give one of"),
        (["glass/1.jpg", "paper/2.jpg", "small/glass/1.jpg", "small/paper/2.jpg"], "as a copy of the data set does"),
        (["1.jpg", "2.jpg"], "2 not in a class folder: 1.jpg, 2.jpg"),
        (["train/1.jpg", "test/2.jpg"], "2 not in a class folder: test/2.jpg, train/1.jpg"),
        ([".git/glass/1.jpg"], "passed over 1 file: 1 hidden"),
    ],
)  # fmt: skip
def test_layouts_that_may_mean_two_things_are_refused(tmp_path: Path, files: list[str], part: str) -> None:
    refused(made(tmp_path, *files), part)


def test_classes_that_are_named_are_no_copies_and_no_splits(tmp_path: Path) -> None:
    files = [f"{copy}/{name}/1.jpg" for copy in ("original", "resized") for name in ("a", "b")]
    assert find_class_folders(made(tmp_path / "a", *files), ["original", "resized"]).classes == ("original", "resized")
    toys = made(tmp_path / "b", "train/1.jpg", "ship/2.jpg")
    assert find_class_folders(toys, ["train", "ship"]).classes == ("ship", "train")


def test_days_within_classes_are_no_copies(tmp_path: Path) -> None:
    files = [f"{name}/{day}/{name}_{n}.jpg" for name in ("glass", "paper") for day in ("day1", "day2") for n in (1, 2)]
    assert find_class_folders(made(tmp_path, *files)).classes == ("glass", "paper")


def test_what_lies_beside_is_counted_file_by_file(tmp_path: Path) -> None:
    root = made(tmp_path, "train/glass/1.jpg", "train/paper/2.jpg", "extra/3.jpg", "extra/deep/4.jpg", "5.jpg")
    made(root, "train/6.jpg")
    result = find_class_folders(root)
    names = {item.name for item in result.passed_over if item.kind == BESIDE}
    assert names == {"extra/3.jpg", "extra/deep/4.jpg", "5.jpg", "train/6.jpg"}


def test_class_folders_without_pictures_are_named(tmp_path: Path) -> None:
    root = made(tmp_path, "train/glass/1.jpg", "train/paper/2.jpg", "val/glass/3.jpg")
    for name in ("train/metal", "val/paper", "test/glass"):
        (root / name).mkdir(parents=True)
    result = find_class_folders(root)
    assert result.classes == ("glass", "metal", "paper")
    assert set(result.empty) == {"train/metal", "val/paper", "test/glass"}


def test_an_empty_split_folder_is_no_class(tmp_path: Path) -> None:
    root = made(tmp_path, "glass/1.jpg", "paper/2.jpg")
    (root / "test").mkdir()
    assert find_class_folders(root).classes == ("glass", "paper")


def test_linked_splits_and_classes_count_once(tmp_path: Path) -> None:
    store = made(tmp_path / "store", "glass/1.jpg", "paper/2.jpg", "new/3.jpg")
    root = tmp_path / "root"
    (root / "test").mkdir(parents=True)
    (root / "train").symlink_to(store)
    (root / "val").symlink_to(store)
    (root / "test" / "glass").symlink_to(store / "glass")
    result = find_class_folders(root)
    assert {picture.split for picture in result.images} <= {"train", "test"}
    assert len({picture.file.resolve() for picture in result.images}) == len(result.images) == 3
    assert {item.name for item in result.passed_over} == {"val", "train/glass"}


def test_the_name_of_a_class_must_be_text(tmp_path: Path) -> None:
    refused(made(tmp_path, f"{os.fsdecode(b'gl' + bytes([255]))}/1.jpg", "paper/2.jpg"), "is not UTF-8; rename it")

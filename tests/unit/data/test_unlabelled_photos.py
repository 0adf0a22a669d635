"""Photos without labels: which are taken, which are left out by name, and that none shows what val or test shows."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from leansort.core.errors import UserError
from leansort.core.folders.class_folders import find_class_folders
from leansort.core.manifest import Manifest
from leansort.data.importing.manifest_builder import build_manifest
from leansort.data.importing.unlabelled_photos import find_unlabelled_photos
from leansort.data.quality.look_alikes import Thumbnail, find_look_alikes
from leansort.data.quality.near_duplicates import thumbnail
from leansort.data.sources.folder import FolderConfig, FolderSource
from tests.conftest import draw


def scene(path: Path, seed: int) -> None:
    """A photo of large soft shapes, as photos of things are; stripes change with every resize."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Two classes of three train, two val and one test photo each."""
    root = tmp_path_factory.mktemp("labelled")
    for split, count in (("train", 3), ("val", 2), ("test", 1)):
        for kind, name in enumerate(("glass", "paper")):
            for at in range(count):
                scene(root / split / name / f"{split}{at}.jpg", seed=100 * kind + at + 10 * ord(split[1]))
    return build_manifest(FolderSource(FolderConfig(path=root)).items(), seed=0)[0]


def photo(labelled: Manifest, split: str) -> Path:
    return labelled.path(labelled.split(split)[0])


def test_what_is_taken_and_what_is_left_out_add_up(labelled: Manifest, tmp_path: Path) -> None:
    for at in range(4):
        draw(tmp_path / "glass" / "deep" / f"{at}.jpg", at % 3, seed=900 + at)
    draw(tmp_path / "loose.png", 2, seed=950)
    shutil.copy(tmp_path / "loose.png", tmp_path / "loose_again.png")
    shutil.copy(photo(labelled, "train"), tmp_path / "train.jpg")
    shutil.copy(photo(labelled, "val"), tmp_path / "val.jpg")
    shutil.copy(photo(labelled, "test"), tmp_path / "test.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "val.jpg").read_bytes()[:900])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no photo")
    found = find_unlabelled_photos(tmp_path, labelled)
    assert [name for name, _ in found.photos] == [*(f"glass/deep/{at}.jpg" for at in range(4)), "loose.png"]
    assert found.class_folders == {"glass": 4}
    assert dict(found.left_out.counts) == {
        "no picture, ignored": 1,
        "cannot be read, left out": 2,
        "is there before, left out": 1,
        "is a train photo, left out": 1,
        "shows what a test photo shows, left out": 1,
        "shows what a val photo shows, left out": 1,
    }
    assert found.left_out.examples["shows what a val photo shows, left out"] == ["val.jpg"]
    assert len(found.photos) + found.left_out.counts.total() == len(list(tmp_path.rglob("*.*")))


def test_a_val_photo_saved_anew_smaller_is_found(labelled: Manifest, tmp_path: Path) -> None:
    draw(tmp_path / "other.jpg", 0, seed=970)
    pixels = cv2.imread(str(photo(labelled, "val")))
    assert pixels is not None
    cv2.imwrite(str(tmp_path / "again.jpg"), cv2.resize(pixels, (100, 75)), [cv2.IMWRITE_JPEG_QUALITY, 70])
    shutil.copy(tmp_path / "again.jpg", tmp_path / "and_again.jpg")
    found = find_unlabelled_photos(tmp_path, labelled)
    assert [name for name, _ in found.photos] == ["other.jpg"]
    assert found.left_out.counts["shows what a val photo shows, left out"] >= 1


def test_a_photo_that_a_val_crop_was_cut_from_is_left_out_by_its_name(labelled: Manifest, tmp_path: Path) -> None:
    rows = tuple(
        replace(row, source="batch_1/007.jpg", box=(1.0, 1.0, 20.0, 20.0)) if row.split == "val" else row
        for row in labelled.rows
    )
    for place in ("batch_1", "batch_2"):
        draw(tmp_path / place / "007.jpg", 2, seed=len(place) + (place == "batch_2"))
    found = find_unlabelled_photos(tmp_path, replace(labelled, rows=rows))
    assert [name for name, _ in found.photos] == ["batch_2/007.jpg"]
    assert found.left_out.examples["has the name of a photo that a val crop was cut from, left out"] == [
        "batch_1/007.jpg"
    ]


def test_a_folder_that_gives_nothing_is_one_line(labelled: Manifest, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"distill\.unlabelled: .*nowhere is not there"):
        find_unlabelled_photos(tmp_path / "nowhere", labelled)
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(UserError, match=r"is not a folder"):
        find_unlabelled_photos(tmp_path / "readme.txt", labelled)
    with pytest.raises(UserError, match=r"holds no photos \(JPEG, .*passed over 1 file"):
        find_unlabelled_photos(tmp_path, labelled)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.jpg", b"")
    with pytest.raises(UserError, match=r"is a zip archive; unpack it"):
        find_unlabelled_photos(tmp_path / "photos.zip", labelled)
    with pytest.raises(UserError, match=r"of the 12 photos of .* none is left: .*4 shows what a val photo shows"):
        find_unlabelled_photos(labelled.root, labelled)


def test_photos_without_labels_in_the_place_of_data_are_told_where_they_belong(tmp_path: Path) -> None:
    draw(tmp_path / "photos" / "a.jpg", 0, seed=1)
    with pytest.raises(UserError, match=r"in class folders.*distill\.unlabelled=FOLDER"):
        find_class_folders(tmp_path / "photos")
    with pytest.raises(UserError, match=r"need at least two.*distill\.unlabelled=FOLDER"):
        FolderSource(FolderConfig(path=tmp_path)).items()


def test_look_alikes_are_found_among_photos_of_equal_hashes(tmp_path: Path) -> None:
    """The same photo many times, and known ones it is not: each of them is compared by itself."""
    thumbs = []
    for at, kind in enumerate((0, 0, 1, 2)):
        draw(tmp_path / f"{at}.png", kind, seed=0 if at < 2 else at)
        pixels = cv2.imread(str(tmp_path / f"{at}.png"))
        assert pixels is not None
        thumbs.append(Thumbnail(tmp_path / f"{at}.png", thumbnail(pixels.astype(np.uint8))))
    assert find_look_alikes(thumbs[:2], thumbs[:1]) == {0: 0, 1: 0}
    assert find_look_alikes(thumbs[2:], thumbs[:2]) == {}
    assert find_look_alikes(thumbs, []) == find_look_alikes([], thumbs) == {}

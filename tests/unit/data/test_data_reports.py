"""Data sets that people have reported elsewhere as read wrongly, or refused without a word on why."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from leansort.core import pixels
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.data.coco.cut import EITHER, UNTURNED
from leansort.data.coco.plan import QUOTED
from leansort.data.importing.items import Items
from leansort.data.sources import coco, folder, table
from leansort.measure.accuracy import ground_truth
from tests.conftest import draw
from tests.support.coco_files import BOX, put, world

Box = tuple[float, float, float, float]


def changed(root: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    path = world(root)
    made = json.loads(path.read_text())
    change(made)
    return put(path, made)


def boxes(form: Callable[[Box, int], Any]) -> Callable[[dict[str, Any]], None]:
    def change(made: dict[str, Any]) -> None:
        for number, mark in enumerate(made["annotations"]):
            mark["bbox"] = form(mark["bbox"], number)

    return change


def cut(path: Path, **more: Any) -> Items:
    return coco.CocoSource(coco.CocoConfig(path=path, out=path.parent / "out", **more)).items()


@pytest.mark.parametrize(
    ("form", "part"),
    [
        (lambda b, k: [b[0] / 96, b[1] / 72, b[2] / 96, b[3] / 72], "seem to be fractions of the photo's sides"),
        (lambda b, k: [(b[0] + b[2] / 2) / 96, 0.5, b[2] / 96, 1.0], "seem to be fractions of the photo's sides"),
        (lambda b, k: [30 + k, 20 + k, 80 + k, 60], "seem to be x1, y1, x2, y2"),
        (lambda b, k: [5, 5, 40, 30] if k % 2 else [40, 40, 90, 70], "leave their photos, first: annotation 1 "),
    ],
)
@pytest.mark.parametrize("read", [coco.CocoSource.survey, coco.CocoSource.items])
def test_boxes_of_another_form_are_refused_with_what_they_seem(
    form: Callable[[Box, int], Any], part: str, read: Callable[[coco.CocoSource], Any], tmp_path: Path
) -> None:
    path = changed(tmp_path, boxes(form))
    with pytest.raises(UserError, match=part) as error:
        read(coco.CocoSource(coco.CocoConfig(path=path, out=tmp_path / "out")))
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "form",
    [
        lambda b, k: [0.5, 0.5, 0.4, 0.4] if k else b,  # small boxes beside one of pixels
        lambda b, k: [5, 5, 40, 30],  # both forms fit
        lambda b, k: [0, 0, 97, 73],  # whole photos, and rounding
        lambda b, k: [40, 30, 60, 50] if k < 3 else b,  # a few leave the photo
        lambda b, k: [60, 50, 50, 40],  # all leave it, and are no corners
    ],
)
def test_boxes_in_pixels_are_left_alone(form: Callable[[Box, int], Any], tmp_path: Path) -> None:
    assert coco.CocoSource(coco.CocoConfig(path=changed(tmp_path, boxes(form)))).survey()["annotations"] == 8


@pytest.mark.parametrize("name", ["a b {}.jpg", "größe {}.jpg", "deep/a&b {}.jpg"])
def test_names_written_as_in_a_url_mean_their_photos_and_are_counted(name: str, tmp_path: Path) -> None:
    def change(made: dict[str, Any]) -> None:
        for number, image in enumerate(made["images"]):
            there = tmp_path / name.format(number)
            there.parent.mkdir(exist_ok=True)
            (tmp_path / image["file_name"]).rename(there)
            image["file_name"] = quote(name.format(number))

    result = cut(changed(tmp_path, change))
    assert (len(result.items), result.notes[QUOTED]) == (8, 8)
    assert {item.source for item in result.items} == {name.format(k) for k in range(8)}


def test_a_photo_that_has_a_percent_sign_in_its_name_is_itself(tmp_path: Path) -> None:
    def change(made: dict[str, Any]) -> None:
        for image in made["images"]:
            there = tmp_path / image["file_name"].replace("_", "%20")
            (tmp_path / image["file_name"]).rename(there)
            draw(tmp_path / there.name.replace("%20", " "), 0, 1)
            image["file_name"] = there.name

    result = cut(changed(tmp_path, change))
    assert {item.source for item in result.items} == {f"frame%20{k}.jpg" for k in range(8)}
    assert QUOTED not in result.notes


@pytest.mark.parametrize("name", ["%2e%2e/frame_0.jpg", "..%2Fframe_0.jpg", "%2Fframe_0.jpg", "a%00b.jpg"])
def test_a_quoted_name_does_not_leave_the_folder(name: str, tmp_path: Path) -> None:
    path = world(tmp_path / "in")
    made = json.loads(path.read_text())
    draw(tmp_path / "frame_0.jpg", 0, 1)
    made["images"][0]["file_name"] = name
    result = cut(put(path, made), tolerate=0.2)
    assert len(result.items) == 7


def test_photos_under_a_folder_that_is_not_there_are_told_of_bare_names(tmp_path: Path) -> None:
    def change(made: dict[str, Any]) -> None:
        for image in made["images"]:
            image["file_name"] = f"images/1/{image['file_name']}"

    path = changed(tmp_path, change)
    with pytest.raises(UserError, match=r"frame_0\.jpg is there: --bare-names takes"):
        cut(path)
    assert len(cut(path, bare_names=True).items) == 8


def turned(turn: int, size: tuple[int, int] | None, square: bool = False) -> Callable[[dict[str, Any], Path], None]:
    def change(made: dict[str, Any], root: Path) -> None:
        for image in made["images"]:
            path = root / image["file_name"]
            picture = Pillow.open(path).resize((80, 80) if square else (96, 72))
            exif = picture.getexif()
            exif[0x0112] = turn
            picture.save(path, exif=exif)
            image["width"], image["height"] = size or (None, None)

    return change


@pytest.mark.parametrize(
    ("turn", "size", "square", "kind"),
    [
        (6, (96, 72), False, UNTURNED), (6, (72, 96), False, ""), (1, (96, 72), False, ""),
        (3, (96, 72), False, EITHER), (6, (80, 80), True, EITHER), (8, None, False, EITHER), (2, None, False, EITHER),
    ],
)  # fmt: skip
def test_a_turn_that_the_size_does_not_settle_is_named(
    turn: int, size: tuple[int, int] | None, square: bool, kind: str, tmp_path: Path
) -> None:
    result = cut(changed(tmp_path, lambda made: turned(turn, size, square)(made, tmp_path)))
    assert result.faults is not None
    assert result.faults.counts == ({kind: 8} if kind else {})
    crops = [cv2.imread(str(item.image)) for item in result.items]
    assert all(crop is not None and crop.shape == (BOX[3], BOX[2], 3) for crop in crops)


@pytest.mark.parametrize("ids", [(0, 1), (0, 7)])
@pytest.mark.parametrize("supercategory", ["none", "glass", ""])
def test_category_0_with_boxes_is_a_class(ids: tuple[int, int], supercategory: str, tmp_path: Path) -> None:
    def change(made: dict[str, Any]) -> None:
        for number, item in enumerate(made["categories"]):
            item |= {"id": ids[number], "supercategory": supercategory if number else "none"}
        for mark in made["annotations"]:
            mark["category_id"] = ids[mark["category_id"] - 1]

    surveyed = coco.CocoSource(coco.CocoConfig(path=changed(tmp_path, change))).survey()
    assert surveyed["classes"] == {"glass": 4, "paper": 4}


@pytest.mark.parametrize("box", [[8, 6, 60, 0], [8, 6, 0, 30], [8, 6, -3, 30]])
def test_a_box_of_no_area_is_counted_and_named(box: list[float], tmp_path: Path) -> None:
    result = cut(changed(tmp_path, boxes(lambda b, k: box if k == 2 else b)))
    assert len(result.items) == 7
    assert result.faults is not None
    assert result.faults.examples == {"box of no area": ["annotation 3 in frame_2.jpg"]}


@pytest.mark.parametrize(
    ("head", "part"),
    [
        ("val_0.JPEG\tn01\t0\t32", "for each of the 4 columns; put such a row above where there is none"),
        ("val_0.JPEG 65", "put a comma or tab between the values, and a row above them"),
        ("val_0.JPEG,65", "the first row must name the columns, e.g. image,label; put such a row above"),
    ],
)
def test_a_list_of_labels_without_a_header_says_what_to_do(head: str, part: str, tmp_path: Path) -> None:
    path = tmp_path / "val_annotations.txt"
    path.write_text(f"{head}\n")
    with pytest.raises(UserError, match=part):
        table.TableSource(table.TableConfig(path=path)).items()
    with pytest.raises(UserError, match=r"give a \.csv or \.tsv whose first row is image,label"):
        ground_truth.read_ground_truth(path)


def test_the_advice_on_a_list_without_a_header_works(tmp_path: Path) -> None:
    path = tmp_path / "val_annotations.txt"
    rows = [f"val_{k}.JPEG\tn0{k % 2}\t0\t32" for k in range(4)]
    path.write_text("\n".join(["image\tlabel\t\t", *rows]))
    assert table.TableSource(table.TableConfig(path=path)).items().labels.names == ("n00", "n01")


@pytest.mark.parametrize("inner", ["", "images"])
def test_a_folder_of_photos_beside_their_list_names_the_source_for_lists(inner: str, tmp_path: Path) -> None:
    draw(tmp_path / inner / "val_0.jpg", 0, 1)
    (tmp_path / "val_annotations.txt").write_text("val_0.jpg\tn01\n")
    with pytest.raises(UserError, match="read by: leansort data import table LIST --images FOLDER"):
        folder.FolderSource(folder.FolderConfig(path=tmp_path)).items()


def test_numeric_class_folders_keep_their_names_whatever_their_order(tmp_path: Path) -> None:
    for kind, name in enumerate(("1", "2", "10", "100")):
        draw(tmp_path / name / f"{name}.jpg", kind % 3, kind)
    result = folder.FolderSource(folder.FolderConfig(path=tmp_path)).items()
    assert {item.image.stem: item.label for item in result.items} == {n: n for n in ("1", "2", "10", "100")}
    read = ground_truth.read_ground_truth(tmp_path, labels=LabelSet.of(["1", "2", "10", "100"]))
    assert {name: read.labels.names[at] for name, at in read.index.items()} == {
        f"{n}.jpg": n for n in ("1", "2", "10", "100")
    }


@pytest.mark.parametrize("missing", ["1", "2", "10"])
@pytest.mark.parametrize("empty", [True, False])
def test_class_folders_that_lack_a_class_are_counted_by_the_models_order(
    missing: str, empty: bool, tmp_path: Path
) -> None:
    names = ("1", "10", "2")
    for kind, name in enumerate(names):
        if name != missing:
            draw(tmp_path / name / f"{name}.jpg", kind, kind)
    if empty:
        (tmp_path / missing).mkdir()
    read = ground_truth.read_ground_truth(tmp_path, labels=LabelSet.of(list(names)))
    assert read.labels.names == names
    assert read.index == {f"{name}.jpg": names.index(name) for name in names if name != missing}


def encoded(picture: Pillow.Image, form: str, **how: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **how)
    return stream.getvalue()


def gradient() -> Pillow.Image:
    y, x = np.mgrid[0:48, 0:64]
    return Pillow.fromarray(np.stack([x * 4, y * 5, x + y], 2).astype(np.uint8))


def ycck() -> bytes:
    """The same numbers as CMYK's, marked by Adobe as YCCK."""
    data = bytearray(encoded(gradient().convert("CMYK"), "JPEG", quality=95))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


PICTURES = {
    "CMYK": encoded(gradient().convert("CMYK"), "JPEG", quality=95),
    "YCCK": ycck(),
    "palette": encoded(gradient().quantize(32), "PNG", transparency=3),
    "RGBA": encoded(Pillow.merge("RGBA", (*gradient().split(), gradient().split()[0])), "PNG"),
    "1 bit": encoded(gradient().convert("1"), "TIFF"),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_both_backends_show_unusual_colours_as_pillow_does(kind: str) -> None:
    shown = np.asarray(Pillow.open(io.BytesIO(PICTURES[kind])).convert("RGB"))[..., ::-1].astype(int)
    for backend in pixels.BACKENDS:
        decoded = pixels.load(backend).decode(PICTURES[kind], 1).astype(int)
        assert np.abs(decoded - shown).max() <= 1


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_grey_of_16_bits_keeps_its_range(form: str) -> None:
    grey = np.linspace(0, 65535, 48 * 64).reshape(48, 64).astype(np.uint16)
    data = encoded(Pillow.fromarray(grey), form)
    for backend in pixels.BACKENDS:
        assert np.array_equal(pixels.load(backend).decode(data, 1), np.repeat((grey >> 8)[..., None], 3, 2))

"""COCO files as programs write them: marks, UTF-16, a part that is there twice."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from leansort.core.errors import UserError
from leansort.data.coco import records

TREE: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "müll.jpg", "width": 8, "height": 8}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4]}],
    "categories": [{"id": 1, "name": 'the word "annotations"'}],
}
TEXT = json.dumps(TREE, ensure_ascii=False, indent=1)


def written(folder: Path, data: bytes) -> Path:
    (folder / "a.json").write_bytes(data)
    return folder / "a.json"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("8\n", "NaN\n").encode("utf-16"),
    ],
)
def test_every_utf_is_read_alike(data: bytes, tmp_path: Path) -> None:
    coco = records.read_coco(written(tmp_path, data))
    assert [image.file_name for image in coco.images] == ["müll.jpg"]
    assert [len(part) for part in (coco.annotations, coco.categories)] == [1, 1]


@pytest.mark.parametrize("part", ["images", "annotations", "categories"])
def test_a_part_given_twice_is_refused_with_both_lines(part: str, tmp_path: Path) -> None:
    second = f'{{\n"{part}": [],\n{TEXT[1:]}'
    line = second[: second.rindex(f'\n "{part}"') + 2].count("\n") + 1
    with pytest.raises(UserError, match=f"gives a key twice: '{part}' in line 2 and in line {line}; merge"):
        records.read_coco(written(tmp_path, second.encode()))


@pytest.mark.parametrize(
    "more",
    [
        {"info": {"description": 'says "annotations" and "images": twice'}},
        {"info": "a", "extra": {"annotations": [{"annotations": 1}], "images": {"categories": []}}},
        {"licenses": [{"categories": 1}, {"categories": 2}]},
    ],
)
def test_a_parts_name_inside_other_parts_is_no_double(more: dict[str, Any], tmp_path: Path) -> None:
    text = json.dumps({**more, **TREE}) if "info" in more else json.dumps({**TREE, **more})
    assert len(records.read_coco(written(tmp_path, text.encode())).annotations) == 1


def test_an_old_encoding_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not UTF-8 text \(byte 0xFC in line 5; it seems to be Windows-1252"):
        records.read_coco(written(tmp_path, TEXT.encode("latin-1")))

"""The COCO reader on hostile files: it plans, or refuses in one line; nothing else ever happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leansort.core.errors import UserError
from leansort.data.coco.annotation_files import AnnotationFile
from leansort.data.coco.plan import CropPlan, Reading, plan_crops
from leansort.data.coco.survey import survey

CASES = 10_000  # in the long runs; a twentieth of them at once
Records = st.SearchStrategy[Any]
numbers = st.one_of(
    st.integers(-5, 300),
    st.integers(),
    st.floats(),
    st.floats(-50, 300),
    st.sampled_from([1e308, -1e308, 2**63, 2**70]),
)
junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ids = st.one_of(st.integers(0, 4), st.sampled_from(["a", "b"]), junk)
names = st.one_of(
    st.sampled_from(["a.jpg", "b/a.jpg", "A.JPG", "../x.jpg", "/etc/passwd", "c:\\x.jpg", "", ".", "a\0.jpg", "é.jpg"]),
    st.text(max_size=12),
)
boxes = st.one_of(st.lists(numbers, min_size=4, max_size=4), junk)
masks = st.one_of(
    st.lists(st.lists(numbers, max_size=10), max_size=3),
    st.fixed_dictionaries(
        {"size": st.lists(numbers, max_size=3), "counts": st.one_of(st.lists(numbers, max_size=6), st.text(max_size=8))}
    ),
    junk,
)


def record(**fields: st.SearchStrategy[Any]) -> Records:
    """Mostly whole records, some with keys missing."""
    return st.one_of(st.fixed_dictionaries(fields), st.fixed_dictionaries({}, optional=fields), junk)


pictures: Records = record(id=ids, file_name=names, width=st.one_of(st.just(100), junk),
                height=st.one_of(st.just(80), junk), split=st.sampled_from([None, "train", "trian", 3]))  # fmt: skip
marks: Records = record(id=ids, image_id=ids, category_id=ids, bbox=boxes, segmentation=masks,
                     iscrowd=st.sampled_from([0, 1, None, "x"]))  # fmt: skip
categories: Records = record(id=ids, name=st.sampled_from(["glass", "paper", "", "metal"]))
trees: Records = st.one_of(
    st.fixed_dictionaries(
        {
            "images": st.lists(pictures, max_size=3, unique_by=str),
            "annotations": st.lists(marks, max_size=5, unique_by=str),
            "categories": st.lists(categories, max_size=3, unique_by=str),
        }
    ),
    junk,
)
sound: Records = st.fixed_dictionaries(
    {
        "images": st.just(
            [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 80}, {"id": 2, "file_name": "b.jpg"}]
        ),
        "categories": st.just([{"id": 1, "name": "glass"}, {"id": 2, "name": "paper"}]),
        "annotations": st.lists(
            st.fixed_dictionaries(
                {
                    "id": st.integers(0, 10**6),
                    "image_id": st.sampled_from([1, 2]),
                    "category_id": st.sampled_from([1, 2]),
                },
                optional={"bbox": boxes, "segmentation": masks, "iscrowd": st.sampled_from([0, 1])},
            ),
            max_size=6, unique_by=lambda item: str(item["id"]),
        ),
    }
)  # fmt: skip


def read(folder: Path, data: bytes) -> dict[str, Any] | None:
    path = folder / "annotations.json"
    path.write_bytes(data)
    try:
        planned = plan_crops([AnnotationFile(path, None, folder)], None, "", Reading(polygons=len(data) % 2 == 0))
        surveyed = survey(planned, 0.1, 8)
    except UserError as error:
        refusal = str(error)
    else:
        return counted(planned, surveyed)
    assert "\n" not in refusal
    assert len(refusal) < 2000
    return None


def counted(planned: CropPlan, surveyed: dict[str, Any]) -> dict[str, Any]:
    """Check that every annotation is in one of the counts."""
    parts = ("classes", "dropped categories", "dropped boxes")
    assert sum(sum(surveyed[part].values()) for part in parts) == surveyed["annotations"]
    edges = planned.frames(0.1, 8).edges
    assert np.isfinite(edges).all()
    return surveyed


quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much]
cases = pytest.mark.parametrize("count", [CASES // 20, pytest.param(CASES, marks=pytest.mark.slow)])


def require(check: Callable[..., None], count: int, **drawn: st.SearchStrategy[Any]) -> None:
    """Hold a check on so many drawn cases."""
    settings(max_examples=count, deadline=None, suppress_health_check=quiet)(given(**drawn)(check))()


@cases
def test_any_tree_is_planned_or_refused(tmp_path: Path, count: int) -> None:
    def check(tree: Any) -> None:
        read(tmp_path, json.dumps(tree).encode())

    require(check, count // 2, tree=trees)


@cases
def test_whatever_a_box_holds_every_annotation_is_accounted_for(tmp_path: Path, count: int) -> None:
    """Origin of the demand: the counts of an import must add up to the annotations of the file."""

    def check(tree: Any) -> None:
        try:
            text = json.dumps(tree)
            surveyed = read(tmp_path, text.encode())
        except UnicodeEncodeError:
            return
        out_of_range = any(abs(n) >= 2**63 for n in _integers(tree))
        assert surveyed is not None or out_of_range or "\\u" in text

    require(check, count * 3 // 10, tree=sound)


def _integers(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [n for item in value.values() for n in _integers(item)]
    if isinstance(value, list):
        return [n for item in value for n in _integers(item)]
    return [value] if isinstance(value, int) else []


@cases
def test_damaged_bytes_are_planned_or_refused(tmp_path: Path, count: int) -> None:
    def check(tree: Any, data: st.DataObject) -> None:
        text = bytearray(json.dumps(tree).encode())
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(text) - 1))
            text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
            text = text or bytearray(b"{")
        read(tmp_path, bytes(text))

    require(check, count // 5, tree=sound, data=st.data())

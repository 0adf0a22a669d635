"""The report page and the pages of comparisons in Chromium: contrast, widths, keyboard, popovers, console."""

from __future__ import annotations

from typing import Any

import pytest

from leansort.report.comparison.comparison_page import comparison_page
from leansort.report.comparison.multiple_comparison_page import multiple_comparison_page
from leansort.report.page import render
from tests.support.browser import looked_at, needs_chromium
from tests.support.page_samples import full_report, jpeg, several_compared, two_compared

pytestmark = needs_chromium
FAINT = "<!doctype html><style>p { color: #999 } div { width: 2000px }</style><body><p>too faint</p><div>wide</div>"
Looked = tuple[list[dict[str, Any]], list[str]]


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    compared, several = two_compared(), several_compared()
    changes = [*compared.changes, *(item for other in several.others for item in other.changes)]
    thumbnails = {item.image: jpeg(90) for item in changes}
    pages = {
        "report": render(full_report()),
        "compare": comparison_page(compared, thumbnails),
        "several": multiple_comparison_page(several, thumbnails),
        "faint": FAINT,
    }
    return looked_at(pages, tmp_path_factory.mktemp("browser"))


def of_pages(looked: Looked) -> list[dict[str, Any]]:
    return [frame for frame in looked[0] if frame["name"] != "faint"]


def test_text_has_contrast_in_light_and_dark(looked: Looked) -> None:
    frames = of_pages(looked)
    assert {frame["dark"] for frame in frames} == {True, False}
    assert len({frame["back"] for frame in frames}) == 2
    assert min(frame["texts"] for frame in frames) > 80
    assert {(frame["name"], frame["dark"], text) for frame in frames for text in frame["faint"]} == set()


def test_nothing_is_wider_than_the_screen(looked: Looked) -> None:
    frames = of_pages(looked)
    assert {frame["width"] for frame in frames} == {360, 768, 1600}
    assert {(frame["name"], frame["width"], item) for frame in frames for item in frame["wide"]} == set()


def test_pictures_are_shown_and_named_and_controls_take_the_focus(looked: Looked) -> None:
    for frame in of_pages(looked):
        assert (frame["broken"], frame["unnamed"], frame["lost"]) == (0, 0, []), frame["name"]


def test_the_photos_behind_a_cell_open_without_a_script(looked: Looked) -> None:
    assert [frame["opened"] for frame in looked[0] if frame["name"] == "report"] == [True] * 6


def test_the_console_stays_empty(looked: Looked) -> None:
    assert looked[1] == []


def test_the_checks_see_what_is_wrong(looked: Looked) -> None:
    frames = [frame for frame in looked[0] if frame["name"] == "faint"]
    assert len(frames) == 6
    assert all(frame["faint"] == ["too faint 2.85"] for frame in frames)
    assert all(frame["wide"] for frame in frames)

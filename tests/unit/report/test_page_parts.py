"""The further parts of a run's page: figures as they were measured, photos, links that lead somewhere, contents."""

from __future__ import annotations

import base64
import dataclasses
import re

import pytest

from leansort.measure.measurement import Measurement
from leansort.report.charts.spread import spread_chart, spread_sentence
from leansort.report.charts.waterfall import waterfall
from leansort.report.page import render
from leansort.report.parts.evidence_content import MatrixCell, PageEvidence
from tests.support.page_samples import NAMES, everything, full_report, jpeg, latency
from tests.unit.report.test_report_page import Page

PARTS = {
    "goal", "notes", "classes", "confusion", "mistakes", "doubts", "confidence", "unknown", "stress", "tried", "passes",
    "latency", "data", "commands", "provenance",
}  # fmt: skip


@pytest.fixture(scope="module")
def text() -> str:
    return render(full_report())


def test_every_part_is_there_and_listed_and_what_is_missing_says_why(text: str) -> None:
    read = Page(text)
    assert read.sections == PARTS
    listed = {(values["href"] or "")[1:] for tag, values in read.tags if tag == "a" and values.get("class") is None}
    assert listed == PARTS
    assert "Not on this page: training" in read.text
    assert "The training left no record." in read.text
    assert "never shown" not in read.text


def test_every_link_and_every_button_leads_to_something_on_the_page(text: str) -> None:
    tags = Page(text).tags
    ids = [values["id"] for _, values in tags if "id" in values]
    assert len(ids) == len(set(ids))
    links = [(values["href"] or "")[1:] for tag, values in tags if tag == "a"]
    opened = [values["popovertarget"] for tag, values in tags if tag == "button"]
    named = [values["aria-labelledby"] for _, values in tags if "aria-labelledby" in values]
    assert len(links) > len(PARTS)
    assert {*links, *opened, *named} <= set(ids)


def test_intervals_stand_below_the_figures_of_each_class(text: str) -> None:
    report = full_report()
    rows = Page(text).rows["classes"]
    for item, sure in zip(report.classes, report.more.intervals, strict=True):
        assert sure is not None
        [row] = [row for row in rows if row[0].removesuffix("best").removesuffix("worst") == item.name]
        assert row[3] == f"{item.f1:.3f}{sure.f1.low:.3f} – {sure.f1.high:.3f}"
        assert row[2] == f"{item.recall:.3f}{sure.recall.low:.3f} – {sure.recall.high:.3f}"


def test_photos_stand_behind_their_cell(text: str) -> None:
    more = full_report().more
    [cell] = re.findall(r'<div popover[^>]*id="cell-0-1".*?</div>\s*</div>', text, re.DOTALL)
    assert "cardboard, predicted as glass" in cell
    assert "3 of 5 photos" in cell
    photos = re.findall(r"base64,([^\"]+)", cell)
    assert [base64.b64decode(photo) for photo in photos] == [photo.thumbnail for photo in more.cells[0, 1].photos]
    assert more.cell_limits in text


def test_evidence_is_a_picture_with_words_and_says_how_it_was_made(text: str) -> None:
    words = "evidence for glass, most in the upper left: covering lowers 0.97 to 0.41"
    maps = [values for tag, values in Page(text).tags if values.get("class") == "map"]
    assert [values["alt"] for values in maps] == [words, words]  # a mistake and a doubt
    assert text.count("no gradients are used") == 1
    alone = render(dataclasses.replace(full_report(), more=dataclasses.replace(everything(), evidence={})))
    assert alone.count("no gradients are used") == 1


def test_all_that_was_tried_is_a_row_and_what_has_size_and_f1_a_dot(text: str) -> None:
    report = full_report()
    _, *rows = Page(text).rows["tried"]
    assert [row[0].removesuffix("this run").strip() for row in rows] == [item.name for item in report.more.tried]
    assert rows[1][2:6] == ["0.8000", "0.760 – 0.840", "0.60", "4.000"]
    assert rows[2][4:6] == ["–", "–"]
    marks = re.findall(r'<a class="mark" href="#(tried-[^"]+)" aria-label="([^"]+)"', text)
    assert len(marks) == 6  # three of four in each of two plots
    assert ("tried-step-1-prune", "step 1-prune: macro-F1 0.8000, MB 0.6, this run") in marks
    assert text.count('class="ring"') == 2


def test_tables_hold_what_was_measured(text: str) -> None:
    more = full_report().more
    rows = Page(text).rows
    assert rows["confidence"][1][:2] == ["100 %", "360"]
    assert rows["confidence"][1][2] == f"{more.accepted[0].accuracy:.4f}"
    assert more.unknown is not None
    assert rows["unknown"][1][1] == f"{more.unknown.own.auroc.value:.3f}"
    assert rows["data"][1] == [NAMES[0], "100", "60"]
    assert rows["data"][len(NAMES) + 1] == ["crops", "600", "360"]
    assert ["truncated", "3", "a.jpg, b.jpg, …"] in rows["data"]
    assert "not met" in rows["goal"][2]


def test_a_command_is_shown_whole(text: str) -> None:
    [(_, command)] = everything().commands
    assert command in Page(text).text.replace("&#39;", "'")


def test_names_with_markup_stay_text_in_every_part() -> None:
    report = full_report()
    bad = "<script>alert(1)</script>\"'"
    tried = tuple(dataclasses.replace(item, name=bad, note=bad, outcome=bad) for item in report.more.tried)
    more = dataclasses.replace(
        report.more, tried=tried, commands=((bad, bad),), cell_limits=bad, missing={"training": bad},
        cells={(0, 1): MatrixCell((dataclasses.replace(report.more.cells[0, 1].photos[0], file=bad),), 1)},
        doubts=tuple(dataclasses.replace(item, file=bad, label=bad, note=bad) for item in report.more.doubts),
        passes=tuple(dataclasses.replace(item, name=bad) for item in report.more.passes),
    )  # fmt: skip
    read = Page(render(dataclasses.replace(report, more=more)))
    assert "script" not in {tag for tag, _ in read.tags}
    assert read.text.count("<script>") >= 10


def test_without_evidence_the_page_says_nothing_of_it() -> None:
    plain = render(dataclasses.replace(full_report(), more=PageEvidence()))
    assert "occlusion" not in plain
    assert "popover" not in re.sub(r"<style>.*?</style>", "", plain, flags=re.DOTALL)


def test_a_waterfall_begins_and_ends_with_the_whole() -> None:
    drawing = waterfall("size", [("start", 4.0), ("1-prune", 1.0), ("2-more", 1.5)], "MB")
    assert re.findall(r"<title>([^<]*)</title>", drawing) == [
        "start: 4 MB", "1-prune: −3 MB", "2-more: +0.5 MB", "left: 1.5 MB",
    ]  # fmt: skip
    assert drawing.count('class="worse"') == 1


def test_a_distribution_is_told_in_words_and_drawn_only_where_it_was_kept() -> None:
    item = latency("decode to label", 4.0)
    assert spread_sentence("label", item).startswith("label: half within 4 ms, 99 % within 6 ms, slowest of 500 ")
    assert spread_chart([("label", item)]).count("<polyline") == 1
    bare = Measurement(name="x", value=1, unit="ms", low=1, high=1, count=3, percentiles={"p99": 1})
    assert spread_chart([("x", bare)]) == ""


def test_a_thumbnail_that_cannot_be_read_leaves_a_place() -> None:
    assert "no picture" in render(full_report())
    assert jpeg(1) != jpeg(200)

"""The page of several classifiers: every link leads somewhere, every photo is there, names are no markup."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from leansort.report.charts.scatter import Dot, scatter
from leansort.report.comparison.answer_changes import MOST_PHOTOS
from leansort.report.comparison.multiple_comparison_page import multiple_comparison_page
from leansort.report.comparison.multiple_comparison_table import multiple_comparison_text
from leansort.report.comparison_table import WIDTH
from tests.support.page_samples import NAMES, jpeg, several_compared

RESULT = several_compared()
THUMBNAILS = {item.image: jpeg(90) for other in RESULT.others for item in other.changes}
PAGE = multiple_comparison_page(RESULT, THUMBNAILS)


def test_ids_are_there_once_and_every_link_leads_to_one() -> None:
    ids = Counter(re.findall(r' id="([^"]+)"', PAGE))
    assert set(ids.values()) == {1}
    wanted = re.findall(r'href="#([^"]+)"', PAGE) + re.findall(r'aria-labelledby="([^"]+)"', PAGE)
    assert set(wanted) <= set(ids)
    assert {f"classifier-{name}" for name in "ABC"} <= set(wanted)


def test_each_other_has_its_photos_lost_and_won() -> None:
    for other in RESULT.others:
        name = other.member.name
        _, _, part = PAGE.partition(f'<section id="against-{name}"')
        part = part.partition('<section id="against-')[0]
        shown = [
            min(MOST_PHOTOS, count)
            for count in (other.counts.only_a_right, other.counts.only_b_right, other.counts.both_wrong_apart)
        ]
        assert part.count("data:image/jpeg;base64,") == sum(shown) > 0
        assert (f"Won: only {name} is right" in part) == bool(other.counts.only_b_right)
        assert ("Lost: only A is right" in part) == bool(other.counts.only_a_right)
        assert ("How call times spread" in part) == bool(other.member.latencies)


def test_the_overview_has_the_figures_and_the_plots_the_bundles() -> None:
    for other in RESULT.others:
        assert f"<td>{100 * other.difference.value:+.1f} (" in PAGE
    for member in RESULT.members:
        assert f"{member.classifier.macro_f1.value:.4f} (" in PAGE
    plots = re.findall(r'<svg class="plot".*?</svg>', PAGE.partition('id="sources"')[0])
    assert len(plots) == 2
    for plot in plots:
        assert re.findall(r'<text class="callout"[^>]*>(\w)</text>', plot) == ["A", "B", "C"]  # D has no size
    for row in zip(*(other.classes for other in RESULT.others), strict=True):
        assert f"<td>{row[0].a:.4f}</td>" in PAGE
    assert not re.search(r"https?://|<script", PAGE)


def test_names_of_others_are_no_markup() -> None:
    hostile = replace(RESULT.reference, classifier=replace(RESULT.reference.classifier, path="<img src=x>"))
    page = multiple_comparison_page(RESULT.model_copy(update={"reference": hostile}), THUMBNAILS)
    assert "<img src=x>" not in page
    assert "&lt;img src=x&gt;" in page


def test_a_letter_at_the_right_edge_stands_on_the_left_of_its_dot() -> None:
    drawing = scatter([Dot(0, 0.5, "a", letter="A"), Dot(1, 0.6, "b", letter="<B>"), Dot(0.5, 0.7, "c")], "x")
    assert re.findall(r'text-anchor="(\w+)">(A|&lt;B&gt;)<', drawing) == [("start", "A"), ("end", "&lt;B&gt;")]


def test_the_terminal_has_a_row_a_classifier_within_its_width_and_ends_with_the_verdict() -> None:
    lines = multiple_comparison_text(RESULT).splitlines()
    assert lines[-1] == RESULT.verdict
    assert [line[0] for line in lines if re.match(r"[A-D]   0\.\d{4} \(", line)] == ["A", "B", "C", "D"]
    assert max(len(line) for line in lines if re.match(r"[A-D]   0\.", line)) <= WIDTH
    assert [line.split()[2] for line in lines if line.startswith("F1 of ")] == list(NAMES)

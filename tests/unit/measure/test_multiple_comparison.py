"""Several classifiers against one: Holm's correction by its definition, and what the result says of itself."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leansort.measure.accuracy.metrics import Interval
from leansort.measure.comparison import multiple_comparison_rows
from leansort.measure.comparison.holm_correction import holm_adjusted
from leansort.measure.comparison.multiple_comparison import MultipleComparisonResult
from leansort.measure.comparison.reference_comparison import ReferenceComparison
from tests.support.page_samples import several_compared


def with_difference(other: ReferenceComparison, points: tuple[float, float, float], p: float) -> ReferenceComparison:
    return replace(other, difference=Interval(*(value / 100 for value in points)), adjusted_p=p)


def test_holms_example_is_worked_by_hand() -> None:
    assert holm_adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm_adjusted([0.9, 0.6]) == [1.0, 1.0]
    assert holm_adjusted([0.2]) == [0.2]
    assert holm_adjusted([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holms_p_is_that_of_the_closed_family_of_bonferroni_tests(p_values: list[float]) -> None:
    """Another way to the same: the largest Bonferroni p of all groups of tests that a test is in."""
    everyone = range(len(p_values))
    groups = [group for size in everyone for group in itertools.combinations(everyone, size + 1)]
    for at, adjusted in enumerate(holm_adjusted(p_values)):
        closed = max(min(1.0, len(group) * min(p_values[i] for i in group)) for group in groups if at in group)
        assert adjusted == pytest.approx(closed)


def test_the_verdict_groups_what_is_alike_and_doubts_what_holm_does_not_tell_apart() -> None:
    result = several_compared()
    sure, unsure, neither = (
        with_difference(other, points, p)
        for other, points, p in zip(
            result.others, ((4.0, 2.0, 6.0), (-3.0, -5.0, -1.0), (1.0, -1.0, 3.0)), (0.01, 0.2, 1.0), strict=True
        )
    )
    told = result.model_copy(update={"others": (sure, unsure, neither)}).verdict
    assert told == (
        "macro-F1 against A on 360 crops: B higher by 4.0 ± 2.0 points, "
        "C lower by 3.0 ± 2.0 points, not surely (p 0.200), D not told apart; "
        "decode to label against A: B and C faster by 2.0 times; "
        "on the Pareto front of macro-F1, latency and size: B and C"
    )
    disturbed = result.model_copy(update={"warning": "other work"}).verdict
    assert "faster by 2.0 times (timed while other work ran, so not to be trusted);" in disturbed
    same = replace(neither, counts=replace(neither.counts, only_a_right=0, only_b_right=0, both_wrong_apart=0))
    assert "D same labels" in result.model_copy(update={"others": (sure, unsure, same)}).verdict


def test_remarks_say_what_p_was_corrected_for_and_who_has_no_size() -> None:
    remarks = several_compared().remarks
    assert remarks[0] == "one crop was left out"
    assert any("Holm's correction for 3 comparisons with A" in line for line in remarks)
    assert remarks[-1] == "not in the running for the Pareto front, as answers in a file have no size: D"


def test_columns_without_a_figure_are_left_out_and_single_cells_are_dashes() -> None:
    result = several_compared()
    table = multiple_comparison_rows.overview(result)
    heads = [" ".join(head.split()) for head in table.head]
    assert heads[1:] == [
        "macro-F1 over 6 classes", "points against A", "p (Holm)", "MB", "decode to label, ms p50 (p99)",
        "times as fast as A", "Pareto front",
    ]  # fmt: skip
    assert [row[0] for row in table.rows] == ["A", "B", "C", "D"]
    assert table.rows[0][-2:] == ("–", "no")
    assert table.rows[3][-4:] == ("–",) * 4
    untimed = result.model_copy(
        update={
            "reference": replace(result.reference, latencies=()),
            "others": tuple(
                replace(other, member=replace(other.member, latencies=()), ratios=()) for other in result.others
            ),
        }
    )
    assert len(multiple_comparison_rows.overview(untimed).head) == len(table.head) - 2
    assert "decode to label" not in untimed.verdict


def test_it_comes_back_from_its_json_and_shows_itself_without_markup_of_others() -> None:
    result = several_compared()
    tree = json.loads(json.dumps(result.to_json()))
    assert MultipleComparisonResult.from_json(tree, "test") == result
    hostile = replace(result.reference, classifier=replace(result.reference.classifier, path="<script>x</script>"))
    page = result.model_copy(update={"reference": hostile})._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert result.verdict in page
    assert page.count("<table>") == 3
    lines = result.headline()
    assert list(lines) == ["verdict", "A", "B", "C", "D"]
    assert lines["D"].startswith("macro-F1 over 6 classes 0.")
    assert "MB" not in lines["D"]

"""What changes are worth, against the contest's formulas worked by hand."""

from __future__ import annotations

import pytest

from leansort.contest.formula_worth import CliffDistance, cliff_height, worth_in
from leansort.contest.formulas import Baselines
from leansort.core.errors import UserError

BASE = Baselines()


def test_a_point_and_a_second_at_the_goal_line() -> None:
    """At 0.70 the sigmoid goes from 1/2 to 1/(1+e^0.2) = 0.450166; a second adds 0.5 / 43.16 = 0.0115848."""
    worth = worth_in("time", 0.70, 60.0, BASE)
    assert worth.score == pytest.approx(1.1950, abs=1e-4)
    assert worth.point_more == pytest.approx(0.049834, abs=1e-6)
    assert worth.point_less == pytest.approx(0.049834, abs=1e-6)
    assert worth.unit == "s"
    assert worth.unit_cost == pytest.approx(0.0115848, abs=1e-7)
    assert worth.point_in_units == pytest.approx(4.3017, abs=1e-3)
    assert worth.cost_part == pytest.approx(0.695088, abs=1e-6)


def test_five_points_are_worth_what_the_contest_showed() -> None:
    """From 0.70 to 0.75 20 s, on to 0.80 13 s, on to 0.85 6 s."""
    paid = [
        sum(worth_in("time", start + at / 100, 50.0, BASE).point_in_units for at in range(5))
        for start in (0.70, 0.75, 0.80)
    ]
    assert [round(value) for value in paid] == [20, 13, 6]


def test_the_macs_edition_above_and_below_its_baseline() -> None:
    """0.01 / 0.8342 = 0.0119875 a point below the baseline and half above; a million adds 1e6 / 13,863,553."""
    low, high = worth_in("macs", 0.70, 5e6, BASE), worth_in("macs", 0.90, 5e6, BASE)
    assert low.score == pytest.approx(5e6 / 13_863_553 + 1 - 0.70 / 0.8342)
    assert low.point_more == pytest.approx(0.0119875, abs=1e-7)
    assert high.point_more == pytest.approx(0.0059938, abs=1e-7)
    assert low.unit_cost == high.unit_cost == pytest.approx(0.0721316, abs=1e-7)
    assert low.point_in_units == pytest.approx(0.166190, abs=1e-5)
    assert low.cost_part == pytest.approx(0.360658, abs=1e-6)


def test_at_the_step_one_point_is_worth_all_of_it() -> None:
    """Just above 0.5 a point less costs 1 - (1 - 0.505 / 0.8342) = 0.605370, a point more gives 0.0119875."""
    above, below = worth_in("macs", 0.505, 0, BASE), worth_in("macs", 0.495, 0, BASE)
    assert above.point_less == pytest.approx(0.605370, abs=1e-6)
    assert above.point_more == pytest.approx(0.0119875, abs=1e-7)
    assert below.point_more == pytest.approx(0.605370, abs=1e-6)
    assert below.point_less == 0
    assert cliff_height(BASE) == pytest.approx(0.5 / 0.8342)


def test_nothing_is_worth_more_than_there_is() -> None:
    assert worth_in("macs", 0.995, 0, BASE).point_more == pytest.approx(0.5 * 0.005 / 0.8342)
    assert worth_in("macs", 1.0, 0, BASE).point_more == 0
    assert worth_in("time", 0.0, 10, BASE).point_less == 0
    with pytest.raises(UserError, match=r"got f1 1\.2"):
        worth_in("time", 1.2, 10, BASE)


def test_the_margin_is_kept_or_not() -> None:
    def inside(distance: float) -> bool:
        return CliffDistance(0.5, distance, margin=0.05, height=0.6, fall_chance=0.0).inside

    assert [inside(distance) for distance in (-0.1, 0.0, 0.049, 0.05, 0.3)] == [True, True, True, False, False]

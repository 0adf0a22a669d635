"""Parts of a solve: epochs for the time there is, the choice, the order, and the paragraph."""

from __future__ import annotations

import pytest

from leansort.measure.accuracy.metrics import Interval
from leansort.recipe.load import load_recipe
from leansort.recipe.schema import Recipe
from leansort.workflows.deploy.target_limits import LimitResult
from leansort.workflows.solving.candidate_pricing import CandidatePrice, SolvePlan
from leansort.workflows.solving.candidate_work import CandidateOutcome
from leansort.workflows.solving.epoch_budget import (
    SHORTEST,
    change_epochs,
    fitting_fraction,
    total_epochs,
    training_seconds,
)
from leansort.workflows.solving.solve_advice import (
    better_weights,
    larger_input,
    larger_network,
    shortened_training,
    smaller_recipe,
)
from leansort.workflows.solving.solve_delivery import choose_outcome
from leansort.workflows.training.quick.probe_curve import ProbeCurve, larger_size
from leansort.workflows.training.quick.probe_result import ProbeScore


@pytest.fixture(scope="module")
def lean() -> Recipe:
    return load_recipe("trashnet-lean")


def outcome(name: str, f1: float, *, size: float = 0.5, fraction: float = 1.0) -> CandidateOutcome:
    limits = (
        LimitResult(name="macro_f1", limit=0.9, value=f1, met=f1 >= 0.9),
        LimitResult(name="size_mb", limit=1.0, value=size, met=size <= 1.0),
    )
    interval = Interval(f1, f1 - 0.02, f1 + 0.02)
    return CandidateOutcome(name=name, macro_f1=interval, limits=limits, fraction=fraction, bytes=1, macs=1)


def test_all_trainings_of_a_recipe_are_shortened_by_one_fraction(lean: Recipe) -> None:
    short = change_epochs(lean, lambda count: count // 4)
    assert (lean.train.epochs, short.train.epochs) == (12, 3)
    inner = [step["finetune"]["epochs"] for step in short.compress.steps if "finetune" in step]
    assert inner == [3, 2, 4]
    assert short.train.warmup <= short.train.epochs / 4
    assert [step["pass"] for step in short.compress.steps] == [step["pass"] for step in lean.compress.steps]


def test_a_pass_that_trains_by_default_is_shortened_too_and_never_below_one_epoch(lean: Recipe) -> None:
    bare = lean.compress.model_copy(update={"steps": ({"pass": "finetune"}, {"pass": "quantize"})})
    short = change_epochs(lean.model_copy(update={"compress": bare}), lambda count: 0)
    assert short.train.epochs == 1
    assert [step.get("epochs") for step in short.compress.steps] == [1, None]


def test_time_grows_with_epochs_and_crops(lean: Recipe) -> None:
    once = training_seconds(lean, 0.1, 320)
    assert training_seconds(lean, 0.1, 640) == pytest.approx(2 * once)
    assert total_epochs(lean) > lean.train.epochs
    assert training_seconds(change_epochs(lean, lambda count: count // 2), 0.1, 320) == pytest.approx(once / 2)


@pytest.mark.parametrize(
    ("available", "fraction"), [(200.0, 1.0), (100.0, 1.0), (50.0, 0.5), (100 * SHORTEST / 2, 0.0), (-3.0, 0.0)]
)
def test_a_training_gets_the_fraction_of_its_epochs_that_there_is_time_for(available: float, fraction: float) -> None:
    assert fitting_fraction(100.0, available) == fraction
    assert fitting_fraction(100.0, available, least=0.6) == (fraction if fraction == 1 else 0)


def test_the_bundle_that_meets_the_goal_is_chosen_else_the_one_that_misses_it_by_least() -> None:
    best, small, large = outcome("best", 0.91), outcome("small", 0.88), outcome("large", 0.97, size=3.0)
    assert choose_outcome([small, large, best]) is best
    assert choose_outcome([large, small]) is small
    assert small.miss == pytest.approx(0.02 / 0.9)


def test_advice_names_what_the_evidence_shows() -> None:
    chosen, large = outcome("small", 0.88, fraction=0.4), outcome("large", 0.97, size=3.0)
    assert "40 % of its epochs" in str(shortened_training(chosen))
    assert shortened_training(large) is None
    assert shortened_training(outcome("nearly", 0.88, fraction=0.93)) is None
    assert "the teacher reaches 0.950 on val" in str(larger_network(chosen, 0.95, [chosen, large], 192))
    told = str(larger_network(chosen, None, [chosen, large], 192))
    assert told == "a larger budget, for large: it reaches 0.970 on val (size_mb 3, at most 1: not met)"
    assert larger_network(chosen, 0.88, [chosen], 192) is None
    probe = ProbeScore(Interval(0.93, 0.9, 0.95), "efficientnet_lite0", "pack:efficientnet_lite0", 160)
    assert "reaches 0.930 on val with features of efficientnet_lite0" in str(better_weights(chosen, probe))
    assert better_weights(large, probe) is None


@pytest.mark.parametrize(("gain", "told"), [(Interval(0.02, 0.004, 0.04), True), (Interval(0.02, -0.001, 0.04), False)])
def test_a_larger_input_is_advised_only_where_chance_does_not_explain_its_gain(gain: Interval, told: bool) -> None:
    whole, larger = Interval(0.9, 0.87, 0.93), Interval(0.9 + gain.value, 0.88, 0.95)
    curve = ProbeCurve(half=whole, whole=whole, larger=larger, gain=gain, size=160, larger_size=224)
    advice = larger_input(curve)
    assert (advice is not None) is told
    if advice:
        assert str(advice) == (
            "a larger input, 224 px: with 224 px in place of 160 a linear probe goes from 0.900 to 0.920 on val "
            "(95 % +0.4 to +4.0 points)"
        )


def test_a_reason_that_several_recipes_have_is_told_once() -> None:
    prices = [CandidatePrice(name, {}, False, "", 0, 0, 0, why) for name, why in [("a", "x"), ("b", "y"), ("c", "x")]]
    assert SolvePlan(candidates=tuple(prices)).hindrances == "a, c: x; b: y"


def test_recipes_that_a_busy_machine_made_slow_are_named() -> None:
    slow = CandidatePrice("slow", {}, False, "label_p99_ms 3, at most 2", 0.5, 0, 0)
    large = CandidatePrice("large", {}, False, "size_mb 3, at most 2", 0.5, 0, 0)
    busy = "other work kept 1.2 cores busy meanwhile"
    assert SolvePlan(candidates=(slow, large), warning=busy).doubt() == f"slow may only seem too slow: {busy}"
    assert SolvePlan(candidates=(large,), warning=busy).doubt() == ""
    assert SolvePlan(candidates=(slow,)).doubt() == ""
    assert SolvePlan(candidates=(slow, large), warning=busy).doubt(["slow"]) == ""


@pytest.mark.parametrize(("size", "larger"), [(32, 64), (33, 64), (96, 128), (160, 224), (224, 320)])
def test_a_larger_input_is_larger_and_a_multiple_of_every_stride(size: int, larger: int) -> None:
    assert larger_size(size) == larger


def test_a_size_that_was_missed_is_told_by_the_smallest_bundle_that_there_is() -> None:
    chosen = outcome("chosen", 0.92, size=1.2).model_copy(update={"bytes": 1_204_000})
    prices = [
        CandidatePrice(name, {"size_mb": size}, True, "", 0, 0, 0) for name, size in (("chosen", 1.1), ("b", 1.5))
    ]
    assert str(smaller_recipe(chosen.limits, prices, [chosen])) == (
        "a size limit of 1.21 MB or more: chosen, the smallest of 2 recipes, takes 1.2 MB"
    )
    assert smaller_recipe(outcome("small", 0.92).limits, prices, []) is None

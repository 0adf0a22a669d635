"""Domination, hypervolume, and early stopping for several objectives."""

from __future__ import annotations

import itertools
import json
from statistics import stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leansort.core.errors import UserError
from leansort.search.objectives import Objectives
from leansort.search.pareto import dominates, front, hypervolume
from leansort.search.pareto_pruner import Curve, HalvingConfig, is_beaten, margin
from tests.conftest import ROOT

POINTS = st.lists(st.tuples(*[st.integers(0, 6).map(float)] * 3), max_size=12)


@given(POINTS)
def test_the_front_is_what_nothing_dominates(points: list[tuple[float, ...]]) -> None:
    result = front(points)
    assert all(not dominates(points[a], points[b]) for a, b in itertools.product(result, repeat=2))
    for at, point in enumerate(points):
        assert at in result or any(dominates(points[k], point) or points[k] == point for k in result)


@given(POINTS)
@settings(max_examples=60)
def test_hypervolume_counts_the_cells_that_are_covered(points: list[tuple[float, ...]]) -> None:
    """On whole numbers the volume is the number of unit cells with a point at or below their lower corner."""
    worst = (5.0, 6.0, 4.0)
    cells = itertools.product(*(range(int(w)) for w in worst))
    covered = sum(any(all(x <= c for x, c in zip(point, cell, strict=True)) for point in points) for cell in cells)
    assert hypervolume(points, worst) == covered


def curves(gains: list[float], cost: float = 1.0) -> list[Curve]:
    return [Curve(n, (cost,), {0: 0.5}, 0.5 + gain) for n, gain in enumerate(gains)]


def test_the_margin_is_the_spread_of_what_is_gained_later() -> None:
    config = HalvingConfig(margin=1.5, least=4)
    gains = [0.1, 0.2, 0.15, 0.3]
    assert margin(curves(gains[:3]), 0, config) is None
    assert margin(curves(gains), 1, config) is None
    assert margin(curves(gains), 0, config) == pytest.approx(1.5 * 2**0.5 * stdev(gains))
    unfinished = Curve(9, (1.0,), {0: 0.9})
    assert margin([*curves(gains), unfinished], 0, config) == pytest.approx(1.5 * 2**0.5 * stdev(gains))


def test_only_what_costs_no_more_beats_and_only_by_more_than_the_margin() -> None:
    config = HalvingConfig(least=2)
    seen = curves([0.1, 0.12])  # margin 0.02
    assert is_beaten(0.47, (1.0,), 0, seen, config) is not None
    assert is_beaten(0.485, (1.0,), 0, seen, config) is None
    assert is_beaten(0.1, (0.99,), 0, seen, config) is None  # cheaper than all that lead
    running = Curve(7, (0.5,), {0: 0.6})  # one that has not finished beats as well
    lost = is_beaten(0.5, (0.6,), 0, [*seen, running], config)
    assert lost is not None
    assert (lost.by, round(lost.lead, 6)) == (7, 0.1)


def test_rungs_are_fractions_of_the_epochs() -> None:
    assert HalvingConfig(rungs=2, eta=3).epochs(27) == {0: 3, 1: 9}
    assert HalvingConfig(rungs=3, eta=3).epochs(4) == {2: 1}
    assert HalvingConfig(rungs=0).epochs(10) == {}


def recorded() -> list[Curve]:
    """Trials of the contest's space, each trained to its end; written by `python -m benchmarks.search --record`."""
    tree = json.loads((ROOT / "tests" / "golden" / "search_curves.json").read_text())
    return [
        Curve(n, (item["ms"],), {e: max(item["f1"][: e + 1]) for e in range(len(item["f1"]))}, max(item["f1"]))
        for n, item in enumerate(tree["trials"])
    ]


def replayed(order: list[Curve], epochs: int, config: HalvingConfig) -> tuple[list[Curve], int]:
    """What the search would have kept of trials that come in this order, and the epochs that it would have trained."""
    rungs, seen, trained = config.epochs(epochs), list[Curve](), 0
    for full in order:
        scores, stopped = dict[int, float](), 0
        for rung, epoch in rungs.items():
            scores[rung] = full.scores[epoch - 1]
            if is_beaten(scores[rung], full.costs, rung, seen, config):
                stopped = epoch
                break
        seen.append(Curve(full.number, full.costs, scores, None if stopped else full.final))
        trained += stopped or epochs
    return [item for item in seen if item.final is not None], trained


def volume(kept: list[Curve]) -> float:
    return hypervolume([(-(item.final or 0.0), *item.costs) for item in kept], (0.0, 9.0))


@pytest.mark.parametrize("seed", range(5))
def test_against_exhaustive_runs_the_front_is_kept_for_fewer_epochs(seed: int) -> None:
    every = recorded()
    epochs = len(every[0].scores)
    order = [every[at] for at in np.random.default_rng(seed).permutation(len(every))]
    kept, trained = replayed(order, epochs, HalvingConfig(rungs=2, eta=3, margin=1.0, least=4))
    assert trained < 0.85 * epochs * len(every)  # 0.73 to 0.82 measured; of more trials a larger share is stopped
    assert volume(kept) > 0.99 * volume(every)
    everything, all_of_it = replayed(order, epochs, HalvingConfig(margin=100.0))
    assert (len(everything), all_of_it) == (len(every), epochs * len(every))


def test_objectives_know_their_costs_limits_and_directions() -> None:
    wanted = Objectives(("macro_f1", "contest_time"), {"size_mb": 2.0, "macro_f1": 0.5})
    assert wanted.costs == ("label_p50_ms",)
    assert wanted.needed == {"label_p50_ms", "size_mb"}
    assert wanted.directions == ["maximize", "minimize"]
    f1, score = wanted.values({"label_p50_ms": 1.0}, 0.7)
    assert f1 == 0.7
    assert score == pytest.approx(0.5 * 5.217 / 43.16 + 0.5)
    assert wanted.points([0.7, 0.2]) == (-0.7, 0.2)
    assert wanted.violations({"size_mb": 3.0}) == {"size_mb": 0.5}
    assert wanted.violations({"size_mb": 1.0}, 0.4) == {"size_mb": -0.5, "macro_f1": pytest.approx(0.2)}


@pytest.mark.parametrize(
    ("names", "limits", "text"),
    [
        (("macro_f", "size_mb"), {}, "did you mean 'macro_f1'"),
        (("macro_f1",), {"p50": 1.0}, "constraints: got 'p50'"),
        ((), {}, "got none"),
        (("macro_f1", "macro_f1"), {}, "different"),
        (("size_mb",), {}, "none needs training"),
    ],
)
def test_wrong_objectives_are_named(names: tuple[str, ...], limits: dict[str, float], text: str) -> None:
    with pytest.raises(UserError, match=text):
        Objectives(names, limits)

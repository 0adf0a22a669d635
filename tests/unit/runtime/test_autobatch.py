"""The pace of a stream: nothing is lost, doubled or turned round, whatever is tried and wherever it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count, islice

import pytest

from leansort.runtime import autobatch
from leansort.runtime.autobatch import ROUNDS, TRIAL, BatchPlan, candidate_plans, run_at_fastest

MANY = [BatchPlan(1, 1), BatchPlan(1, 4), BatchPlan(2, 16)]


def same(given: Iterator[int], pace: BatchPlan) -> Iterator[int]:
    return given


@pytest.mark.parametrize("length", [0, 1, TRIAL - 1, TRIAL, TRIAL + 1, 5 * TRIAL, 6 * TRIAL, 9 * TRIAL + 7])
@pytest.mark.parametrize("tried", [MANY, MANY[:1]])
def test_everything_comes_once_and_in_order(length: int, tried: list[BatchPlan]) -> None:
    assert list(run_at_fastest(iter(range(length)), tried, same)) == list(range(length))


def test_the_rest_goes_at_the_fastest_pace() -> None:
    seen: list[BatchPlan] = []

    def work(given: Iterator[int], pace: BatchPlan) -> Iterator[int]:
        seen.append(pace)
        if pace != MANY[1]:
            time.sleep(0.02)
        return given

    assert list(islice(run_at_fastest(count(), MANY, work), 500)) == list(range(500))
    assert seen == [*MANY * ROUNDS, MANY[1]]


def test_one_pace_takes_no_more_of_an_endless_stream_than_is_asked_for() -> None:
    taken: list[int] = []

    def stream() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    at_fastest = run_at_fastest(stream(), MANY[:1], same)
    assert [next(at_fastest), next(at_fastest)] == [0, 1]
    assert taken == [0, 1]


def test_what_is_given_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autobatch, "usable_cores", lambda: 4)
    assert candidate_plans(3, 8) == [BatchPlan(3, 8)]
    assert candidate_plans(0, 8) == [BatchPlan(1, 8), BatchPlan(4, 8)]
    assert {pace.batch for pace in candidate_plans(2, 0)} == {1, 4, 16}
    monkeypatch.setattr(autobatch, "usable_cores", lambda: 1)
    assert candidate_plans(0, 1) == [BatchPlan(1, 1)]
    assert all(TRIAL % batch == 0 for batch in autobatch.BATCHES)

"""A short run of the fuzz of graphs: whatever a bundle holds, predict gives labels or one line."""

from __future__ import annotations

import pytest

from tests.support.fuzz_graphs import GOOD, fuzz, judged


def require_sound(cases: int, seed: int) -> None:
    result = fuzz(0, cases, seed=seed)
    assert result.bad == [], result.text()
    assert result.outcomes.total() == cases
    assert set(result.outcomes) <= set(GOOD)
    assert min(result.outcomes["label"], result.outcomes["one line"]) > cases / 50  # some are sound all the same
    assert result.peak[0] > 50


def test_mutated_graphs_give_labels_or_one_line() -> None:
    pytest.importorskip("openvino")
    require_sound(150, seed=0)


@pytest.mark.slow
def test_many_mutated_graphs_give_labels_or_one_line() -> None:
    pytest.importorskip("openvino")
    require_sound(700, seed=1)


def test_the_fuzz_sees_what_must_not_be() -> None:
    assert judged(0, "a.png\tx\t0.5\nb.png\ty\t0.5\n") == "label"
    assert judged(1, "a.png\terror: no finite numbers\nb.png\ty\t0.5\n") == "error of a picture"
    assert judged(2, "error: bundle: its graph is empty\n") == "one line"
    for code, text in (
        (2, "error: a\nerror: b\n"),
        (1, "error: a\n"),
        (0, ""),
        (2, ""),
        (3, "error: a\n"),
        (0, "x\x1b[2J\t1\ny\n"),
    ):
        assert judged(code, text) not in GOOD
    assert judged(1, "Traceback (most recent call last):\n") not in GOOD
    assert judged("traceback (ValueError: x)", "") not in GOOD

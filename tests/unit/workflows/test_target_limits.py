"""Limits of a target: each is compared with what was measured, the right way round."""

from __future__ import annotations

import pytest

from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError
from leansort.measure.measurement import Measurement
from leansort.workflows.deploy.bench import ALONE, WHOLE
from leansort.workflows.deploy.target_limits import check_limits
from tests.support.graphs import meta


def latency(title: str, p50: float, p99: float) -> Measurement:
    return Measurement(
        name=f"model: {title}", value=p50, unit="ms", low=p50, high=p50, count=9,
        percentiles={"p50": p50, "p90": p50, "p99": p99},
    )  # fmt: skip


def test_macro_f1_is_a_least_and_all_others_are_a_most() -> None:
    bundle = Bundle(meta(), {"graph.onnx": b"graph"})
    size = len(bundle.to_bytes()) / 1e6
    limits = {
        "macro_f1": 0.8, "label_p99_ms": 5.0, "model_p50_ms": 1.0, "size_mb": size, "macs": bundle.meta.macs - 0.5,
        "parameters": bundle.meta.parameters,
    }  # fmt: skip
    results = check_limits(limits, 0.8, bundle, [latency(ALONE, 1.1, 2.0), latency(WHOLE, 2.0, 4.9)])
    assert {item.name: (item.value, item.met) for item in results} == {
        "macro_f1": (0.8, True), "label_p99_ms": (4.9, True), "model_p50_ms": (1.1, False), "size_mb": (size, True),
        "macs": (bundle.meta.macs, False), "parameters": (bundle.meta.parameters, True),
    }  # fmt: skip
    assert str(results[1]) == "label_p99_ms 4.9, at most 5: met"
    (low,) = check_limits({"macro_f1": 0.9}, 0.8, bundle, [])
    assert str(low) == "macro_f1 0.8, at least 0.9: not met"


@pytest.mark.parametrize("name", ["label_p99_ms", "watts"])
def test_a_limit_that_nothing_tells_is_refused(name: str) -> None:
    with pytest.raises(IntegrityError, match=f"{name}: nothing that was measured tells it"):
        check_limits({name: 1.0}, 0.8, Bundle(meta(), {"graph.onnx": b"graph"}), [])

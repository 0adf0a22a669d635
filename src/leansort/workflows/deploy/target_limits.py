"""Whether a bundle meets the limits of the target that it was made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError
from leansort.core.files.typed_result import TypedResult
from leansort.measure.measurement import Measurement
from leansort.search.objectives import F1
from leansort.workflows.deploy.bench import ALONE, WHOLE

_LATENCIES = {"model": ALONE, "label": WHOLE}


class LimitResult(TypedResult):
    """One limit of a target, and what the bundle came to.

    Attributes:
        name: of the limit, as in `target.limits`.
        limit: the worst that is allowed: of `macro_f1` the least, of all others the most.
        value: what was measured or counted, in the unit of the limit.
        met: whether the value keeps to the limit.
    """

    name: str
    limit: float
    value: float
    met: bool

    def __str__(self) -> str:
        """Return such as `label_p99_ms 3.2, at most 5: met`."""
        bound = "at least" if self.name == F1 else "at most"
        return f"{self.name} {self.value:.4g}, {bound} {self.limit:g}: {'met' if self.met else 'not met'}"


def check_limits(
    limits: Mapping[str, float], macro_f1: float, bundle: Bundle, measurements: Sequence[Measurement]
) -> tuple[LimitResult, ...]:
    """Compare what a bundle scores and costs with a target's limits.

    Args:
        limits: by name; see `recipe.target`.
        macro_f1: on the scored split, 0 to 1.
        bundle: what is judged.
        measurements: of that bundle alone, as `bench` gives them, by the target's engine.

    Returns:
        A result for each limit, in their order.

    Raises:
        IntegrityError: a limit is none of `recipe.target`, or its latency is not among the measurements.
    """
    values = {
        F1: macro_f1,
        "size_mb": len(bundle.to_bytes()) / 1e6,
        "macs": bundle.meta.macs,
        "parameters": bundle.meta.parameters,
        **_latencies(measurements),
    }
    if unknown := sorted(limits.keys() - values.keys()):
        raise IntegrityError(f"target.limits: {unknown[0]}: nothing that was measured tells it")
    results = []
    for name, limit in limits.items():
        value = float(values[name])
        results.append(
            LimitResult(name=name, limit=limit, value=value, met=value >= limit if name == F1 else value <= limit)
        )
    return tuple(results)


def _latencies(measurements: Sequence[Measurement]) -> dict[str, float]:
    return {
        f"{kind}_{percentile}_ms": item.percentiles[percentile]
        for item in measurements
        for kind, title in _LATENCIES.items()
        if item.percentiles and item.name.endswith(f": {title}")
        for percentile in ("p50", "p99")
    }

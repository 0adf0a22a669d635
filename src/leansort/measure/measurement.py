"""One measured figure with all that is needed to believe it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue, NonNegativeFloat


class Measurement(BaseModel):
    """A value, how sure it is, and what it was taken on.

    Attributes:
        name: what was measured, e.g. `model latency`.
        value: in `unit`; for a latency the median.
        unit: e.g. `ms`, `images/s`, `macro-F1`.
        low: lower end of the 95 % bootstrap interval of `value`.
        high: upper end.
        count: how many observations.
        mean: of the observations of a latency; None of other figures.
        percentiles: of the observations, keyed `p50`, `p90`, `p99`, where they make sense.
        quantiles: of the observations at equal steps from the least to the largest, where their distribution is kept.
        bundle: digest of the bundle that was measured.
        engine: that ran it.
        threads: compute threads.
        batch: images a call.
        warmup: calls made before the first that counts.
        host: processor, cores, system.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float
    unit: str
    low: float
    high: float
    count: int
    mean: float | None = None
    percentiles: dict[str, NonNegativeFloat] = {}
    quantiles: tuple[NonNegativeFloat, ...] = ()
    bundle: str = ""
    engine: str = ""
    threads: int = 1
    batch: int = 1
    warmup: int = 0
    host: dict[str, JsonValue] = {}

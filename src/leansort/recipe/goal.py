"""The `goal` section of a recipe: what a classifier has to reach, on which device, and how long that may take."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from leansort.core.strict_model import StrictModel
from leansort.search.objectives import F1

LOCAL = "local"
LATENCY, SIZE = "label_p99_ms", "size_mb"


class Goal(StrictModel):
    """What is wanted; at least one of the first three.

    Attributes:
        macro_f1: least macro-F1, above 0 and at most 1.
        p99_ms: most milliseconds from an encoded photo to its label, in 99 of 100 calls.
        size_mb: most MB of the bundle.
        device: address of `leansort agent` on the device, or `local`.
        hours: that all of it may take; None: as long as the recipes take.
    """

    macro_f1: float | None = Field(default=None, gt=0.0, le=1.0)
    p99_ms: float | None = Field(default=None, gt=0.0)
    size_mb: float | None = Field(default=None, gt=0.0)
    device: str = LOCAL
    hours: float | None = Field(default=None, gt=0.0)

    @field_validator("device")
    @classmethod
    def _somewhere(cls, given: str) -> str:
        return given or LOCAL

    @model_validator(mode="after")
    def _require_one(self) -> Goal:
        if not self.limits:
            raise ValueError("nothing is asked for; give at least one of macro_f1, p99_ms and size_mb")
        return self

    @property
    def limits(self) -> dict[str, float]:
        """The same as limits of a target, by its names."""
        named = {F1: self.macro_f1, LATENCY: self.p99_ms, SIZE: self.size_mb}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def address(self) -> str:
        """The device as `target.device` names it: empty for this machine."""
        return "" if self.device == LOCAL else self.device

"""Weights in 16 bits: half the size; they are turned to 32 bits as the engine loads them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from leansort.compress.half import half_weights
from leansort.compress.protocol import Context, Outcome
from leansort.core.bundle import Bundle

STAGE = "graph"
NOTE = "16-bit weights bring size, no speed: the engine computes in what it did before"


class Config(BaseModel):
    """No settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def apply(bundle: Bundle, config: Config, context: Context) -> Outcome:
    """Store them so."""
    made, before = half_weights(bundle), len(bundle.to_bytes())
    notes = {"bytes": len(made.to_bytes()), "before": before}
    return Outcome(made, notes) if notes["bytes"] < before else Outcome(bundle, notes, "there is nothing to halve")

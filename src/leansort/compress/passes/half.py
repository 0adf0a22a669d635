"""Weights in 16 bits: half the size; they are turned to 32 bits as the engine loads them."""

from __future__ import annotations

from leansort.compress.passes_api import PassContext, PassOutcome
from leansort.compress.quantization.half_precision import Half, half_weights
from leansort.core.bundle import Bundle
from leansort.core.strict_model import StrictModel

STAGE = "graph"
LAST = True  # quantizing reads 32-bit weights
NOTE = "16-bit weights bring size, no speed: the engine computes in what it did before"


class Config(StrictModel):
    """Which 16 bits.

    Attributes:
        kind: `fp16` rounds more finely, `bf16` holds any number that 32 bits do; larger ones `fp16` leaves as they are.
    """

    kind: Half = "fp16"


def apply(bundle: Bundle, config: Config, context: PassContext) -> PassOutcome:
    """Store them so."""
    made, before = half_weights(bundle, config.kind), len(bundle.to_bytes())
    notes = {"bytes": len(made.to_bytes()), "before": before}
    return (
        PassOutcome(made, notes) if notes["bytes"] < before else PassOutcome(bundle, notes, "there is nothing to halve")
    )

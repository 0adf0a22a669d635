"""Weights in 16 bits: half the size; they are turned to 32 bits as the engine loads them."""

from __future__ import annotations

from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome
from leansort.compress.quantization.half_precision import Half, half_weights
from leansort.core.bundle import Bundle
from leansort.core.strict_model import StrictModel


class HalfConfig(StrictModel):
    """Which 16 bits.

    Attributes:
        kind: `fp16` rounds more finely, `bf16` holds any number that 32 bits do; larger ones `fp16` leaves as they are.
    """

    kind: Half = "fp16"


class HalfPass(CompressionPass[HalfConfig, Bundle]):
    """Stores weights in 16 bits."""

    Config = HalfConfig
    stage = "graph"
    note = "16-bit weights bring size, no speed: the engine computes in what it did before"
    last = True  # quantizing reads 32-bit weights

    def apply(self, bundle: Bundle, context: PassContext) -> PassOutcome:
        """Store them so."""
        made, before = half_weights(bundle, self.config.kind), len(bundle.to_bytes())
        notes = {"bytes": len(made.to_bytes()), "before": before}
        if notes["bytes"] >= before:
            return PassOutcome(bundle, notes, "there is nothing to halve")
        return PassOutcome(made, notes)

"""The `augment` section of a recipe; apart from the transforms, so that checking a recipe loads no torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AugmentConfig(BaseModel):
    """How training crops are varied.

    Attributes:
        min_scale: smallest share of the crop's area that a random resized crop keeps.
        flip_horizontal: probability.
        flip_vertical: probability; trash lies any way up.
        randaugment: operators a picture (arXiv:1909.13719); 0 turns it off.
        magnitude: strength of the operators, 0-30.
        erase: probability of erasing a random rectangle (arXiv:1708.04896).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_scale: float = Field(default=0.5, gt=0.0, le=1.0)
    flip_horizontal: float = Field(default=0.5, ge=0.0, le=1.0)
    flip_vertical: float = Field(default=0.5, ge=0.0, le=1.0)
    randaugment: int = Field(default=2, ge=0, le=6)
    magnitude: int = Field(default=7, ge=0, le=30)
    erase: float = Field(default=0.1, ge=0.0, le=1.0)

"""The `augment` section of a recipe; apart from the transforms, so that checking a recipe loads no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from leansort.core.strict_model import StrictModel
from leansort.data.augmentation.robust.robust_config import RobustConfig

Operator = Literal[
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast",
    "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize", "Invert", "SolarizeAdd",
]  # fmt: skip
PAPER: tuple[Operator, ...] = (
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast",
    "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize",
)  # fmt: skip


class AugmentConfig(StrictModel):
    """How training crops are varied.

    Attributes:
        min_scale: smallest fraction of the crop's area that a random resized crop keeps.
        ratio: its width over its height lies between 1/ratio and ratio; 1 keeps the aspect.
        flip_horizontal: probability.
        flip_vertical: probability; trash lies any way up.
        rotation: largest turn either way in degrees; 0 turns it off.
        randaugment: operators an image (arXiv:1909.13719); 0 turns it off.
        magnitude: strength of RandAugment's operators, 0-30.
        trivial: one operator of random strength and wider range (arXiv:2103.10158); needs `randaugment: 0`.
        operators: what both draw from; the papers' 14, and there are `Invert` and `SolarizeAdd`.
        cutout: side of a square greyed out in every image, as a fraction of the image's (arXiv:1708.04552).
        erase: probability of erasing a random rectangle (arXiv:1708.04896).
        mixup: alpha of blending images in pairs (arXiv:1710.09412); 0 turns it off.
        cutmix: alpha of pasting a part of one image into another (arXiv:1905.04899); 0 turns it off. With both on,
            each batch gets one of them.
        views: how many ways a crop is varied in all, which then come back epoch after epoch, so that teachers need to
            look at each but once; 0 varies it anew every epoch.
        robust: what befalls crops on a robot, before all else.
    """

    min_scale: float = Field(default=0.5, gt=0.0, le=1.0)
    ratio: float = Field(default=4 / 3, ge=1.0, le=4.0)
    flip_horizontal: float = Field(default=0.5, ge=0.0, le=1.0)
    flip_vertical: float = Field(default=0.5, ge=0.0, le=1.0)
    rotation: float = Field(default=0.0, ge=0.0, le=180.0)
    randaugment: int = Field(default=0, ge=0, le=6)
    magnitude: int = Field(default=7, ge=0, le=30)
    trivial: bool = False
    operators: tuple[Operator, ...] = Field(default=PAPER, min_length=1)
    cutout: float = Field(default=0.0, ge=0.0, le=1.0)
    erase: float = Field(default=0.0, ge=0.0, le=1.0)
    mixup: float = Field(default=0.0, ge=0.0, le=10.0)
    cutmix: float = Field(default=0.0, ge=0.0, le=10.0)
    views: int = Field(default=0, ge=0, le=10_000)
    robust: RobustConfig = RobustConfig()

    @model_validator(mode="after")
    def _one_policy(self) -> AugmentConfig:
        if self.trivial and self.randaugment:
            raise ValueError(f"trivial takes RandAugment's place: set randaugment to 0, got {self.randaugment}")
        return self

"""The `augment.robust` section of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from leansort.core.strict_model import StrictModel
from leansort.measure.corruptions.kinds import BACKGROUND, KINDS

Ground = Literal["tiles", "concrete", "wood", "belt", "gravel", "cardboard"]
GROUNDS: tuple[Ground, ...] = ("tiles", "concrete", "wood", "belt", "gravel", "cardboard")
Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class RobustConfig(StrictModel):
    """How often training crops get what `leansort stress` measures, kind by kind; all off by default.

    Attributes:
        background: probability that the object is cut out and put on another ground; crops whose object cannot be cut
            out stay as they are.
        distance: probability of a smaller object in more of its surroundings.
        crop_error: probability of a box that is shifted and too loose or too tight.
        crush: probability of a crushed object.
        rotation: probability of a turn, with the corners filled.
        occlusion: probability that a thing covers a part.
        darker: probability of less light.
        brighter: probability of more light.
        contrast: probability of less contrast.
        colour_cast: probability of light of another colour.
        dirt: probability of a dirty lens.
        blur: probability of being out of focus.
        motion_blur: probability of having moved.
        noise: probability of Gaussian noise.
        shot_noise: probability of Poisson noise.
        jpeg: probability of strong compression.
        level: highest level of `leansort stress` that is drawn, each from 1 on as often; 1 to 5.
        most: kinds that a crop gets at once, at most.
        grounds: kinds of drawn grounds that objects are put on.
        textures: folder of photos of grounds, used every other time in place of drawn ones.
        annotations: COCO files by whose polygons objects are cut out; without them, or for crops that have none,
            that is done by colour.
    """

    background: Probability = 0.0
    distance: Probability = 0.0
    crop_error: Probability = 0.0
    crush: Probability = 0.0
    rotation: Probability = 0.0
    occlusion: Probability = 0.0
    darker: Probability = 0.0
    brighter: Probability = 0.0
    contrast: Probability = 0.0
    colour_cast: Probability = 0.0
    dirt: Probability = 0.0
    blur: Probability = 0.0
    motion_blur: Probability = 0.0
    noise: Probability = 0.0
    shot_noise: Probability = 0.0
    jpeg: Probability = 0.0
    level: int = Field(default=3, ge=1, le=5)
    most: int = Field(default=2, ge=1, le=16)
    grounds: tuple[Ground, ...] = Field(default=GROUNDS, min_length=1)
    textures: Path | None = None
    annotations: tuple[Path, ...] = ()

    @property
    def probabilities(self) -> dict[str, float]:
        """The probability of each kind, in the order in which they are done: object, view, light, lens, sensor."""
        return {name: float(getattr(self, name)) for name in type(self).model_fields if name in KINDS}

    @property
    def is_on(self) -> bool:
        """Whether anything may happen to a crop."""
        return any(self.probabilities.values())

    @model_validator(mode="after")
    def _all_has_effect(self) -> RobustConfig:
        fields = type(self).model_fields
        for name in ("grounds", "textures", "annotations", *(() if self.is_on else ("level", "most"))):
            kind = "a kind's" if name in ("level", "most") else BACKGROUND
            if getattr(self, name) != fields[name].default and not self.background:
                raise ValueError(f"{name} has no effect without {kind} probability above 0")
        return self

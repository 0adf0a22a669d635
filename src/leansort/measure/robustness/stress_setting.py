"""Which stress networks are compared under, where a compression, a search or an ablation asks for it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator, model_validator

from leansort.core.errors import not_one_of
from leansort.core.strict_model import StrictModel
from leansort.measure.corruptions.kinds import BACKGROUND, KINDS, LEVELS, MIDDLE

MOST_CROPS = 100  # where no number is named, so that stress costs little beside a training


class StressSetting(StrictModel):
    """Val crops under kinds of corruption at one level; the mean of their macro-F1 is what networks keep under stress.

    Attributes:
        kinds: of `leansort stress`; empty for all.
        level: of each kind, 1 to 5.
        crops: val crops that are taken, the classes in proportion; None takes at most 100.
        seed: of all randomness; the training's own seed changes no pixel.
        textures: folder of photos of grounds, used every other time in place of drawn ones.
        annotations: COCO files by whose polygons objects are cut out; without them, or for crops that have none,
            that is done by colour.
    """

    kinds: tuple[str, ...] = ()
    level: int = Field(default=MIDDLE, ge=1, le=LEVELS)
    crops: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)
    textures: Path | None = None
    annotations: tuple[Path, ...] = ()

    @field_validator("kinds")
    @classmethod
    def _known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for name in given:
            if name not in KINDS:
                raise ValueError(str(not_one_of("kind", name, KINDS)))
        if len(set(given)) < len(given):
            raise ValueError("a kind is there twice")
        return given

    @model_validator(mode="after")
    def _all_has_effect(self) -> StressSetting:
        for name in ("textures", "annotations"):
            if getattr(self, name) and BACKGROUND not in self.all_kinds:
                raise ValueError(f"{name} has no effect without the kind {BACKGROUND!r}")
        return self

    @property
    def all_kinds(self) -> tuple[str, ...]:
        """The kinds in the order in which they are told."""
        return tuple(name for name in KINDS if not self.kinds or name in self.kinds)

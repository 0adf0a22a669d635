"""Another input size, or another fit: fewer pixels to compute on, and a photo that is decoded at a smaller scale."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from leansort.arch.analysis.summary import require_input_size
from leansort.arch.timm_models import timm_networks
from leansort.arch.trained_model import TrainedModel
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome
from leansort.core.errors import LeansortError, UserError
from leansort.core.preprocess import Fit, Preprocess
from leansort.core.strict_model import StrictModel

Side = Annotated[int, Field(ge=16, le=1024)]  # as of `Preprocess`


class ResizeInputConfig(StrictModel):
    """What the input becomes; at least one of `size` and `fit`.

    Attributes:
        size: side of the square input in pixels, 16 to 1024, or a list of sides: the smallest is tried first, and where
            it costs too much, larger ones. None keeps it.
        fit: how images are made square: `pad`, `stretch` or `crop`, as in the recipe's `preprocess`. None keeps it.
        larger: allow sizes larger than the network's own; they are slower, so `faster: false` belongs beside it.
    """

    size: tuple[Side, ...] | None = Field(default=None, min_length=1, max_length=20)
    fit: Fit | None = None
    larger: bool = False

    @field_validator("size", mode="before")
    @classmethod
    def _listed(cls, size: object) -> object:
        return [size] if isinstance(size, int) and not isinstance(size, bool) else size

    @field_validator("size")
    @classmethod
    def _from_large_to_small(cls, size: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return tuple(sorted(set(size), reverse=True)) if size else size

    @model_validator(mode="after")
    def _changes_something(self) -> ResizeInputConfig:
        if self.size is None and self.fit is None:
            raise ValueError("needs size, fit, or both")
        if self.larger and self.size is None:
            raise ValueError("larger has no effect without size; leave it out")
        return self


class ResizeInputPass(CompressionPass[ResizeInputConfig, TrainedModel]):
    """Changes the size of the input, its fit, or both; the weights stay, for `finetune` to adapt them."""

    Config = ResizeInputConfig
    stage = "model"
    faster = True
    note = "its weights are those of the other input until a `finetune` or a later step trains it"

    def weaker(self, fraction: float) -> ResizeInputPass | None:
        """Leave out the smallest sizes; None where there is but one."""
        sizes = self.config.size or ()
        if len(sizes) < 2:
            return None
        return self.changed(size=sizes[: max(1, math.ceil(fraction * len(sizes)))])

    def obstacle(self, earlier: CompressionPass) -> str:
        """A size larger than one that is there already."""
        before = earlier.config.size if isinstance(earlier, ResizeInputPass) else None
        if not before or not self.config.size or self.config.larger or self.config.size[0] <= before[-1]:
            return ""
        return f"size is {self.config.size[0]}, larger than the {before[-1]} px"

    def unfit(self, model: TrainedModel) -> str:
        """Sizes larger than the network's own, where that is not allowed, and sizes that it does not take."""
        own = model.preprocess.size
        for size in self.config.size or ():
            if size > own and not self.config.larger:
                return f"size: got {size}, the network takes {own} px; allowed: 16 to {own}, or more with larger: true"
            try:
                _resized(model, self._preprocess(model, size))
            except LeansortError as error:
                return f"size: got {size}, which the network cannot take: {error}"
        return ""

    def apply(self, model: TrainedModel, context: PassContext) -> PassOutcome:
        """Change the input to the smallest of the sizes.

        Raises:
            UserError: a size is larger than the network's own and that is not allowed, or the network does not take it.
        """
        if fault := self.unfit(model):
            raise UserError(f"{self.name}: {fault}")
        given, wanted = model.preprocess, self._preprocess(model, (self.config.size or (model.preprocess.size,))[-1])
        notes = {"from": _told(given), "to": _told(wanted)}
        if wanted == given:
            return PassOutcome(model, notes, f"the input is {given.size} px, {given.fit}, already")
        made = _resized(model, wanted)
        return PassOutcome(replace(made, provenance={**made.provenance, "resized_input": notes}), notes)

    def _preprocess(self, model: TrainedModel, size: int) -> Preprocess:
        return model.preprocess.model_copy(update={"size": size, "fit": self.config.fit or model.preprocess.fit})


def _told(preprocess: Preprocess) -> dict[str, int | str]:
    return {"size": preprocess.size, "fit": preprocess.fit}


def _resized(model: TrainedModel, preprocess: Preprocess) -> TrainedModel:
    """The network behind another preprocessing.

    Raises:
        LeansortError: it does not take that size, or its weights are for one size alone.
    """
    if preprocess.size == model.preprocess.size:
        return replace(model, preprocess=preprocess)
    made = replace(model, spec=timm_networks.change_input_size(model.spec, preprocess.size), preprocess=preprocess)
    require_input_size(made.network(), preprocess.size)
    return made

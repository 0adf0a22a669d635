"""An architecture as data: a base and edits, from which `build` makes the same network every time."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class FuseBatchNorm(BaseModel):
    """Edit: every batch norm that follows a convolution is folded into it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: Literal["fuse_batch_norm"] = "fuse_batch_norm"


class ArchSpec(BaseModel):
    """What `build` needs to make a network.

    Attributes:
        version: of this schema.
        base: the backbone's name, or any name where `model` is given.
        model: a model file's content in named fields (`rows`, `divisor`, `width`); None takes the backbone's own.
        classes: outputs of the classifier.
        width: multiplies the channels.
        dropout: in front of the classifier; None keeps the backbone's own.
        edits: changes made to the base, in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    base: str = "mnasnet"
    classes: int = Field(ge=2)
    width: float = Field(default=1.0, gt=0.05, le=4.0)
    dropout: float | None = Field(default=None, ge=0.0, lt=1.0)
    edits: tuple[FuseBatchNorm, ...] = ()
    model: dict[str, Any] | None = None

    def edited(self, edit: FuseBatchNorm) -> ArchSpec:
        """Return this spec with one more edit."""
        return self.model_copy(update={"edits": (*self.edits, edit)})

    def to_json(self) -> dict[str, Any]:
        """As plain data; `ArchSpec.model_validate` reads it back equal."""
        return self.model_dump(mode="json")

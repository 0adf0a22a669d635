"""An architecture as data: a base and edits, from which `build` makes the same network every time."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from leansort.core.strict_model import StrictModel

Init = Literal["small", "paper"]
Positive = Annotated[int, Field(ge=1)]


class Norm(StrictModel):
    """Settings of every batch norm.

    Attributes:
        momentum: fraction of the running statistics that a batch replaces.
        eps: added to the variance.
    """

    momentum: float | None = Field(default=None, gt=0.0, le=1.0)
    eps: float | None = Field(default=None, gt=0.0, le=0.1)


class FuseBatchNorm(StrictModel):
    """Edit: every batch norm that alone follows a convolution is folded into it; branches that can merge are merged."""

    op: Literal["fuse_batch_norm"] = "fuse_batch_norm"


class Resize(StrictModel):
    """Edit: layers have other channel counts, as pruning leaves them.

    Attributes:
        layers: (channels in, channels out, groups) of a convolution, (in, out, 1) of a linear layer, (channels,
            channels, 1) of a batch norm, by module name.
    """

    op: Literal["resize"] = "resize"
    layers: dict[str, tuple[Positive, Positive, Positive]]


class Factorized(StrictModel):
    """How one layer is split.

    Attributes:
        method: `tucker` (1x1, k x k, 1x1; arXiv:1511.06530), `cp` (1x1, k x 1, 1 x k, 1x1; arXiv:1412.6553) or `svd`
            (two layers; for 1x1 convolutions and linear layers).
        ranks: of `tucker` (channels in, channels out); of the others one. Of each group, where a convolution has
            several; a depthwise one cannot be split.
    """

    method: Literal["tucker", "cp", "svd"]
    ranks: tuple[Positive, ...] = Field(min_length=1, max_length=2)


class Factorize(StrictModel):
    """Edit: layers are replaced by the chains of smaller ones that approximate them."""

    op: Literal["factorize"] = "factorize"
    layers: dict[str, Factorized]


class Remove(StrictModel):
    """Edit: modules that keep the shape (residual blocks) are left out, by module name."""

    op: Literal["remove"] = "remove"
    layers: tuple[str, ...]


class Truncate(StrictModel):
    """Edit: a chain of parts ends earlier, with a pool and a classifier of its own behind the last part that stays.

    Attributes:
        parts: that stay, counted from the input.
        channels: that the last of them puts out.
        classes: outputs of the new classifier.
    """

    op: Literal["truncate"] = "truncate"
    parts: Positive
    channels: Positive
    classes: int = Field(ge=2)


Edit = Annotated[FuseBatchNorm | Resize | Factorize | Remove | Truncate, Field(discriminator="op")]


class ArchSpec(StrictModel):
    """What `build` needs to make a network.

    Attributes:
        version: of this schema.
        base: the backbone's name, `timm:NAME`, or any name where `model` is given.
        model: a model file's content in named fields (`rows`, `divisor`, …); None takes the backbone's own.
        options: settings of a backbone in code or of a timm model.
        classes: outputs of the classifier.
        width: multiplies the channels.
        depth: multiplies the repeats of rows that repeat.
        dropout: in front of the classifier; None keeps the backbone's own.
        drop_path: probability of skipping the last residual block in training, falling to 0 towards the first
            (stochastic depth, arXiv:1603.09382).
        norm: replaces the batch norms' own settings.
        init: how a network of rows begins: `small` draws depthwise kernels small and keeps PyTorch's batch norms, which
            learns fastest from scratch; `paper` does both as the network's authors did.
        edits: changes made to the base, in order.
    """

    version: Literal[1] = 1
    base: str = "mnasnet"
    classes: int = Field(ge=2)
    width: float = Field(default=1.0, gt=0.05, le=4.0)
    depth: float = Field(default=1.0, gt=0.0, le=4.0)
    dropout: float | None = Field(default=None, ge=0.0, lt=1.0)
    drop_path: float = Field(default=0.0, ge=0.0, lt=1.0)
    norm: Norm = Norm()
    init: Init = "small"
    options: dict[str, Any] = Field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    model: dict[str, Any] | None = None

    def edited(self, edit: FuseBatchNorm | Resize | Factorize | Remove | Truncate) -> ArchSpec:
        """Return this spec with one more edit."""
        return self.model_copy(update={"edits": (*self.edits, edit)})

    def to_json(self) -> dict[str, Any]:
        """As plain data; `ArchSpec.model_validate` reads it back equal."""
        return self.model_dump(mode="json")

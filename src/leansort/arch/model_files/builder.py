"""From the rows of a model file to a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from leansort.arch.layers import blocks, mobile_blocks
from leansort.arch.layers.same_padding import SameAvgPool2d, SameMaxPool2d
from leansort.arch.model_files.rows import BLOCKS, ModelFile, Row
from leansort.arch.spec.spec import ArchSpec
from leansort.core.errors import UserError, one_line

_OWN = ("block", "name", "from", "grow_only", "fixed", "repeat", "stride_last", "out_last", "out", "stride")


class Concat(nn.Module):
    """Lay channels side by side; height and width must match."""

    def forward(self, *xs_bchw: Tensor) -> Tensor:
        """Map several (b, c, h, w) to one of all their channels."""
        return torch.cat(xs_bchw, dim=1)


class Add(nn.Module):
    """Add inputs of one shape."""

    def forward(self, *xs_bchw: Tensor) -> Tensor:
        """Map several (b, c, h, w) to their sum."""
        total = xs_bchw[0]
        for x_bchw in xs_bchw[1:]:
            total = total + x_bchw
        return total


class RowGraph(nn.Module):
    """Rows that read others than the one before.

    Args:
        rows: one module a row.
        sources: for each row the rows it reads, -1 being the image.
    """

    def __init__(self, rows: Sequence[nn.Module], sources: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.rows = nn.ModuleList(rows)
        self.sources = [list(reads) for reads in sources]

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Map (b, 3, h, w) to what the last row puts out."""
        out = {-1: x_bchw}
        for number, row in enumerate(self.rows):
            # No block changes its input in place, so several rows may read one tensor.
            out[number] = row(*(out[source] for source in self.sources[number]))
        return out[len(self.rows) - 1]


def build_network(model: ModelFile, spec: ArchSpec) -> nn.Module:
    """Build the network of a model file.

    Args:
        model: as `rows.read` gives it.
        spec: classes, width, depth and dropout; its `base` and `model` are not read.

    Returns:
        A network from (b, 3, h, w) float to (b, classes) logits.

    Raises:
        UserError: a row cannot be built on what it reads, or the last one puts out no channel for each class.
    """
    built: list[list[nn.Module]] = []
    channels = [3]  # of the image, then of each row
    for place, row, reads in zip(model.places, model.rows, model.sources, strict=True):
        try:
            coming = _coming(row, [channels[read + 1] for read in reads])
            made, out = _modules(row, coming, model, spec)
        except (ValueError, ZeroDivisionError, RuntimeError) as error:  # e.g. groups that do not divide the channels
            raise UserError(f"{place}, {row['block']}: {error}") from None
        for module in made:
            module.row = f"{place}, {row['block']}"  # type: ignore[assignment]
        built.append(made)
        channels.append(out)
    if channels[-1] != spec.classes:
        last = f"{model.places[-1]}, {model.rows[-1]['block']}"
        raise UserError(
            f"{last}: the last row puts out {channels[-1]} channels, need {spec.classes}, one for each class"
        )
    if model.is_chain:
        return nn.Sequential(*(module for made in built for module in made))
    return RowGraph([made[0] if len(made) == 1 else nn.Sequential(*made) for made in built], model.sources)


def _coming(row: Row, channels: Sequence[int]) -> int:
    if row["block"] == "concat":
        return sum(channels)
    if len(set(channels)) > 1:
        raise ValueError(f"its inputs have {', '.join(map(str, channels))} channels, need equal ones")
    return channels[0]


def _modules(row: Row, cin: int, model: ModelFile, spec: ArchSpec) -> tuple[list[nn.Module], int]:
    """A row's modules, one a repeat, and the channels they put out."""
    repeat = row.get("repeat", 1)
    if repeat > 1:
        repeat = max(round(repeat * model.depth * spec.depth), 1)
    if row["block"] not in BLOCKS:
        out = spec.classes if row["block"] == "linear" else cin
        return [_plain(row, cin if at == 0 else out, spec) for at in range(repeat)], out
    wanted = _channels(row, cin, model, spec)
    fields = {name: value for name, value in row.items() if name not in _OWN}
    made = []
    for at in range(repeat):
        out = wanted if at == repeat - 1 or not row.get("out_last") else cin
        strides = at == (repeat - 1 if row.get("stride_last") else 0) and "stride" in row
        stride = {"stride": row["stride"]} if strides else {}
        try:
            made.append(BLOCKS[row["block"]](cin, out, **fields, **stride))
        except (ValueError, ZeroDivisionError, RuntimeError, TypeError) as error:
            raise ValueError(f"{one_line(error, 120)}, {cin} channels come in") from None
        cin = out
    return made, cin


def _channels(row: Row, cin: int, model: ModelFile, spec: ArchSpec) -> int:
    """What a row puts out; `in` keeps the width that comes in, `classes` is the classifier's."""
    if isinstance(row["out"], str):
        return {"in": cin, "classes": spec.classes}[row["out"]]
    if row.get("fixed"):
        return int(row["out"])
    width = model.width * spec.width
    wanted = row["out"] * (max(width, 1.0) if row.get("grow_only") else width)
    return max(1, int(wanted)) if model.divisor == 1 else mobile_blocks.make_divisible(wanted, model.divisor)


def _plain(row: Row, cin: int, spec: ArchSpec) -> nn.Module:
    same = row.get("padding") == "same"
    window: Any = (row.get("kernel"), row.get("stride"), 0 if same else row.get("padding", 0))
    makers: dict[str, Callable[[], Any]] = {
        "pool": lambda: blocks.GlobalPool(bool(row.get("keep"))),
        "flatten": nn.Flatten,
        "dropout": lambda: nn.Dropout(row["p"] if spec.dropout is None else spec.dropout),
        "linear": lambda: nn.Linear(cin, spec.classes),
        "max_pool": lambda: (SameMaxPool2d if same else nn.MaxPool2d)(*window),
        "avg_pool": lambda: (SameAvgPool2d if same else nn.AvgPool2d)(*window),
        "concat": Concat,
        "add": Add,
    }
    return makers[row["block"]]()  # type: ignore[no-any-return]

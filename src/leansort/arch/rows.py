"""Networks that are chains, as rows of named fields in YAML.

    {block: inverted_residual, expand: 3, out: 24, repeat: 3, stride: 2, kernel: 3}

A repeated row keeps its stride for the first repeat only. Channels are multiplied by the width and cut to an
integer, or made divisible by the file's `divisor`; a row with `grow_only: true` is multiplied only by widths above 1.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from leansort.arch import blocks, mobile
from leansort.core import strict
from leansort.core.errors import UserError, not_one_of

Row = dict[str, Any]
BLOCKS: dict[str, Callable[..., nn.Module]] = {
    "conv": blocks.ConvBlock,
    "inverted_residual": blocks.InvertedResidual,
    "mobile": mobile.MobileResidual,
    "separable": mobile.Separable,
    "bottleneck": mobile.Bottleneck,
    "dense": blocks.Dense,
}
PLAIN = {"pool": (), "dropout": ("p",), "linear": ()}
_CONTROL = ("block", "repeat", "grow_only")


@dataclass(frozen=True)
class ModelFile:
    """A model file.

    Attributes:
        rows: one a block or run of equal blocks.
        divisor: channels become multiples of this; 1 cuts them to an integer.
    """

    rows: tuple[Row, ...]
    divisor: int = 1


def read(path: Path) -> ModelFile:
    """Read a model file and check every field.

    Raises:
        UserError: not YAML, no `rows`, an unknown block or field; the message names the file and the row.
        MissingExtraError: pyyaml is not installed.
    """
    tree = strict.yaml_tree(path, "model file", "rows, divisor")
    for key in tree:
        if key not in ("rows", "divisor"):
            raise not_one_of(f"model file {path}: key", str(key), ("rows", "divisor"))
    rows, divisor = tree.get("rows"), tree.get("divisor", 1)
    if not isinstance(rows, list) or not rows:
        raise UserError(f"model file {path}: needs a list called 'rows'")
    if not isinstance(divisor, int) or divisor < 1:
        raise UserError(f"model file {path}: divisor: got {divisor!r}, need a whole number from 1")
    for number, row in enumerate(rows, 1):
        _check(row, f"{path.name} row {number}")
    return ModelFile(tuple(rows), divisor)


def _check(row: Any, where: str) -> None:
    if not isinstance(row, dict) or "block" not in row:
        raise UserError(f"{where}: got {row!r}, need fields like {{block: conv, out: 24}}")
    if row["block"] not in (*BLOCKS, *PLAIN):
        raise not_one_of(f"{where}: block", str(row["block"]), (*BLOCKS, *PLAIN))
    allowed = (*_CONTROL, *_fields(row["block"]))
    for name in row:
        if name not in allowed:
            raise not_one_of(f"{where}: field", str(name), allowed)
    if row.get("act", "relu") not in blocks.ACTIVATIONS:
        raise not_one_of(f"{where}: act", str(row["act"]), blocks.ACTIVATIONS)


def _fields(block: str) -> tuple[str, ...]:
    if block in PLAIN:
        return PLAIN[block]
    return tuple(inspect.signature(BLOCKS[block]).parameters)[1:]


def chain(model: ModelFile, *, classes: int, width: float, dropout: float | None) -> nn.Sequential:
    """Build the network of a model file.

    Args:
        model: as `read` gives it.
        classes: outputs of `linear` rows.
        width: channel multiplier.
        dropout: replaces the rows' own where not None.

    Returns:
        A network from (b, 3, h, w) float to (b, classes) logits.
    """
    layers: list[nn.Module] = []
    channels = 3
    for row in model.rows:
        if row["block"] == "pool":
            made: list[nn.Module] = [blocks.GlobalPool()]
        elif row["block"] == "dropout":
            made = [nn.Dropout(row["p"] if dropout is None else dropout)]
        elif row["block"] == "linear":
            made, channels = [nn.Linear(channels, classes)], classes
        else:
            made, channels = _blocks(row, channels, _channels(row, width, model.divisor))
        layers += made
    return nn.Sequential(*layers)


def _channels(row: Row, width: float, divisor: int) -> int:
    wanted = row["out"] * (max(width, 1.0) if row.get("grow_only") else width)
    return int(wanted) if divisor == 1 else mobile.make_divisible(wanted, divisor)


def _blocks(row: Row, cin: int, out: int) -> tuple[list[nn.Module], int]:
    """A row's blocks; a repeated one keeps its stride for the first."""
    fields = {name: value for name, value in row.items() if name not in (*_CONTROL, "out", "stride")}
    first = {"stride": row["stride"]} if "stride" in row else {}
    block = BLOCKS[row["block"]]
    again = [block(out, out, **fields) for _ in range(row.get("repeat", 1) - 1)]
    return [block(cin, out, **first, **fields), *again], out

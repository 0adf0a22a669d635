"""Networks that are chains, as rows of named fields in YAML.

    {block: inverted_residual, expand: 3, out: 24, repeat: 3, stride: 2, kernel: 3}

A repeated row keeps its stride for the first repeat only. Channels are multiplied by the width and cut to an
integer; a row with `grow_only: true` is multiplied only by widths above 1.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from leansort.arch import blocks
from leansort.core.errors import MissingExtraError, UserError, not_one_of

Row = dict[str, Any]
BLOCKS: dict[str, Callable[..., nn.Module]] = {
    "conv": blocks.ConvBlock,
    "inverted_residual": blocks.InvertedResidual,
}
PLAIN = {"pool": (), "dropout": ("p",), "linear": ()}
_CONTROL = ("block", "repeat", "grow_only")


def read(path: Path) -> list[Row]:
    """Read the rows of a model file and check every field.

    Raises:
        UserError: not YAML, no `rows`, an unknown block or field; the message names the file and the row.
    """
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        raise MissingExtraError("yaml", "train") from None
    try:
        tree = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise UserError(f"model file {path}: not YAML ({' '.join(str(error).split())[:120]})") from None
    rows = tree.get("rows") if isinstance(tree, dict) else None
    if not isinstance(rows, list) or not rows:
        raise UserError(f"model file {path}: needs a list called 'rows'")
    for number, row in enumerate(rows, 1):
        _check(row, f"{path.name} row {number}")
    return rows


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


def chain(rows: list[Row], *, classes: int, width: float, dropout: float | None) -> nn.Sequential:
    """Build the network of a list of rows.

    Args:
        rows: as `read` gives them.
        classes: outputs of `linear` rows.
        width: channel multiplier.
        dropout: replaces the rows' own where not None.

    Returns:
        A network from (b, 3, h, w) float to (b, classes) logits.
    """
    layers: list[nn.Module] = []
    channels = 3
    for row in rows:
        made, channels = _layers(row, channels, classes, width, dropout)
        layers += made
    return nn.Sequential(*layers)


def _layers(row: Row, cin: int, classes: int, width: float, dropout: float | None) -> tuple[list[nn.Module], int]:
    kind = row["block"]
    if kind == "pool":
        return [blocks.GlobalPool()], cin
    if kind == "dropout":
        return [nn.Dropout(row["p"] if dropout is None else dropout)], cin
    if kind == "linear":
        return [nn.Linear(cin, classes)], classes
    out = int(row["out"] * (max(width, 1.0) if row.get("grow_only") else width))
    fields = {name: value for name, value in row.items() if name not in (*_CONTROL, "out", "stride")}
    strides = [row.get("stride", 1)] + [1] * (row.get("repeat", 1) - 1)
    inputs = [cin] + [out] * (len(strides) - 1)
    return [BLOCKS[kind](c, out, stride=s, **fields) for c, s in zip(inputs, strides, strict=True)], out

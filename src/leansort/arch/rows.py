"""Networks that are chains, as rows of named fields in YAML.

    {block: inverted_residual, expand: 3, out: 24, repeat: 3, stride: 2, kernel: 3}

A repeated row keeps its stride for the first repeat only. Channels are multiplied by the width and cut to an
integer, or made divisible by the file's `divisor`; a row with `grow_only: true` is multiplied only by widths above 1.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from leansort.arch import blocks, grammar, mobile
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
    "depthwise": blocks.Depthwise,
}
_WINDOW = ("kernel", "stride", "padding")
PLAIN = {
    "pool": ("keep",), "dropout": ("p",), "linear": (), "flatten": (), "max_pool": _WINDOW, "avg_pool": _WINDOW,
}  # fmt: skip
_CONTROL = ("block", "repeat", "grow_only", "fixed")
NEEDED = {"dropout": ("p",), "max_pool": ("kernel",), "avg_pool": ("kernel",)}
CHOICES: dict[str, Collection[str]] = {"act": blocks.ACTIVATIONS, "style": ("v3", "moga", "efficient")}
FLAGS = ("se", "shortcut", "keep", "fixed", "grow_only", "bias")
RANGES = {  # least, most, whole numbers only
    "out": (1, 65_536, True), "kernel": (1, 63, True), "stride": (1, 16, True), "groups": (1, 65_536, True),
    "padding": (0, 31, True), "repeat": (1, 1000, True), "expand": (0.01, 64, False), "p": (0, 0.999, False),
}  # fmt: skip
_KEYS = ("rows", "divisor", "width")


@dataclass(frozen=True)
class ModelFile:
    """A model file.

    Attributes:
        rows: one a block or run of equal blocks.
        divisor: channels become multiples of this; 1 cuts them to an integer.
        width: multiplies the channels, beside the width that a spec asks for.
    """

    rows: tuple[Row, ...]
    divisor: int = 1
    width: float = 1.0


def read(path: Path) -> ModelFile:
    """Read a model file and check every field.

    Raises:
        UserError: not YAML, no `rows`, an unknown block or field; the message names the file and the row.
        MissingExtraError: pyyaml is not installed.
    """
    return of(strict.yaml_tree(path, "model file", "rows, divisor"), path.name)


def of(tree: dict[str, Any], where: str) -> ModelFile:
    """Check a model file's tree, in named fields or in the grammar of `[repeat, module, args]`.

    Raises:
        UserError: as `read` does; `where` names the file.
    """
    if grammar.is_grammar(tree):
        tree = grammar.named(tree, where)
    for key in tree:
        if key not in _KEYS:
            raise not_one_of(f"model file {where}: key", str(key), _KEYS)
    rows, divisor = tree.get("rows"), tree.get("divisor", 1)
    if not isinstance(rows, list) or not rows:
        raise UserError(f"model file {where}: needs a list called 'rows'")
    if isinstance(divisor, bool) or not isinstance(divisor, int) or divisor < 1:
        raise UserError(f"model file {where}: divisor: got {divisor!r}, need a whole number from 1")
    for number, row in enumerate(rows, 1):
        _check(row, f"{where} row {number}")
    return ModelFile(tuple(rows), divisor, float(tree.get("width", 1.0)))


def _check(row: Any, where: str) -> None:
    if not isinstance(row, dict) or "block" not in row:
        raise UserError(f"{where}: got {row!r}, need fields like {{block: conv, out: 24}}")
    if not isinstance(row["block"], str) or row["block"] not in (*BLOCKS, *PLAIN):
        raise not_one_of(f"{where}: block", str(row["block"]), (*BLOCKS, *PLAIN))
    allowed = (*_CONTROL, *_fields(row["block"]))
    for name in row:
        if name not in allowed:
            raise not_one_of(f"{where}: field", str(name), allowed)
    for name in ("out",) if row["block"] in BLOCKS else NEEDED.get(row["block"], ()):
        if name not in row:
            raise UserError(f"{where}: {row['block']} lacks {name}")
    for name, value in row.items():
        _check_value(name, value, f"{where}: {name}")


def _check_value(name: str, value: Any, where: str) -> None:
    if name in CHOICES:
        if not isinstance(value, str) or value not in CHOICES[name]:
            raise not_one_of(where, str(value), CHOICES[name])
    elif name in FLAGS:
        if not isinstance(value, bool):
            raise UserError(f"{where}: got {value!r}, need true or false")
    elif name == "out" and isinstance(value, str) and value in ("in", "classes"):
        return
    elif name in RANGES:
        low, high, whole = RANGES[name]
        kind = int if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
            raise UserError(f"{where}: got {value!r}, need a {'whole ' * whole}number from {low:g} to {high:g}")


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

    Raises:
        UserError: a row cannot be built on what the one before it puts out.
    """
    layers: list[nn.Module] = []
    channels = 3
    for number, row in enumerate(model.rows, 1):
        try:
            made, channels = _layers(row, channels, classes, width * model.width, dropout, model.divisor)
        except (ValueError, ZeroDivisionError) as error:  # e.g. groups that do not divide the channels
            raise UserError(f"model file: row {number}, {row['block']}: {error}, {channels} channels come in") from None
        layers += made
    return nn.Sequential(*layers)


def _layers(
    row: Row, cin: int, classes: int, width: float, dropout: float | None, divisor: int
) -> tuple[list[nn.Module], int]:
    kind = row["block"]
    if kind == "pool":
        return [blocks.GlobalPool(bool(row.get("keep")))], cin
    if kind == "flatten":
        return [nn.Flatten()], cin
    if kind == "dropout":
        return [nn.Dropout(row["p"] if dropout is None else dropout)], cin
    if kind == "linear":
        return [nn.Linear(cin, classes)], classes
    if kind in ("max_pool", "avg_pool"):
        window = nn.MaxPool2d if kind == "max_pool" else nn.AvgPool2d
        return [window(row["kernel"], row.get("stride"), row.get("padding", 0))], cin
    return _blocks(row, cin, _channels(row, cin, classes, width, divisor))


def _channels(row: Row, cin: int, classes: int, width: float, divisor: int) -> int:
    """What a row puts out; `in` keeps the width that comes in, `classes` is the classifier's."""
    if isinstance(row["out"], str):
        return {"in": cin, "classes": classes}[row["out"]]
    if row.get("fixed"):
        return int(row["out"])
    wanted = row["out"] * (max(width, 1.0) if row.get("grow_only") else width)
    return int(wanted) if divisor == 1 else mobile.make_divisible(wanted, divisor)


def _blocks(row: Row, cin: int, out: int) -> tuple[list[nn.Module], int]:
    """A row's blocks; a repeated one keeps its stride for the first."""
    fields = {name: value for name, value in row.items() if name not in (*_CONTROL, "out", "stride")}
    first = {"stride": row["stride"]} if "stride" in row else {}
    block = BLOCKS[row["block"]]
    again = [block(out, out, **fields) for _ in range(row.get("repeat", 1) - 1)]
    return [block(cin, out, **first, **fields), *again], out

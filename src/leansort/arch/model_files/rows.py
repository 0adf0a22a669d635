"""Networks as rows of named fields in YAML.

    {block: inverted_residual, expand: 3, out: 24, repeat: 3, stride: 2, kernel: 3}

A repeated row keeps its stride for the first repeat only (`stride_last`: for the last). Channels are multiplied by the
width and cut to an integer, or made divisible by the file's `divisor`; a row with `grow_only: true` is multiplied only
by widths above 1. A row takes what the row before puts out, or what `from` names: the `name` of an earlier row, a
negative offset, `input`, or a list of these for `concat` and `add`. `padding: same` pads as TensorFlow does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from torch import nn

from leansort.arch.layers import blocks, mobile_blocks, star_block
from leansort.arch.model_files import list_grammar
from leansort.arch.spec.spec import Norm
from leansort.core.errors import UserError, not_one_of
from leansort.core.text import yaml_config

Row = dict[str, Any]
BLOCKS: dict[str, Callable[..., nn.Module]] = {
    "conv": blocks.ConvBlock,
    "inverted_residual": blocks.InvertedResidual,
    "mobile": mobile_blocks.MobileResidual,
    "universal": mobile_blocks.UniversalInvertedBottleneck,
    "separable": mobile_blocks.SeparableBlock,
    "bottleneck": mobile_blocks.Bottleneck,
    "star": star_block.StarBlock,
    "dense": blocks.Dense,
    "depthwise": blocks.Depthwise,
}
MERGES = ("concat", "add")
_WINDOW = ("kernel", "stride", "padding")
PLAIN = {
    "pool": ("keep",),
    "dropout": ("p",),
    "linear": (),
    "flatten": (),
    "max_pool": _WINDOW,
    "avg_pool": _WINDOW,
    **dict.fromkeys(MERGES, ()),
}
_REPEATED = ("repeat", "stride_last", "out_last")
_CONTROL = ("block", "name", "from", "grow_only", "fixed", *_REPEATED)
NEEDED = {"dropout": ("p",), "max_pool": ("kernel",), "avg_pool": ("kernel",), "concat": ("from",), "add": ("from",)}
CHOICES: dict[str, Collection[str]] = {"act": blocks.ACTIVATIONS, "style": get_args(mobile_blocks.Style)}
FLAGS = ("se", "shortcut", "keep", "fixed", "grow_only", "bias", "stride_last", "out_last")
RANGES = {  # least, most, whole numbers only
    "out": (1, 65_536, True),
    "groups": (1, 65_536, True),
    "expand": (0.01, 64, False),
    "repeat": (1, 1000, True),
    "kernel": (1, 63, True),
    "start": (0, 63, True),
    "middle": (0, 63, True),
    "stride": (1, 16, True),
    "padding": (0, 31, True),
    "branches": (0, 8, True),
    "last": (0, 63, True),
    "p": (0, 0.999, False),
}
WORDS: dict[str, Collection[Any]] = {"out": ("in", "classes"), "padding": ("same",)}  # beside the numbers
_FILE_RANGES = {"divisor": (1, 1024, True), "width": (0.01, 16, False), "depth": (0.01, 16, False)}
_KEYS = ("rows", "norm", "paper", *_FILE_RANGES)
INPUT = "input"
MOST_ROWS, MOST_BLOCKS = 1000, 5000  # the largest networks have hundreds


@dataclass(frozen=True)
class ModelFile:
    """A model file.

    Attributes:
        rows: one a block or run of equal blocks.
        sources: for each row the rows it reads, -1 being the image.
        places: name each row in errors.
        divisor: channels become multiples of this; 1 cuts them to an integer.
        width: multiplies the channels, beside the width that a spec asks for.
        depth: multiplies the repeats of rows that repeat, likewise.
        norm: settings of every batch norm; None keeps PyTorch's.
        paper: those of the network's paper, which come with `init: paper`.
    """

    rows: tuple[Row, ...]
    sources: tuple[tuple[int, ...], ...]
    places: tuple[str, ...]
    divisor: int = 1
    width: float = 1.0
    depth: float = 1.0
    norm: Norm = field(default_factory=Norm)
    paper: Norm = field(default_factory=Norm)

    @property
    def is_chain(self) -> bool:
        """Whether every row reads the one before it and nothing else."""
        return all(reads == (number - 1,) for number, reads in enumerate(self.sources))


def read_model_file(path: Path) -> ModelFile:
    """Read a model file and check every field.

    Raises:
        UserError: not YAML, no `rows`, an unknown block or field; the message names the file and the row.
        MissingExtraError: pyyaml is not installed.
    """
    return parse_model_file(yaml_config.read_yaml(path, "model file", "rows, divisor"), path.name)


def parse_model_file(tree: dict[str, Any], where: str) -> ModelFile:
    """Check a model file's tree, in named fields or in the grammar of `[repeat, module, args]`.

    Raises:
        UserError: as `read` does; `where` names the file.
    """
    theirs: list[int] | None = None
    if list_grammar.is_grammar(tree):
        tree, theirs = list_grammar.to_named_fields(tree, where)
    for key in tree:
        if key not in _KEYS:
            raise not_one_of(f"model file {where}: key", str(key), _KEYS)
    rows = tree.get("rows")
    if not isinstance(rows, list) or not rows:
        raise UserError(f"model file {where}: needs a list called 'rows'")
    if len(rows) > MOST_ROWS:
        raise UserError(f"model file {where}: got {len(rows):,} rows, at most {MOST_ROWS:,}")
    for key, bounds in _FILE_RANGES.items():
        if key in tree:
            _check_number(tree[key], bounds, f"model file {where}: {key}")
    places = tuple(f"{where} row {number}" for number in theirs or range(1, len(rows) + 1))
    for place, row in zip(places, rows, strict=True):
        _check(row, place)
    blocks_wanted = sum(row.get("repeat", 1) for row in rows) * tree.get("depth", 1)
    if blocks_wanted > MOST_BLOCKS:
        raise UserError(
            f"model file {where}: got {blocks_wanted:,.0f} blocks, repeats counted; at most {MOST_BLOCKS:,}"
        )
    numbers = {key: tree[key] for key in _FILE_RANGES if key in tree}
    return ModelFile(
        tuple(rows),
        _sources(rows, places),
        places,
        norm=_norm(tree, "norm", where),
        paper=_norm(tree, "paper", where),
        **numbers,
    )


def _norm(tree: dict[str, Any], key: str, where: str) -> Norm:
    try:
        return Norm.model_validate(tree.get(key, {}))
    except ValidationError as error:
        raise UserError(
            f"model file {where}: " + "; ".join(yaml_config.validation_faults(error, Norm, f"{key}."))
        ) from None


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
    elif value in WORDS.get(name, ()):
        return
    elif name in RANGES:
        _check_number(value, RANGES[name], where)


def _check_number(value: Any, bounds: tuple[float, float, bool], where: str) -> None:
    low, high, whole = bounds
    kind = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        words = "".join(f", or {word}" for word in WORDS.get(where.rpartition(": ")[2], ()))
        raise UserError(f"{where}: got {value!r}, need a {'whole ' * whole}number from {low:g} to {high:g}{words}")


def _fields(block: str) -> tuple[str, ...]:
    if block in PLAIN:
        return PLAIN[block]
    return tuple(inspect.signature(BLOCKS[block]).parameters)[1:]


def _sources(rows: Sequence[Row], places: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """For each row the rows it reads; every row but the last must be read by one behind it."""
    at: dict[str, int] = {INPUT: -1}
    sources = []
    for number, row in enumerate(rows):
        place = places[number]
        given = row.get("from", -1)
        listed = given if isinstance(given, list) else [given]
        reads = tuple(_source(item, number, at, f"{place}: from") for item in listed)
        if not reads or (len(reads) > 1 and row["block"] not in MERGES):
            raise UserError(f"{place}: {row['block']} reads one row, got from: {given!r}; join them by concat or add")
        sources.append(reads)
        if "name" in row:
            _name(row["name"], at, number, place)
    unread = set(range(len(rows) - 1)) - {read for reads in sources for read in reads}
    if unread:
        raise UserError(f"{places[min(unread)]}: nothing reads it; name it in the `from` of a later row")
    return tuple(sources)


def _source(value: Any, number: int, at: dict[str, int], where: str) -> int:
    if isinstance(value, str):
        if value not in at:
            raise not_one_of(where, value, at)
        return at[value]
    if isinstance(value, bool) or not isinstance(value, int) or not -1 - number <= value <= -1:
        raise UserError(
            f"{where}: got {value!r}, need the name of an earlier row, or an offset from {-1 - number} to -1"
        )
    return number + value


def _name(name: Any, at: dict[str, int], number: int, where: str) -> None:
    if not isinstance(name, str) or not name.isidentifier() or name in at:
        raise UserError(f"{where}: name: got {name!r}, need a word of its own, not {', '.join(at)}")
    at[name] = number

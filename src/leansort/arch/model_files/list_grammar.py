"""The row grammar of other tools' model files (`[repeat, module, args]`), turned into rows of named fields.

`[from, repeat, module, args, {kwargs}]` is read too: `from` is an offset from the row (-1 is the one before), the
number of a row counted from 0, or a list of these for Concat and Add.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leansort.core.errors import UserError, not_one_of

Row = dict[str, Any]
NEEDED = object()
# Positional arguments of each module, with their defaults.
SIGNATURES: dict[str, dict[str, Any]] = {
    "Conv": {"out": NEEDED, "kernel": NEEDED, "stride": 1, "padding": None, "groups": 1, "activation": "ReLU"},
    "DWConv": {"out": NEEDED, "kernel": NEEDED, "stride": 1, "padding": None, "activation": "ReLU"},
    "FixedConv": {"out": NEEDED, "kernel": NEEDED, "stride": 1, "padding": None, "groups": 1, "activation": "ReLU"},
    "Bottleneck": {"out": NEEDED, "shortcut": True, "groups": 1, "expansion": 0.5, "activation": "ReLU"},
    "InvertedResidualv2": {"out": NEEDED, "expand": NEEDED, "stride": NEEDED},
    "InvertedResidualv3": {
        "kernel": NEEDED,
        "expand": NEEDED,
        "out": NEEDED,
        "se": NEEDED,
        "hs": NEEDED,
        "stride": NEEDED,
    },
    "MBConv": {"expand": NEEDED, "out": NEEDED, "stride": NEEDED, "kernel": NEEDED},
    "MaxPool": {"kernel_size": NEEDED, "stride": None, "padding": 0},
    "AvgPool": {"kernel_size": NEEDED, "stride": None, "padding": 0},
    "GlobalAvgPool": {},
    "Flatten": {},
    "Pass": {},
    "Concat": {"dimension": 1},
    "Add": {},
    "Linear": {"out": NEEDED, "activation": None},
}
MERGES = ("Concat", "Add")
_SIMPLE: dict[str, Row] = {
    "GlobalAvgPool": {"block": "pool", "keep": True},
    "Flatten": {"block": "flatten"},
    "Concat": {"block": "concat"},
    "Add": {"block": "add"},
}
KEYS = (
    "input_channel",
    "depth_multiple",
    "width_multiple",
    "backbone",
    "input_size",
    "channel_divisor",
    "head",
)


def is_grammar(tree: dict[str, Any]) -> bool:
    """Whether a model file is in this grammar."""
    return "backbone" in tree


def to_named_fields(tree: dict[str, Any], where: str) -> tuple[dict[str, Any], list[int]]:
    """Turn a model file of this grammar into one of named fields.

    Args:
        tree: the parsed file.
        where: names the file in errors.

    Returns:
        The tree (`rows`, `divisor`, `depth`, `width`), and for each of its rows the number, from 1, of theirs.

    Raises:
        UserError: an unknown key, module or argument; the message names the row.
    """
    for key in tree:
        if key not in KEYS:
            raise not_one_of(f"{where}: key", str(key), KEYS)
    if tree.get("input_channel", 3) != 3:
        raise UserError(f"{where}: input_channel: got {tree['input_channel']!r}, need 3; networks take RGB")
    multiples = {key: _multiple(tree, f"{key}_multiple", where) for key in ("depth", "width")}
    listed = [*_list(tree, "backbone", where), *_list(tree, "head", where)]
    rows, numbers = _rows(listed, where)
    return {"divisor": tree.get("channel_divisor", 8), **multiples, "rows": _with_classifier(rows, where)}, numbers


def _rows(listed: Sequence[Any], where: str) -> tuple[list[Row], list[int]]:
    rows: list[Row] = []
    numbers: list[int] = []
    same = [-1]  # the image, then for each row of theirs the row of ours that puts out the same
    for number, row in enumerate(listed):
        place = f"{where} row {number + 1}"
        source, repeat, module, fields = _parts(row, place)
        reads = [same[read + 1] for read in _reads(source, module, number, place)]
        made = _converted(module, fields, repeat, place)
        if made and reads != [len(rows) - 1]:
            names = [_name(rows, read) for read in reads]
            made[0] = {**made[0], "from": names if module in MERGES else names[0]}
        rows += made
        numbers += [number + 1] * len(made)
        same.append(len(rows) - 1 if made else reads[0])
    return rows, numbers


def _name(rows: list[Row], at: int) -> str:
    return "input" if at == -1 else str(rows[at].setdefault("name", f"row_{at + 1}"))


def _reads(source: Any, module: str, number: int, where: str) -> list[int]:
    """The rows that `from` means, counted from 0; -1 is the image."""
    reads = []
    for item in source if isinstance(source, list) else [source]:
        at = number + item if isinstance(item, int) and item < 0 else item
        if isinstance(item, bool) or not isinstance(at, int) or not -1 <= at < number:
            raise UserError(f"{where}: from: got {item!r}, need an offset such as -1 or a row before, counted from 0")
        reads.append(at)
    if not reads or (len(reads) > 1 and module not in MERGES):
        raise UserError(f"{where}: {module} reads one row, got from: {source!r}; join them by Concat or Add")
    return reads


def _multiple(tree: dict[str, Any], key: str, where: str) -> float:
    value = tree.get(key, 1.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 16:
        raise UserError(f"{where}: {key}: got {value!r}, need a number over 0")
    return float(value)


def _list(tree: dict[str, Any], key: str, where: str) -> list[Any]:
    rows = tree.get(key, [])
    if not isinstance(rows, list) or (key == "backbone" and not rows):
        raise UserError(f"{where}: {key} must be a list of rows such as [1, Conv, [16, 3, 2]]")
    return rows


def _converted(module: str, fields: Row, repeat: int, where: str) -> list[Row]:
    again = {"repeat": repeat} if repeat > 1 else {}
    if module == "Pass":
        return []
    if module in ("GlobalAvgPool", "Flatten", *MERGES):
        return [dict(_SIMPLE[module])]
    if module == "Linear":
        act = _act(fields["activation"])
        return [{"block": "dense", "out": fields["out"], "act": act, "fixed": True, **again}]
    if module in ("MaxPool", "AvgPool"):
        kind = "max_pool" if module == "MaxPool" else "avg_pool"
        stride = fields["stride"] or fields["kernel_size"]
        return [
            {"block": kind, "kernel": fields["kernel_size"], "stride": stride, "padding": fields["padding"], **again}
        ]
    if module == "Bottleneck":
        item = {"block": "bottleneck", "out": fields["out"], "shortcut": bool(fields["shortcut"])}
        item |= {"groups": fields["groups"], "expand": fields["expansion"], "act": _act(fields["activation"])}
        return [{**item, **again, **({"out_last": True} if again else {})}]
    if module in ("Conv", "DWConv", "FixedConv"):
        return [{**_convolution(module, fields), **again, **({"stride_last": True} if again else {})}]
    return [{**_residual(module, fields), **again}]


def _convolution(module: str, fields: Row) -> Row:
    item = {"block": "depthwise" if module == "DWConv" else "conv", "out": fields["out"], "kernel": fields["kernel"]}
    item |= {"stride": fields["stride"], "act": _act(fields["activation"])}
    if fields["padding"]:  # their tool takes 0, like null, for half the kernel
        item["padding"] = fields["padding"]
    if fields.get("groups", 1) != 1:
        item["groups"] = fields["groups"]
    return {**item, "fixed": True} if module == "FixedConv" else item


def _residual(module: str, fields: Row) -> Row:
    if module == "InvertedResidualv2":
        return {"block": "inverted_residual", **fields}
    if module == "MBConv":
        return {"block": "mobile", "style": "efficient", "act": "silu", "se": True, **fields}
    act = "hardswish" if fields.pop("hs") else "relu"
    return {"block": "mobile", "style": "v3_early", "act": act, **fields, "se": bool(fields["se"])}


def _parts(row: Any, where: str) -> tuple[Any, int, str, Row]:
    """A row's `from`, repeat, module and its arguments by name."""
    if not isinstance(row, list) or len(row) < 3:
        raise UserError(f"{where}: got {row!r}, need [repeat, module, args] or [from, repeat, module, args]")
    source: Any = -1
    if isinstance(row[1], int) and len(row) >= 4:
        source, row = row[0], row[1:]
    repeat, module, args = row[:3]
    kwargs = row[3] if len(row) > 3 else {}
    if isinstance(repeat, bool) or not isinstance(repeat, int) or not 1 <= repeat <= 1000:
        raise UserError(f"{where}: repeat: got {repeat!r}, need a whole number from 1")
    if not isinstance(module, str) or module not in SIGNATURES:
        raise not_one_of(f"{where}: module", str(module), SIGNATURES)
    if not isinstance(args, list) or not isinstance(kwargs, dict) or len(row) > 4:
        raise UserError(f"{where}: args must be a list, and what follows it a mapping; got {args!r}, {kwargs!r}")
    return source, repeat, module, _arguments(module, args, kwargs, where)


def _arguments(module: str, args: Sequence[Any], kwargs: Row, where: str) -> Row:
    signature = SIGNATURES[module]
    if len(args) > len(signature):
        raise UserError(f"{where}: {module} takes {len(signature)} args ({', '.join(signature)}), got {len(args)}")
    for name in kwargs:
        if name not in signature:
            raise not_one_of(f"{where}: {module} argument", str(name), signature)
    fields = {**signature, **dict(zip(signature, args, strict=False)), **kwargs}
    missing = [name for name, value in fields.items() if value is NEEDED]
    if missing:
        raise UserError(f"{where}: {module} lacks {', '.join(missing)}")
    if fields.get("dimension", 1) != 1:
        raise UserError(f"{where}: Concat dimension: got {fields['dimension']!r}, need 1, the channels")
    return fields


def _act(name: Any) -> str:
    return "none" if name is None else str(name).lower()


def _with_classifier(rows: list[Row], where: str) -> list[Row]:
    """The last Linear or FixedConv gives the classes, however many the file was written for."""
    for at in range(len(rows) - 1, -1, -1):
        if rows[at].get("fixed"):
            if rows[at]["block"] == "dense" and rows[at]["act"] == "none":
                return [*rows[:at], {"block": "linear"}, *rows[at + 1 :]]
            if rows[at]["block"] == "conv":
                return [*rows[:at], {**rows[at], "out": "classes"}, *rows[at + 1 :]]
            break
    raise UserError(f"{where}: the last Linear or FixedConv is the classifier, without activation; there is none")

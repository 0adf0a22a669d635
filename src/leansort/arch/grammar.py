"""The row grammar of other tools' model files (`[repeat, module, args]`), turned into rows of named fields.

`[from, repeat, module, args, {kwargs}]` is read too, where `from` is the row before (-1): chains, in other words.
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
        "kernel": NEEDED, "expand": NEEDED, "out": NEEDED, "se": NEEDED, "hs": NEEDED, "stride": NEEDED
    },
    "MBConv": {"expand": NEEDED, "out": NEEDED, "stride": NEEDED, "kernel": NEEDED},
    "MaxPool": {"kernel_size": NEEDED, "stride": None, "padding": 0},
    "AvgPool": {"kernel_size": NEEDED, "stride": None, "padding": 0},
    "GlobalAvgPool": {}, "Flatten": {}, "Pass": {},
    "Linear": {"out": NEEDED, "activation": None},
}  # fmt: skip
KEYS = (
    "input_channel", "depth_multiple", "width_multiple", "backbone", "input_size", "channel_divisor", "head",
)  # fmt: skip


def is_grammar(tree: dict[str, Any]) -> bool:
    """Whether a model file is in this grammar."""
    return "backbone" in tree


def named(tree: dict[str, Any], where: str) -> dict[str, Any]:
    """Turn a model file of this grammar into one of named fields: `rows`, `divisor`, `width`.

    Args:
        tree: the parsed file.
        where: names the file in errors.

    Raises:
        UserError: an unknown key, module or argument; the message names the row.
    """
    for key in tree:
        if key not in KEYS:
            raise not_one_of(f"{where}: key", str(key), KEYS)
    if tree.get("input_channel", 3) != 3:
        raise UserError(f"{where}: input_channel: got {tree['input_channel']!r}, need 3; networks take RGB")
    depth, width = (_multiple(tree, key, where) for key in ("depth_multiple", "width_multiple"))
    rows: list[Row] = []
    listed = [*_list(tree, "backbone", where), *_list(tree, "head", where)]
    for number, row in enumerate(listed, 1):
        rows += _converted(row, depth, f"{where} row {number}")
    return {"rows": _with_classifier(rows, where), "divisor": tree.get("channel_divisor", 8), "width": width}


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


def _converted(row: Any, depth: float, where: str) -> list[Row]:
    repeat, module, given = _parts(row, where)
    fields = _arguments(module, given[0], given[1], where)
    if repeat > 1:
        repeat = max(round(repeat * depth), 1)
    if module == "Pass":
        return []
    if module in ("GlobalAvgPool", "Flatten", "Linear"):
        return [_plain(module, fields)] * (repeat if module == "Linear" else 1)
    if module in ("MaxPool", "AvgPool"):
        kind = "max_pool" if module == "MaxPool" else "avg_pool"
        stride = fields["stride"] or fields["kernel_size"]
        return [
            {"block": kind, "kernel": fields["kernel_size"], "stride": stride, "padding": fields["padding"]}
        ] * repeat
    if module == "Bottleneck":
        one = {"block": "bottleneck", "shortcut": bool(fields["shortcut"]), "groups": fields["groups"]}
        one |= {"expand": fields["expansion"], "act": _act(fields["activation"], where)}
        return [{**one, "out": "in"}] * (repeat - 1) + [{**one, "out": fields["out"]}]
    if module in ("Conv", "DWConv", "FixedConv"):
        return _convolutions(module, fields, repeat, where)
    return [{**_residual(module, fields), "repeat": repeat}]


def _convolutions(module: str, fields: Row, repeat: int, where: str) -> list[Row]:
    """Repeated convolutions take their stride in the last one."""
    one = {"block": "depthwise" if module == "DWConv" else "conv", "out": fields["out"], "kernel": fields["kernel"]}
    one |= {"act": _act(fields["activation"], where)}
    one |= (
        {"padding": fields["padding"]} if fields["padding"] else {}
    )  # the tool takes 0, like null, for half the kernel
    one |= {"groups": fields["groups"]} if fields.get("groups", 1) != 1 else {}
    one |= {"fixed": True} if module == "FixedConv" else {}
    return [one] * (repeat - 1) + [{**one, "stride": fields["stride"]}]


def _residual(module: str, fields: Row) -> Row:
    if module == "InvertedResidualv2":
        return {"block": "inverted_residual", **fields}
    if module == "MBConv":
        return {"block": "mobile", "style": "efficient", "act": "silu", "se": True, **fields}
    act = "hardswish" if fields.pop("hs") else "relu"
    return {"block": "mobile", "act": act, **fields, "se": bool(fields["se"])}


def _plain(module: str, fields: Row) -> Row:
    if module == "Linear":
        return {"block": "dense", "out": fields["out"], "act": _act(fields["activation"], "Linear"), "fixed": True}
    return {"block": "flatten"} if module == "Flatten" else {"block": "pool", "keep": True}


def _parts(row: Any, where: str) -> tuple[int, str, tuple[list[Any], Row]]:
    if not isinstance(row, list) or len(row) < 3:
        raise UserError(f"{where}: got {row!r}, need [repeat, module, args] or [from, repeat, module, args]")
    if isinstance(row[1], int) and len(row) >= 4:  # with a leading `from`
        if row[0] != -1:
            raise UserError(f"{where}: from: got {row[0]!r}, only -1, the row before, is built so far")
        row = row[1:]
    repeat, module, args = row[:3]
    kwargs = row[3] if len(row) > 3 else {}
    if isinstance(repeat, bool) or not isinstance(repeat, int) or not 1 <= repeat <= 1000:
        raise UserError(f"{where}: repeat: got {repeat!r}, need a whole number from 1")
    if not isinstance(module, str) or module not in SIGNATURES:
        raise not_one_of(f"{where}: module", str(module), SIGNATURES)
    if not isinstance(args, list) or not isinstance(kwargs, dict) or len(row) > 4:
        raise UserError(f"{where}: args must be a list, and what follows it a mapping; got {args!r}, {kwargs!r}")
    return repeat, module, (args, kwargs)


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
    return fields


def _act(name: Any, where: str) -> str:
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

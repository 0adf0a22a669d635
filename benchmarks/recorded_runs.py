"""What benchmarks came to on each kind of processor: written to docs/results, compared with, and shown as a table.

A file a benchmark, in it one column a kind of processor: its name, cores and vector units, since int8 without VNNI and
with it are two machines. A run replaces the column of its processor and leaves the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from leansort.core.errors import UserError
from leansort.core.provenance import host
from leansort.core.text.text_files import read_json
from leansort.core.writing import atomic_io
from leansort.measure.timing.machine import EXTENSIONS, machine_state

RESULTS = Path(__file__).parent.parent / "docs" / "results"
NOTABLE = 0.05  # relative change that is told
MOST_FIGURES = 500  # of a benchmark
_NAMES = ("network", "name", "way", "format", "engine", "title")  # keys that tell rows of a list apart
_PASSED = {"host", "percentiles", "count", "threads", "warmup", "batch", "low", "high", "version", "seed"}
Figures = dict[str, float | bool]


@dataclass(frozen=True)
class Column:
    """One benchmark on one kind of processor.

    Attributes:
        holds: whether its claim holds; None where it has none.
        figures: by path within the benchmark's JSON.
        left_out: how many figures there were beyond `MOST_FIGURES`.
    """

    holds: bool | None
    figures: Figures
    left_out: int = 0


def processor() -> dict[str, Any]:
    """Return the machine of a result: processor, cores, system, and its vector units."""
    return host() | {"extensions": machine_state()["extensions"]}


def kind_of(machine: Mapping[str, Any]) -> str:
    """Return the column of a machine in words; runs on machines of one kind can be compared.

    Raises:
        UserError: it does not tell its vector units, as results from before they were told do not.
    """
    units = machine.get("extensions")
    if not isinstance(units, list):
        raise UserError("benchmarks: this result does not name its processor's vector units; run the benchmark again")
    shown = " ".join(unit for unit in EXTENSIONS if unit in units) or "no vector units known"
    return f"{machine['cpu']}, {machine['cores']} cores, {shown}"


def column_of(tree: Mapping[str, Any]) -> Column:
    """Return what is kept of a benchmark's JSON: its numbers, of value, low and high the value alone."""
    figures = dict(_figures(tree, ""))
    holds = tree.get("holds")
    kept = dict(list(figures.items())[:MOST_FIGURES])
    return Column(holds if isinstance(holds, bool) else None, kept, len(figures) - len(kept))


def _figures(tree: object, path: str) -> Iterator[tuple[str, float | bool]]:
    if isinstance(tree, bool) or (isinstance(tree, int | float) and math.isfinite(tree)):
        yield path, tree
    elif isinstance(tree, Mapping):
        for key in sorted(tree.keys() - _PASSED):
            yield from _figures(tree[key], f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list):
        if _is_interval(tree):
            yield path, tree[0]
        for number, item in enumerate(tree):
            if isinstance(item, Mapping):
                named = [str(item[key]) for key in _NAMES if isinstance(item.get(key), str)]
                yield from _figures(item, f"{path}.{' '.join(named) or number}")


def _is_interval(items: list[Any]) -> bool:
    numbers = all(isinstance(item, int | float) and not isinstance(item, bool) for item in items)
    return len(items) == 3 and numbers and items[1] <= items[0] <= items[2]


def read_columns(name: str, folder: Path = RESULTS) -> dict[str, Column]:
    """Return what is recorded of a benchmark, by kind of processor; empty where nothing is."""
    path = folder / f"{name}.json"
    if not path.is_file():
        return {}
    tree = cast(dict[str, Any], read_json(path, "benchmarks"))
    return {kind: Column(**column) for kind, column in tree["processors"].items()}


def record(name: str, tree: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Replace the column of the processor that a benchmark's JSON names; return the file."""
    columns = read_columns(name, folder) | {kind_of(tree.get("host", {})): column_of(tree)}
    kept = {kind: vars(column) for kind, column in sorted(columns.items())}
    path = folder / f"{name}.json"
    atomic_io.write_json(path, {"benchmark": name, "processors": kept})
    return path


def changes(before: Column, after: Column) -> list[str]:
    """Tell what is notably different: whether the claim holds first, then figures, then those that came and went."""
    lines = []
    if before.holds != after.holds:
        words = {True: "holds", False: "MISSED", None: "no claim"}
        lines.append(f"claim: {words[before.holds]} -> {words[after.holds]}")
    for path, new in after.figures.items():
        old = before.figures.get(path)
        if old is not None and _differs(old, new):
            ratio = f" ({new / old:.2f} times)" if old and not isinstance(old, bool) else ""
            lines.append(f"{path}: {_text(old)} -> {_text(new)}{ratio}")
    for word, names in (
        ("new", after.figures.keys() - before.figures.keys()),
        ("gone", before.figures.keys() - after.figures.keys()),
    ):
        if names:
            lines.append(f"{len(names)} {word}: {', '.join(sorted(names)[:5])}{', …' * (len(names) > 5)}")
    return lines


def _differs(old: float | bool, new: float | bool) -> bool:
    if isinstance(old, bool) or isinstance(new, bool):
        return old != new
    return abs(new - old) > NOTABLE * max(abs(old), 1e-12)


def _text(value: float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.4g}"

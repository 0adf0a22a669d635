"""`leansort arch list|show|convert`: the networks that can be built, and what their rows cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from leansort.arch import grammar
from leansort.arch.archspec import ArchSpec
from leansort.arch.build import build, macs, parameters
from leansort.core import plugins, store, strict
from leansort.core.errors import UserError

MODEL_FILES = (".yaml", ".yml")


def spec_of(base: str, **fields: Any) -> ArchSpec:
    """Make a spec of a backbone's name, or of a model file, whose rows it then holds itself.

    Raises:
        UserError: no such backbone or file, or the file is wrong.
    """
    path = Path(base)
    if path.suffix.lower() not in MODEL_FILES:
        plugins.path_of("backbones", base)
        return ArchSpec(base=base, **fields)
    tree = strict.yaml_tree(path, "model file", "rows, or backbone")
    if grammar.is_grammar(tree):
        tree = grammar.named(tree, path.name)
    return ArchSpec(base=path.stem, model=tree, **fields)


def convert(path: Path, out: Path) -> int:
    """Write a model file of the grammar of `[repeat, module, args]` as rows of named fields; return their number.

    Raises:
        UserError: the file is wrong, or is of named fields already, or `out` exists.
    """
    import yaml

    tree = strict.yaml_tree(path, "model file", "backbone")
    if not grammar.is_grammar(tree):
        raise UserError(f"model file {path}: has no 'backbone'; it is in named fields already")
    if out.exists():
        raise UserError(f"arch convert: {out} is there already; name another file")
    named = grammar.named(tree, path.name)
    build(ArchSpec(base=path.stem, model=named, classes=2))  # what cannot be built is not written
    rows = "".join(f"  - {_flow(row, yaml)}\n" for row in named["rows"])
    store.write_text(out, f"divisor: {named['divisor']}\nwidth: {named['width']}\nrows:\n{rows}")
    return len(named["rows"])


def _flow(row: dict[str, Any], yaml: Any) -> str:
    return str(yaml.safe_dump(row, default_flow_style=True, sort_keys=False, width=1000)).strip()


def listed(classes: int, size: int) -> list[dict[str, Any]]:
    """Parameters and multiply-adds of every backbone at an input size."""
    found = []
    for name in sorted(plugins.found("backbones")):
        network = build(ArchSpec(base=name, classes=classes))
        found.append({"name": name, "parameters": parameters(network), "macs": macs(network, size)})
    return found


def shown(spec: ArchSpec, size: int) -> list[dict[str, Any]]:
    """What each part of a network puts out and costs at an input size, batch 1.

    Raises:
        UserError: the input is too small for the network.
    """
    network = build(spec).eval()
    parts = list(network.children()) if isinstance(network, nn.Sequential) else [network]
    rows, x = [], torch.zeros(1, 3, size, size)
    with torch.no_grad():
        for part in parts:
            counter = FlopCounterMode(display=False)
            try:
                with counter:
                    x = part(x)
            except RuntimeError as error:
                raise UserError(f"arch show: {size} px is too small: {type(part).__name__}: {error}") from None
            rows.append(_row(part, x, int(counter.get_total_flops()) // 2, size))
    return rows


def _row(part: nn.Module, x: Tensor, multiply_adds: int, size: int) -> dict[str, Any]:
    down = size / x.shape[-1] if x.ndim == 4 and x.shape[-1] > 1 else None
    return {
        "block": type(part).__name__, "out": list(x.shape[1:]), "downsampling": down and round(down, 2),
        "parameters": parameters(part), "macs": multiply_adds, "activations": x.numel(),
    }  # fmt: skip


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as text, numbers to the right, sums of parameters and multiply-adds below."""
    names = list(rows[0])
    cells = [[_cell(row[name]) for name in names] for row in rows]
    total = [f"{sum(row[n] for row in rows):,}" if n in ("parameters", "macs") else "" for n in names]
    lines = [names, *cells, ["total", *total[1:]]] if "block" in names else [names, *cells]
    widths = [max(len(line[k]) for line in lines) for k in range(len(names))]
    return "\n".join(
        "  ".join(text.rjust(w) if k else text.ljust(w) for k, (text, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return (
        f"{value:,}" if isinstance(value, int) else "x".join(map(str, value)) if isinstance(value, list) else str(value)
    )

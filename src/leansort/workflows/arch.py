"""`leansort arch list|show|convert`: the networks that can be built, and what their rows cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leansort.arch import grammar, timm
from leansort.arch.anatomy import Part, parts
from leansort.arch.archspec import ArchSpec
from leansort.arch.build import build, macs, parameters
from leansort.core import plugins, store, strict
from leansort.core.errors import UserError
from leansort.core.escaping import printable
from leansort.report.architecture import drawn

MODEL_FILES = (".yaml", ".yml")


def spec_of(base: str, model: dict[str, Any] | None = None, **fields: Any) -> ArchSpec:
    """Make a spec of a backbone's name, or of a model file, whose rows it then holds itself.

    Args:
        base: the backbone's name, or the path of a model file.
        model: such a file's content; `base` then only names it.
        **fields: the other fields of the spec.

    Raises:
        UserError: no such backbone or file, or the file is wrong.
    """
    if model is not None:
        return ArchSpec(base=base, model=_named(model, base), **fields)
    path = Path(base)
    if path.suffix.lower() not in MODEL_FILES:
        if not timm.is_timm(base):
            plugins.path_of("backbones", base)
        return ArchSpec(base=base, **fields)
    tree = strict.yaml_tree(path, "model file", "rows, or backbone")
    return ArchSpec(base=path.stem, model=_named(tree, path.name), **fields)


def _named(tree: dict[str, Any], name: str) -> dict[str, Any]:
    """A model file's content in named fields, in whichever grammar it is written."""
    return grammar.named(tree, name)[0] if grammar.is_grammar(tree) else tree


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
    named, _ = grammar.named(tree, path.name)
    build(ArchSpec(base=path.stem, model=tree, classes=2))  # what cannot be built is not written
    rows = "".join(f"  - {_flow(row, yaml)}\n" for row in named["rows"])
    head = "".join(f"{key}: {value}\n" for key, value in named.items() if key != "rows")
    store.write_text(out, f"{head}rows:\n{rows}")
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


def shown(spec: ArchSpec, size: int) -> list[Part]:
    """What each part of a network puts out and costs at an input size, batch 1.

    Raises:
        UserError: the input is too small for the network, or the network cannot be traced.
    """
    return parts(build(timm.sized(spec, size)), size)


def draw(taken: Sequence[Part], title: str, path: Path) -> None:
    """Write a picture of a network as SVG.

    Raises:
        UserError: the path cannot be written.
    """
    store.write_text(path, drawn([asdict(part) for part in taken], totals(taken), title))


def totals(taken: Sequence[Part]) -> dict[str, int]:
    """Sums of parameters and multiply-adds, and the most memory of all parts."""
    return {
        "parameters": sum(part.parameters for part in taken),
        "macs": sum(part.macs for part in taken),
        "memory": max(part.memory for part in taken),
    }


def table(taken: Sequence[Part]) -> str:
    """Parts as text with a last line of totals."""
    whole = totals(taken)
    lines = [["part", "block", "out", "down", "sees", "parameters", "macs", "peak KB"]]
    for part in taken:
        sees = "all" if part.receptive is None else str(part.receptive)
        down = "" if part.downsampling is None else f"{part.downsampling:g}"
        costs = [f"{part.parameters:,}", f"{part.macs:,}", f"{part.memory / 1000:,.0f}"]
        lines.append([part.name, part.block, "x".join(map(str, part.out)), down, sees, *costs])
    sums = [f"{whole['parameters']:,}", f"{whole['macs']:,}", f"{whole['memory'] / 1000:,.0f}"]
    return aligned([*lines, ["total", "", "", "", "", *sums]], left=2)


def list_table(found: Sequence[dict[str, Any]]) -> str:
    """Backbones as text."""
    rows = [[one["name"], f"{one['parameters']:,}", f"{one['macs']:,}"] for one in found]
    return aligned([["name", "parameters", "macs"], *rows], left=1)


def aligned(lines: Sequence[Sequence[str]], left: int) -> str:
    """Columns of equal width; the first `left` begin at the left, the others end at the right."""
    lines = [list(map(printable, line)) for line in lines]
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            text.ljust(w) if k < left else text.rjust(w) for k, (text, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )

"""`leansort arch list|show|convert`: the networks that can be built, and what their rows cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leansort.arch.analysis.summary import Part, summarize_parts
from leansort.arch.build import build, macs, parameters
from leansort.arch.model_files import list_grammar
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.timm_models import networks
from leansort.core import plugins
from leansort.core.errors import UserError
from leansort.core.files import atomic_io
from leansort.core.text import yaml_config
from leansort.core.text.escaping import printable
from leansort.report.architecture import draw_architecture

MODEL_FILES = (".yaml", ".yml")


def spec_for(base: str, model: dict[str, Any] | None = None, **fields: Any) -> ArchSpec:
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
        if not networks.is_timm(base):
            plugins.find("backbones", base)
        return ArchSpec(base=base, **fields)
    tree = yaml_config.read_yaml(path, "model file", "rows, or backbone")
    return ArchSpec(base=path.stem, model=_named(tree, path.name), **fields)


def _named(tree: dict[str, Any], name: str) -> dict[str, Any]:
    """A model file's content in named fields, in whichever grammar it is written."""
    return list_grammar.to_named_fields(tree, name)[0] if list_grammar.is_grammar(tree) else tree


def convert_model_file(path: Path, out: Path) -> int:
    """Write a model file of the grammar of `[repeat, module, args]` as rows of named fields; return their number.

    Raises:
        UserError: the file is wrong, or is of named fields already, or `out` exists.
    """
    import yaml

    tree = yaml_config.read_yaml(path, "model file", "backbone")
    if not list_grammar.is_grammar(tree):
        raise UserError(f"model file {path}: has no 'backbone'; it is in named fields already")
    if out.exists():
        raise UserError(f"arch convert: {out} is there already; name another file")
    named, _ = list_grammar.to_named_fields(tree, path.name)
    build(ArchSpec(base=path.stem, model=tree, classes=2))  # what cannot be built is not written
    rows = "".join(f"  - {_flow(row, yaml)}\n" for row in named["rows"])
    head = "".join(f"{key}: {value}\n" for key, value in named.items() if key != "rows")
    atomic_io.write_text(out, f"{head}rows:\n{rows}")
    return len(named["rows"])


def _flow(row: dict[str, Any], yaml: Any) -> str:
    return str(yaml.safe_dump(row, default_flow_style=True, sort_keys=False, width=1000)).strip()


def list_backbones(classes: int, size: int) -> list[dict[str, Any]]:
    """Parameters and multiply-adds of every backbone at an input size."""
    result = []
    for name in sorted(plugins.list_plugins("backbones")):
        network = build(ArchSpec(base=name, classes=classes))
        result.append({"name": name, "parameters": parameters(network), "macs": macs(network, size)})
    return result


def show_architecture(spec: ArchSpec, size: int) -> list[Part]:
    """What each part of a network puts out and costs at an input size, batch 1.

    Raises:
        UserError: the input is too small for the network, or the network cannot be traced.
    """
    return summarize_parts(build(networks.set_input_size(spec, size)), size)


def draw_svg(taken: Sequence[Part], title: str, path: Path) -> None:
    """Write a picture of a network as SVG.

    Raises:
        UserError: the path cannot be written.
    """
    atomic_io.write_text(path, draw_architecture([asdict(part) for part in taken], totals(taken), title))


def totals(taken: Sequence[Part]) -> dict[str, int]:
    """Sums of parameters and multiply-adds, and the most memory of all parts."""
    return {
        "parameters": sum(part.parameters for part in taken),
        "macs": sum(part.macs for part in taken),
        "memory": max(part.memory for part in taken),
    }


def parts_table(taken: Sequence[Part]) -> str:
    """Parts as text with a last line of totals."""
    whole = totals(taken)
    lines = [["part", "block", "out", "down", "sees", "parameters", "macs", "peak KB"]]
    for part in taken:
        sees = "all" if part.receptive is None else str(part.receptive)
        down = "" if part.downsampling is None else f"{part.downsampling:g}"
        costs = [f"{part.parameters:,}", f"{part.macs:,}", f"{part.memory / 1000:,.0f}"]
        lines.append([part.name, part.block, "x".join(map(str, part.out)), down, sees, *costs])
    sums = [f"{whole['parameters']:,}", f"{whole['macs']:,}", f"{whole['memory'] / 1000:,.0f}"]
    return align_columns([*lines, ["total", "", "", "", "", *sums]], left=2)


def backbones_table(values: Sequence[dict[str, Any]]) -> str:
    """Backbones as text."""
    rows = [[value["name"], f"{value['parameters']:,}", f"{value['macs']:,}"] for value in values]
    return align_columns([["name", "parameters", "macs"], *rows], left=1)


def align_columns(lines: Sequence[Sequence[str]], left: int) -> str:
    """Columns of equal width; the first `left` begin at the left, the others end at the right."""
    lines = [list(map(printable, line)) for line in lines]
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            text.ljust(w) if k < left else text.rjust(w) for k, (text, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )

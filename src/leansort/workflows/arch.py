"""`leansort arch list|show|convert`: the networks that can be built, and what their rows cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from leansort.arch.analysis.summary import Part, PartTotals, summarize_parts, total_parts
from leansort.arch.build import build, macs, parameters
from leansort.arch.model_files import list_grammar
from leansort.arch.spec.batch_norm_folding import merge_branches
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.timm_models import timm_networks
from leansort.core import plugins
from leansort.core.errors import LeansortError, UserError
from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.core.process.console import say
from leansort.core.text import yaml_config
from leansort.core.text.columns import align_columns
from leansort.core.writing import atomic_io
from leansort.report.architecture import draw_architecture

MODEL_FILES = (".yaml", ".yml")


@dataclass(frozen=True)
class BackboneCost:
    """What a backbone costs at an input size.

    Attributes:
        name: of the backbone.
        parameters: weights.
        macs: multiply-adds for one picture.
        origin: where it comes from: `leansort`, a file of a plugin folder, or a distribution.
    """

    name: str
    parameters: int
    macs: int
    origin: str = "leansort"


class BackbonesResult(TypedResult):
    """What every backbone costs.

    Attributes:
        size: side of the input in pixels.
        backbones: in alphabetical order.
    """

    size: int
    backbones: tuple[BackboneCost, ...]

    def headline(self) -> dict[str, str]:
        """Return parameters and multiply-adds of each."""
        return {item.name: f"{item.parameters:,} parameters, {item.macs:,} MACs" for item in self.backbones}


class ArchitectureResult(TypedResult):
    """What each part of a network puts out and costs, batch 1.

    Attributes:
        size: side of the input in pixels.
        parts: in the order they run.
        total: of the whole network.
    """

    size: int
    parts: tuple[Part, ...]
    total: PartTotals

    def headline(self) -> dict[str, str]:
        """Return the parts and the totals."""
        parts = {part.name: f"{part.block}, {part.parameters:,} parameters, {part.macs:,} MACs" for part in self.parts}
        return {**parts, "total": f"{self.total.parameters:,} parameters, {self.total.macs:,} MACs"}


def spec_for(base: str, model: dict[str, JsonValue] | None = None, **fields: object) -> ArchSpec:
    """Make a spec of a backbone's name, or of a model file, whose rows it then holds itself.

    Args:
        base: the backbone's name, or the path of a model file.
        model: such a file's content; `base` then only names it.
        **fields: the other fields of the spec.

    Raises:
        UserError: no such backbone or file, or the file is wrong.
    """
    if model is not None:
        return _spec(base, _named(model, base), fields)
    path = Path(base)
    if path.suffix.lower() not in MODEL_FILES:
        if not timm_networks.is_timm(base):
            plugins.find("backbones", base)
        return _spec(base, None, fields)
    tree = yaml_config.read_yaml(path, "model file", "rows, or backbone")
    return _spec(path.stem, _named(tree, path.name), fields)


def _spec(base: str, model: JsonObject | None, fields: Mapping[str, object]) -> ArchSpec:
    return ArchSpec.model_validate({"base": base, "model": model, **fields})


def _named(tree: JsonObject, name: str) -> JsonObject:
    """A model file's content in named fields, in whichever grammar it is written."""
    return list_grammar.to_named_fields(tree, name)[0] if list_grammar.is_grammar(tree) else tree


def convert_model_file(path: Path, out: Path) -> int:
    """Write a model file of the grammar of `[repeat, module, args]` as rows of named fields; return their number.

    Raises:
        UserError: the file is wrong, or is of named fields already, or `out` exists.
    """
    tree = yaml_config.read_yaml(path, "model file", "backbone")
    if not list_grammar.is_grammar(tree):
        raise UserError(f"model file {path}: has no 'backbone'; it is in named fields already")
    if out.exists():
        raise UserError(f"arch convert: {out} is there already; name another file")
    named, _ = list_grammar.to_named_fields(tree, path.name)
    build(ArchSpec(base=path.stem, model=tree, classes=2))  # what cannot be built is not written
    rows = "".join(f"  - {_flow(row)}\n" for row in named["rows"])
    head = "".join(f"{key}: {value}\n" for key, value in named.items() if key != "rows")
    atomic_io.write_text(out, f"{head}rows:\n{rows}")
    return len(named["rows"])


def _flow(row: JsonObject) -> str:
    import yaml

    return str(yaml.safe_dump(row, default_flow_style=True, sort_keys=False, width=1000)).strip()


def list_backbones(classes: int, size: int) -> BackbonesResult:
    """Return parameters and multiply-adds of every backbone at an input size; those of others that fail are named.

    Branches are merged, as they are for the robot.
    """
    result = []
    for name, plugin in sorted(plugins.list_plugins("backbones").items()):
        try:
            network = merge_branches(build(ArchSpec(base=name, classes=classes)))
        except LeansortError as error:
            if plugin.is_own:
                raise
            say(f"warning: left out: {error}")
            continue
        result.append(BackboneCost(name, parameters(network), macs(network, size), plugin.origin))
    return BackbonesResult(size=size, backbones=tuple(result))


def show_architecture(spec: ArchSpec, size: int) -> ArchitectureResult:
    """What each part of a network puts out and costs at an input size, batch 1; branches merged, as it is deployed.

    Raises:
        UserError: the input is too small for the network, or the network cannot be traced.
    """
    parts = summarize_parts(merge_branches(build(timm_networks.set_input_size(spec, size))), size)
    return ArchitectureResult(size=size, parts=tuple(parts), total=total_parts(parts))


def draw_svg(result: ArchitectureResult, title: str, path: Path) -> None:
    """Write a picture of a network as SVG.

    Raises:
        UserError: the path cannot be written.
    """
    atomic_io.write_text(path, draw_architecture(result.parts, result.total, title))


def parts_table(result: ArchitectureResult) -> str:
    """Parts as text with a last line of totals."""
    lines = [["part", "block", "out", "down", "sees", "parameters", "macs", "peak KB"]]
    for part in result.parts:
        sees = "all" if part.receptive is None else str(part.receptive)
        down = "" if part.downsampling is None else f"{part.downsampling:g}"
        shape = "x".join(map(str, part.out))
        lines.append([part.name, part.block, shape, down, sees, *_costs(part.parameters, part.macs, part.memory)])
    total = result.total
    return align_columns(
        [*lines, ["total", "", "", "", "", *_costs(total.parameters, total.macs, total.memory)]], left=2
    )


def _costs(parameters: int, macs: int, memory: int) -> list[str]:
    return [f"{parameters:,}", f"{macs:,}", f"{memory / 1000:,.0f}"]


def backbones_table(result: BackbonesResult) -> str:
    """Backbones as text."""
    rows = [[item.name, f"{item.parameters:,}", f"{item.macs:,}", item.origin] for item in result.backbones]
    return align_columns([["name", "parameters", "macs", "from"], *rows], left=1)

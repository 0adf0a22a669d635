"""Whether a network can be exported, found out before hours are spent on training it.

What is asked is what the export will do: trace the network, fold its batch norms, write the graph in the recipe's
format at the recipe's size and compare the two on a few pictures. The weights are as they are drawn, with noise where
they are drawn alike and batch norms that have seen a batch, so that a difference would show.
"""

from __future__ import annotations

import importlib.metadata

from leansort.arch.analysis.summary import UNFIT
from leansort.arch.build import BuiltNetwork, uses_own_blocks
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.timm_models.timm_networks import is_timm
from leansort.arch.trained_model import TrainedModel
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, MissingExtraError, UserError, one_line
from leansort.core.process.console import say
from leansort.core.provenance import versions
from leansort.export import parity
from leansort.export.fast_export import export_for_timing
from leansort.export.formats import convert_to_format, export_to_format
from leansort.export.parity import Parity
from leansort.measure import measurement_cache
from leansort.recipe.schema import Recipe
from leansort.runtime.engine import Pixels
from leansort.workflows.training.untrained_network import CLASSES, draw_untrained_network, noise

KIND = "exportable"
proven_networks: set[str] = set()  # in this process


def require_exportable(spec: ArchSpec, recipe: Recipe, built: BuiltNetwork | None = None) -> None:
    """Refuse a network that training would be wasted on; what has been proven on this machine is taken as it was.

    Args:
        spec: the recipe's network, of any number of classes.
        recipe: says the size of pictures and the format of the export.
        built: the network, where it is at hand; a copy of it is looked at. None draws one.

    Raises:
        UserError: it cannot be exported, or the graph differs from the network; the layer is named where it is known.
        MissingExtraError: the format's library is not installed.
    """
    size, graph_format = recipe.preprocess.size, _format(recipe)
    name = _name(spec, size, graph_format)
    of_timm = is_timm(spec.base)  # which its version describes; a backbone in a file may change
    if name in proven_networks or (of_timm and measurement_cache.read(KIND, _key(name))):
        return
    if not uses_own_blocks(spec):
        say(f"{spec.base}: making sure that it exports before it is trained")
    proof(spec, recipe, built)
    proven_networks.add(name)
    if of_timm:
        measurement_cache.write(KIND, _key(name), {"exports": True})


def proof(spec: ArchSpec, recipe: Recipe, built: BuiltNetwork | None = None) -> Parity:
    """Export a recipe's untrained network and compare the two; see `require_exportable`.

    Raises:
        UserError: it cannot be exported, or the graph differs from the network; the layer is named where it is known.
        MissingExtraError: the format's library is not installed.
    """
    graph_format = _format(recipe)
    try:
        model = draw_untrained_network(spec, recipe.preprocess, built)
        bundle = provisional(model, graph_format, quick=uses_own_blocks(spec))
        return parity.check_parity(model, bundle, noise(recipe.preprocess.size), untrained=True)
    except MissingExtraError:
        raise
    except (LeansortError, *UNFIT) as error:
        reason = one_line(error, None).removeprefix("export: ")[:300]
        where = f"{graph_format}, {recipe.preprocess.size} px"
        raise UserError(f"arch: {spec.base} cannot be trained to be exported ({where}): {reason}") from None


def require_exact(model: TrainedModel, graph_format: str, pixels: Pixels) -> None:
    """Export a network and compare the two, once in a process for an architecture.

    Args:
        model: the network.
        graph_format: `onnx`, `openvino`, `torch`, `ncnn` or `litert`.
        pixels: pictures to compare them on, uint8 (n, size, size, 3).

    Raises:
        LeansortError: the export fails, or the graph differs.
    """
    if _name(model.spec, model.preprocess.size, graph_format) in proven_networks:
        return
    parity.check_parity(model, provisional(model, graph_format, quick=uses_own_blocks(model.spec)), pixels)
    proven(model, graph_format)


def proven(model: TrainedModel, graph_format: str) -> None:
    """Note that a network's export has been compared with it."""
    proven_networks.add(_name(model.spec, model.preprocess.size, graph_format))


def provisional(model: TrainedModel, graph_format: str, *, quick: bool) -> Bundle:
    """A bundle to be looked at and thrown away.

    Args:
        model: the network.
        graph_format: `onnx`, `openvino`, `torch`, `ncnn` or `litert`.
        quick: by the exporter that takes a fifth of a second. What it says can be relied upon for networks of our own
            blocks, which are tested with both exporters; of others it takes some that the real one refuses.

    Raises:
        LeansortError: the network cannot be exported.
    """
    if graph_format == "torch" or not quick:
        return export_to_format(model, graph_format)
    return convert_to_format(export_for_timing(model), graph_format)


def _format(recipe: Recipe) -> str:
    return "onnx" if recipe.compress.steps else recipe.export.format  # what passes start from


def _name(spec: ArchSpec, size: int, graph_format: str) -> str:
    return f"{graph_format} {size} {spec.model_copy(update={'classes': len(CLASSES)}).model_dump_json()}"


def _key(name: str) -> list[object]:
    return [name, versions(), [importlib.metadata.version(library) for library in ("timm", "onnxscript")]]

"""Static quantization by NNCF, which places the quantizers where OpenVINO's CPU kernels want them."""

from __future__ import annotations

import gc
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from leansort.compress.quantization import half_precision
from leansort.compress.quantization.ignored_layers import GraphNode, select_ignored_layers
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError
from leansort.core.process.silence import silence
from leansort.runtime import openvino_graph, openvino_library
from leansort.runtime.engine import Pixels
from leansort.runtime.openvino_graph import layers, weight


def quantize(
    bundle: Bundle,
    pixels: Pixels,
    *,
    preset: str,
    method: str,
    ignored_layers: Collection[str],
    half_rest: bool,
    weight_bits: int,
) -> tuple[Mapping[str, bytes], list[str]]:
    """Quantize a bundle's graph; see `int8.quantize_openvino`.

    Returns:
        The files of a bundle in the openvino format, and the names of the layers that are in float there.

    Raises:
        MissingExtraError: NNCF or OpenVINO is not installed.
        LeansortError: NNCF quantized a layer that was to stay in float.
    """
    nncf = openvino_library.import_nncf()
    model = openvino_graph.read(bundle, fold=True)
    with silence():
        model = nncf.quantize(
            model,
            nncf.Dataset([picture[None] for picture in pixels]),
            preset=nncf.QuantizationPreset(preset),
            target_device=nncf.TargetDevice.CPU,
            subset_size=len(pixels),
            fast_bias_correction=True,
            ignored_scope=_ignored(nncf, model, ignored_layers),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                activations_range_estimator_params=_ranges(nncf, method),
                overflow_fix=nncf.OverflowFix.ENABLE if weight_bits < 8 else nncf.OverflowFix.DISABLE,
            ),
        )
    gc.collect()  # NNCF's own engines have to end in this thread: see `runtime.engines.openvino`
    made = set(int8_layers(model))
    in_float = [name for name in layers(model) if name not in made]
    wrong = sorted(set(ignored_layers).difference(in_float))
    if wrong:
        raise LeansortError(f"quantize: {wrong[0]} was to stay in float, NNCF quantized it")
    _share_ranges(model)
    if half_rest:
        half_precision.halve(model)
    return openvino_graph.files(model), in_float


def int8_layers(model: Any) -> list[str]:
    """Names of the layers of an `openvino.Model` whose weights are int8."""
    stored = ((name, weight(node)) for name, node in layers(model).items())
    return [name for name, item in stored if item and item.get_element_type().get_type_name() in ("i8", "u8")]


def _ignored(nncf: Any, model: Any, ignored_layers: Collection[str]) -> Any:
    """What NNCF shall not touch: those layers, and what lies between them."""
    named = {name: node.get_friendly_name() for name, node in layers(model).items()}
    kept = [named[name] for name in ignored_layers]
    between = select_ignored_layers(_nodes(model), named.values(), set(named.values()).difference(kept))
    return nncf.IgnoredScope(names=[*kept, *between]) if kept else None


def _nodes(model: Any) -> list[GraphNode]:
    """Everything that is computed from the pixels; constants and what is made of them have no part in it."""
    graph_nodes: dict[str, GraphNode] = {}
    for node in model.get_ordered_ops():
        reads = [node.input_value(i).get_node().get_friendly_name() for i in range(node.get_input_size())]
        computed = tuple(name for name in reads if name in graph_nodes)
        if computed or node.get_type_name() == "Parameter":
            graph_nodes[node.get_friendly_name()] = GraphNode(node.get_friendly_name(), computed)
    return list(graph_nodes.values())


def _ranges(nncf: Any, method: str) -> Any:
    known = nncf.quantization.range_estimator.RangeEstimatorParametersSet
    return known.MINMAX if method == "minmax" else known.MEAN_MINMAX


def _share_ranges(model: Any) -> None:
    """Let quantizers whose input and output ranges are equal read one constant for both: half as many to write down."""
    for node in model.get_ordered_ops():
        if node.get_type_name() == "FakeQuantize":
            for before, after in ((1, 3), (2, 4)):
                values = [node.input_value(i).get_node().data for i in (before, after)]
                if np.array_equal(*values):
                    node.input(after).replace_source_output(node.input_value(before))

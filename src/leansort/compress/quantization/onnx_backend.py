"""Static quantization by ONNX Runtime's own tools, taken apart: ranges found once serve any choice of layers.

Their `quantize_static` measures ranges at every call, reads and writes files, and leaves the logits in 256 steps.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnx
import onnxruntime
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import EntropyCalibrater, MinMaxCalibrater, PercentileCalibrater
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

from leansort.compress.quantization.fake_quantize import WeightBits
from leansort.compress.quantization.ignored_layers import GraphNode, select_ignored_layers
from leansort.core.process.silence import silence
from leansort.core.writing import atomic_io
from leansort.runtime.engine import Pixels
from leansort.runtime.layer_outputs import LAYERS

Method = Literal["minmax", "percentile", "entropy"]
_BINS: dict[Method, dict[str, Any]] = {
    "minmax": {},
    "percentile": {"num_bins": 2048, "percentile": 99.999},
    "entropy": {"num_bins": 128, "num_quantized_bins": 128},
}
_CALIBRATERS = {"minmax": MinMaxCalibrater, "percentile": PercentileCalibrater, "entropy": EntropyCalibrater}


def quantizable_nodes(graph: bytes) -> list[str]:
    """Names of the nodes that are worth quantizing, in graph order."""
    return _layers(onnx.load_from_string(graph))


@dataclass(frozen=True)
class CalibratedGraph:
    """A float graph and the range of each of its tensors.

    Attributes:
        model: with the shapes of all tensors; never changed.
        ranges: what ONNX Runtime calls TensorsData; never changed.
    """

    model: onnx.ModelProto
    ranges: Any

    @classmethod
    def of(cls, graph: bytes, batches: Sequence[Pixels], method: Method) -> CalibratedGraph:
        """Run pictures through a graph and note the ranges.

        Args:
            graph: serialized ONNX.
            batches: uint8 (b, size, size, 3) each.
            method: how a range is made of the values seen.
        """
        with atomic_io.scratch() as folder, silence():
            (folder / "float.onnx").write_bytes(graph)
            calibrater = _calibrater(folder, method)
            for batch in batches:  # one at a time: the histograms' collector holds all tensors of a whole collection
                calibrater.collect_data(_Once({calibrater.infer_session.get_inputs()[0].name: batch}))
            return cls(onnx.shape_inference.infer_shapes(onnx.load_from_string(graph)), calibrater.compute_data())

    def quantized(self, *, exclude: Collection[str] = (), only: str = "", weight_bits: WeightBits = 7) -> bytes:
        """Quantize the graph.

        Args:
            exclude: layers left in float.
            only: the one layer to quantize, with the activation that follows; all where empty.
            weight_bits: of the weights' eight bits that are used.

        Returns:
            The serialized graph, without anything that a robot does not need.
        """
        wanted = [only, *_activation_after(self.model, only)] if only else []
        names = _layers(self.model)
        int8 = {only} if only else set(names).difference(exclude)
        kept = [*exclude, *select_ignored_layers(_nodes(self.model), names, int8)]
        types = list({**QLinearOpsRegistry, **QDQRegistry})  # what `quantize_static` takes
        with silence():
            quantizer = QDQQuantizer(
                deepcopy(self.model),
                True,
                weight_bits < 8,
                QuantType.QInt8,
                QuantType.QUInt8,
                deepcopy(self.ranges),
                wanted,
                kept,
                types,
                {},
            )
            quantizer.quantize_model()
        model = quantizer.model.model
        _keep_output_float(model.graph)
        _sort(model.graph)
        return _stripped(model)


class _Once:
    """One batch, as ONNX Runtime wants its calibration data read."""

    def __init__(self, feed: dict[str, Pixels]) -> None:
        self._feed: dict[str, Pixels] | None = feed

    def get_next(self) -> dict[str, Pixels] | None:
        feed, self._feed = self._feed, None
        return feed


def _calibrater(folder: Path, method: Method) -> Any:
    seen = folder / "seen.onnx"
    made = _CALIBRATERS[method](folder / "float.onnx", augmented_model_path=str(seen), **_BINS[method])
    made.augment_graph()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # every tensor must be there
    options.intra_op_num_threads = 1  # equal sums on every machine
    options.log_severity_level = 3
    made.infer_session = onnxruntime.InferenceSession(str(seen), options, providers=["CPUExecutionProvider"])
    return made


def _layers(model: onnx.ModelProto) -> list[str]:
    return [node.name for node in model.graph.node if node.op_type in LAYERS]


def _nodes(model: onnx.ModelProto) -> list[GraphNode]:
    makers = {value: node.name for node in model.graph.node for value in node.output}
    return [GraphNode(n.name, tuple(makers[value] for value in n.input if value in makers)) for n in model.graph.node]


def _activation_after(model: onnx.ModelProto, layer: str) -> list[str]:
    """The clipping activation that becomes one with a layer when both are quantized."""
    outputs = next(node.output for node in model.graph.node if node.name == layer)
    readers = [node for node in model.graph.node if outputs[0] in node.input]
    return [node.name for node in readers if len(readers) == 1 and node.op_type in ("Relu", "Clip")]


def _keep_output_float(graph: onnx.GraphProto) -> None:
    """Take away the last quantize and dequantize: they would leave logits in 256 steps, and save nothing."""
    makers = {name: node for node in graph.node for name in node.output}
    last = makers[graph.output[0].name]
    if last.op_type != "DequantizeLinear":
        return
    first = makers[last.input[0]]
    maker = makers[first.input[0]]
    for node in (first, last):
        graph.node.remove(node)
    maker.output[list(maker.output).index(first.input[0])] = graph.output[0].name


def _sort(graph: onnx.GraphProto) -> None:
    """Put makers before readers, as ONNX demands, else in the order before; quantizers come at the end otherwise."""
    makers = {value: node for node in graph.node for value in node.output}
    placed: dict[str, onnx.NodeProto] = {}

    def place(node: onnx.NodeProto) -> None:
        for value in node.input:
            if value in makers and makers[value].output[0] not in placed:
                place(makers[value])
        placed[node.output[0]] = node

    for node in graph.node:
        if node.output[0] not in placed:
            place(node)
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in placed.values()]
    del graph.node[:]
    graph.node.extend(nodes)


def _stripped(model: onnx.ModelProto) -> bytes:
    biases = {value.name for value in model.graph.initializer if value.data_type == onnx.TensorProto.INT32}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in biases:
            del node.input[2:]  # zeros, as many as biases, which mean the same left out
    used = {name for node in model.graph.node for name in node.input}
    unused = [value for value in model.graph.initializer if value.name not in used]
    for value in unused:
        model.graph.initializer.remove(value)
    model.doc_string = ""
    for field in (model.metadata_props, model.graph.metadata_props, model.graph.value_info):
        del field[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    return bytes(model.SerializeToString(deterministic=True))

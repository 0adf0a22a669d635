"""A few layers as a bundle, to be timed in any engine: what a layer costs shows only where it will run.

The graph makes one number of the pixels, spreads it over a fixed pattern of the wanted shape, runs the layers and
averages what comes out. So nothing can be computed beforehand, and two chains with the same shapes in and out have
the same work around them. Written node by node, which takes milliseconds where the exporter takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from torch import Tensor, nn

from leansort.arch.layers import same_padding
from leansort.core.bundle import Bundle, BundleMeta
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.export.onnx import OPSET

Shape = tuple[int, int, int]
OUTPUTS = 6  # classes, which matter to nothing
SIZE = 16  # of the images, which matter to nothing
_IR = 10  # the file format that goes with the opset


def build_layer_bundle(layers: Sequence[nn.Conv2d | nn.Linear], shape_chw: Shape) -> Bundle:
    """Make a bundle that runs a chain of layers.

    Args:
        layers: each reads what the one before it gives; a linear one flattens it first.
        shape_chw: what the first one reads; (features, 1, 1) for a linear one.

    Returns:
        A bundle that takes uint8 (b, 16, 16, 3) and gives (b, 6).

    Raises:
        UserError: a layer of another kind, or one that does not fit what it reads.
    """
    graph = _Graph()
    value = graph.add("Cast", "image", to=onnx.TensorProto.FLOAT)
    value = graph.add("ReduceMean", value, graph.constant(np.array([1, 2, 3])), keepdims=1)
    pattern = (np.cos(np.arange(np.prod(shape_chw))).reshape(1, *shape_chw) / 255).astype(np.float32)
    value = graph.add("Mul", value, graph.constant(pattern))
    value = graph.add("Relu", value)  # else OpenVINO moves the pattern into the first convolution's weights
    shape, macs = shape_chw, 0
    for layer in layers:
        value, shape = graph.layer(layer, value, shape)
        macs += int(layer.weight.numel()) * shape[1] * shape[2]
    value = graph.add("Flatten", value)
    value = graph.add("ReduceMean", value, graph.constant(np.array([1])), keepdims=1)
    graph.add("Mul", value, graph.constant(np.arange(1, OUTPUTS + 1, dtype=np.float32)[None]), out="logits")
    parameters = sum(p.numel() for layer in layers for p in layer.parameters())
    labels = LabelSet(tuple(f"class {k}" for k in range(1, OUTPUTS + 1)))
    meta = BundleMeta(
        name="layers",
        preprocess=Preprocess(size=SIZE),
        labels=labels.names,
        labels_digest=labels.digest,
        parameters=parameters,
        macs=macs,
    )
    return Bundle(meta, {"graph.onnx": graph.to_bytes()})


class _Graph:
    """Nodes and constants as they are added; values are named by counting."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: npt.NDArray[np.float32] | npt.NDArray[np.int64]) -> str:
        """Add a constant; return its name."""
        self.constants.append(numpy_helper.from_array(value, f"constant_{len(self.constants)}"))
        return self.constants[-1].name

    def add(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        out = out or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], f"node_{len(self.nodes)}", **attributes))
        return out

    def layer(self, layer: nn.Conv2d | nn.Linear, value: str, shape: Shape) -> tuple[str, Shape]:
        """Add a layer that reads a value of a shape (c, h, w); return what it gives."""
        after = _after(layer, shape)
        weights = [self.constant(_array(item)) for item in (layer.weight, layer.bias) if item is not None]
        if isinstance(layer, nn.Linear):
            return self.add("Gemm", self.add("Flatten", value), *weights, transB=1), after
        top, left, bottom, right = _pads(layer, shape)
        return self.add(
            "Conv",
            value,
            *weights,
            kernel_shape=layer.kernel_size,
            strides=layer.stride,
            dilations=layer.dilation,
            group=layer.groups,
            pads=(top, left, bottom, right),
        ), after

    def to_bytes(self) -> bytes:
        """Serialize: equal layers give equal bytes."""
        image = helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["batch", SIZE, SIZE, 3])
        logits = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 6])
        graph = helper.make_graph(self.nodes, "layers", [image], [logits], self.constants)
        model = helper.make_model(graph, ir_version=_IR, opset_imports=[helper.make_opsetid("", OPSET)])
        return bytes(model.SerializeToString(deterministic=True))


def _array(weights: Tensor) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(weights.detach().cpu().float().numpy())


def _after(layer: nn.Module, shape: Shape) -> Shape:
    """The shape that a layer makes of a shape.

    Raises:
        UserError: it is of another kind, or does not fit.
    """
    if isinstance(layer, nn.Linear) and layer.in_features == shape[0] * shape[1] * shape[2]:
        return layer.out_features, 1, 1
    if isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros" and layer.in_channels == shape[0]:
        pads, spans = _pads(layer, shape), []
        for axis in (0, 1):
            room = shape[1 + axis] + pads[axis] + pads[axis + 2] - layer.dilation[axis] * (layer.kernel_size[axis] - 1)
            spans.append((room - 1) // layer.stride[axis] + 1)
        if min(spans) > 0:
            return layer.out_channels, spans[0], spans[1]
    raise UserError(f"layers: {layer} cannot read an input of shape {shape}")


def _pads(layer: nn.Conv2d, shape: Shape) -> tuple[int, int, int, int]:
    """Rows and columns of zeros at the top, left, bottom and right of what a layer reads."""
    if isinstance(layer, same_padding.SameConv2d):
        return same_padding.pads(layer, shape[1], shape[2])
    if layer.padding == "valid":
        return 0, 0, 0, 0
    if isinstance(layer.padding, str):  # "same": the odd one goes to the far side
        rows, columns = (d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True))
        return rows // 2, columns // 2, rows - rows // 2, columns - columns // 2
    return layer.padding[0], layer.padding[1], layer.padding[0], layer.padding[1]

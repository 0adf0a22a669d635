"""The first convolution of an int8 graph on the camera's own bytes, with the normalization in its weights.

Pixels are 8 bits already, but a graph that normalizes them makes them float first and 8 bits again behind; ONNX Runtime
spends a third of a small network's time on that. (x - mean) / std differs by channel, which 8 bits with one zero point
for all cannot hold. So the standard deviations go into the weights, one whole number near the means becomes the zero
point, and what the means differ from it goes into the bias. This is exact but for the padding around the picture,
which then has that one grey in place of the mean colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization.calibrate import TensorData

UNIT = 1 / 64  # a pixel's step; of a step of one OpenVINO drops the scale, and then takes the layer for a float one
_NAME, _GREY, _UNIT = "pixels_around_grey", "grey", "unit_of_pixels"


@dataclass(frozen=True)
class GreyGraph:
    """A float graph whose first convolution reads pixels less one grey.

    Attributes:
        model: the graph.
        layer: the convolution's name.
        level: the grey, 0-255.
    """

    model: onnx.ModelProto
    layer: str
    level: int

    def set_range(self, ranges: Any) -> None:
        """Make 8 bits of the pixels less the grey be the pixels themselves: one unit a step, the grey as zero point."""
        lowest, highest = np.float32(-self.level * UNIT), np.float32((255 - self.level) * UNIT)
        ranges.data[_NAME] = TensorData(lowest=lowest, highest=highest)


def fold_input_normalization(graph: bytes) -> GreyGraph | None:
    """Rewrite a float graph; None where its first convolution is not one that alone reads normalized pixels.

    Args:
        graph: serialized ONNX: uint8 pixels, transposed, cast, less the means, over the standard deviations.
    """
    model = onnx.load_from_string(graph)
    makers = {value: node for node in model.graph.node for value in node.output}
    constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    conv = next((node for node in model.graph.node if node.op_type == "Conv"), None)
    chain = _chain(conv, makers) if conv else []
    if [node.op_type for node in chain] != ["Div", "Sub", "Cast"] or not all(
        len([item for item in model.graph.node if node.output[0] in item.input]) == 1 for node in chain
    ):
        return None
    divide, subtract, cast = chain
    if conv is None or divide.input[1] not in constants or subtract.input[1] not in constants:
        return None
    mean, std = (constants[node.input[1]].reshape(-1) for node in (subtract, divide))
    level = round(float(mean.mean()))
    _fold(model, conv, constants, mean, std, level)
    for name, value in ((_GREY, level), (_UNIT, UNIT)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    less = helper.make_node("Sub", [cast.output[0], _GREY], [f"{_NAME}_less"], name=f"{_NAME}_less")
    scaled = helper.make_node("Mul", [less.output[0], _UNIT], [_NAME], name=_NAME)
    at = list(model.graph.node).index(subtract)
    for place, node in enumerate((less, scaled)):
        model.graph.node.insert(at + place, node)
    conv.input[0] = _NAME
    for node in (divide, subtract):
        model.graph.node.remove(node)
    return GreyGraph(model, conv.name, level)


def _chain(conv: onnx.NodeProto, makers: dict[str, onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The three nodes in front of a convolution, the nearest first."""
    node_protoes, value = list[onnx.NodeProto](), conv.input[0]
    while value in makers and len(node_protoes) < 3:
        node_protoes.append(makers[value])
        value = makers[value].input[0]
    return node_protoes


def _fold(
    model: onnx.ModelProto,
    conv: onnx.NodeProto,
    constants: dict[str, npt.NDArray[Any]],
    mean: npt.NDArray[Any],
    std: npt.NDArray[Any],
    level: int,
) -> None:
    weight = constants[conv.input[1]] / std.reshape(1, -1, 1, 1)
    bias = constants[conv.input[2]] if len(conv.input) > 2 else np.zeros(len(weight), np.float32)
    bias = bias + (weight * (level - mean).reshape(1, -1, 1, 1)).sum(axis=(1, 2, 3))
    weight = weight / UNIT
    names = [f"{conv.name}_weight_of_pixels", f"{conv.name}_bias_of_pixels"]
    for name, value in zip(names, (weight, bias), strict=True):
        model.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
    del conv.input[1:]
    conv.input.extend(names)

"""Weights of a float graph, rounded for int8 so that the outputs of their layers change least.

The nearest step is the best one for each weight by itself, not for their sum: a depthwise filter that tells edges has
large weights of both signs, whose rounding errors, all multiplied by the brightness of the image, move its output as
much as edges do. So each weight goes to the step above or below, whichever lessens the mean square error that all of a
layer's weights together cause on train crops; what is constant in that error goes into the bias. That is the objective
of arXiv:2004.10568, met here without training: by flipping one weight after another, as long as one helps.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from leansort.compress.quantization.fake_quantize import MOST, WeightBits
from leansort.runtime.engine import Pixels
from leansort.runtime.layer_outputs import read_values

Doubles = npt.NDArray[np.float64]
SAMPLES = 2048  # places, at least, that a layer's inputs are looked at
SAMPLES_PER_INPUT = 16  # of a filter
BATCHES = 4  # of crops that they are taken from
_DAMPING = 1e-4  # of the mean variance: inputs that never vary would leave their weights free


@dataclass(frozen=True)
class LayerInputs:
    """What the filters of a convolution read.

    Attributes:
        mean_gf: mean of each of a filter's inputs, for each group of filters.
        covariance_gff: of these inputs.
    """

    mean_gf: Doubles
    covariance_gff: Doubles

    @classmethod
    def of(cls, samples_ngf: Doubles) -> LayerInputs:
        """Take both from samples."""
        mean_gf = samples_ngf.mean(axis=0)
        apart_gnf = np.ascontiguousarray((samples_ngf - mean_gf).transpose(1, 0, 2))  # BLAS takes no other
        covariance_gff = apart_gnf.transpose(0, 2, 1) @ apart_gnf / len(samples_ngf)
        variance_g = np.trace(covariance_gff, axis1=1, axis2=2) / covariance_gff.shape[1]
        return cls(mean_gf, covariance_gff + (_DAMPING * variance_g)[:, None, None] * np.eye(covariance_gff.shape[1]))


def round_weights(graph: bytes, batches: Sequence[Pixels], weight_bits: WeightBits, exclude: Collection[str]) -> bytes:
    """Move weights to where int8 will hold them, and correct biases.

    Args:
        graph: serialized ONNX, in float.
        batches: train crops, uint8 (b, size, size, 3) each.
        weight_bits: of the weights' eight bits that are used.
        exclude: names of layers that stay in float.

    Returns:
        The graph. Convolutions that are dilated, padded automatically, or share their weights stay as they are, and are
        rounded to the nearest step by whoever quantizes; so are matrix products.
    """
    model = onnx.load_from_string(graph)
    given = {item.name: item for item in model.graph.initializer}
    readers = [name for node in model.graph.node for name in node.input]
    layers = [
        node
        for node in model.graph.node
        if node.name not in exclude and _is_plain(node) and node.input[1] in given and readers.count(node.input[1]) == 1
    ]
    if not layers:
        return graph
    for node, inputs in zip(layers, _inputs(model, layers, given, batches[:BATCHES]), strict=True):
        weight = numpy_helper.to_array(given[node.input[1]])
        rounded_of, shift_o = _rounded(weight.reshape(len(weight), -1).astype(np.float64), inputs, MOST[weight_bits])
        bias = numpy_helper.to_array(given[node.input[2]]) if len(node.input) > 2 else np.zeros(len(weight))
        names = [f"{node.name}_rounded_weight", f"{node.name}_rounded_bias"]
        for name, value in zip(names, (rounded_of.reshape(weight.shape), bias + shift_o), strict=True):
            model.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
        del node.input[1:]
        node.input.extend(names)
    return bytes(model.SerializeToString())


def choose_steps(weight_of: Doubles, covariance_gff: Doubles, scale_o: Doubles, most: int) -> Doubles:
    """Whole numbers of steps for each weight, next to its value, that change the filters' outputs least.

    Args:
        weight_of: weights, a filter in a row; equally many filters for each group of inputs.
        covariance_gff: of the inputs of each group.
        scale_o: size of a filter's step.
        most: steps to the largest weight, which stays where it is.
    """
    filters, width = weight_of.shape
    groups = len(covariance_gff)
    group_o = np.repeat(np.arange(groups), filters // groups)
    steps_of = np.clip(np.round(weight_of / scale_o[:, None]), -most, most)
    error_of = steps_of - weight_of / scale_o[:, None]
    slope_of = (error_of.reshape(groups, -1, width) @ covariance_gff).reshape(filters, width)
    own_of = covariance_gff[:, np.arange(width), np.arange(width)][group_o]
    rows = np.arange(filters)
    for _ in range(4 * width):
        way_of = np.where(error_of > 0, -1.0, 1.0)  # to the other one of the two steps around the value
        gain_of = np.where(np.abs(steps_of) >= most, np.inf, 2 * way_of * slope_of + own_of)
        best_o = gain_of.argmin(axis=1)
        move_o = np.where(gain_of[rows, best_o] < 0, way_of[rows, best_o], 0.0)
        if not move_o.any():
            break
        steps_of[rows, best_o] += move_o
        error_of[rows, best_o] += move_o
        slope_of += move_o[:, None] * covariance_gff[group_o, best_o]
    return steps_of


def _rounded(weight_of: Doubles, inputs: LayerInputs, most: int) -> tuple[Doubles, Doubles]:
    """The rounded weights and what to add to the biases."""
    scale_o = np.maximum(np.abs(weight_of).max(axis=1), 1e-12) / most
    rounded_of = choose_steps(weight_of, inputs.covariance_gff, scale_o, most) * scale_o[:, None]
    mean_of = np.repeat(inputs.mean_gf, len(weight_of) // len(inputs.mean_gf), axis=0)
    return rounded_of, ((weight_of - rounded_of) * mean_of).sum(axis=1)


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def _is_plain(node: onnx.NodeProto) -> bool:
    found = _attributes(node)
    automatic = found.get("auto_pad", b"NOTSET") != b"NOTSET"
    return node.op_type == "Conv" and not automatic and set(found.get("dilations", [1])) == {1}


def _inputs(
    model: onnx.ModelProto, layers: Sequence[onnx.NodeProto], given: dict[str, Any], batches: Sequence[Pixels]
) -> list[LayerInputs]:
    values = list(dict.fromkeys(node.input[0] for node in layers))
    read = read_values(model, values)
    rng = np.random.default_rng(0)
    samples: dict[str, list[Doubles]] = {node.name: [] for node in layers}
    for batch in batches:
        seen = dict(zip(values, read(batch), strict=True))
        for node in layers:
            _, *shape = given[node.input[1]].dims
            count = max(SAMPLES, SAMPLES_PER_INPUT * int(np.prod(shape))) // len(batches)
            places = rng.random(count)
            samples[node.name].append(_patches(seen[node.input[0]], shape[1:], _attributes(node), places))
    return [LayerInputs.of(np.concatenate(samples.pop(node.name))) for node in layers]


def _patches(x_bchw: npt.NDArray[np.float32], sides: Sequence[int], found: dict[str, Any], places: Doubles) -> Doubles:
    """Inputs of the filters at places, 0 to 1 over all of a batch: (n, groups, inputs of a filter)."""
    top, left, bottom, right = found.get("pads", [0, 0, 0, 0])
    down, across = found.get("strides", [1, 1])
    padded = np.pad(x_bchw, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, tuple(sides), (2, 3))[:, :, ::down, ::across]
    count, _, height, width = windows.shape[:4]
    image, place = np.divmod((places * count * height * width).astype(np.int64), height * width)
    chosen = windows[image, :, place // width, place % width]
    return chosen.reshape(len(chosen), found.get("group", 1), -1).astype(np.float64)

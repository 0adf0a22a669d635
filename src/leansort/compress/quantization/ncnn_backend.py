"""Static quantization for NCNN, whose own tools for it (`ncnn2table`, `ncnn2int8`) are in no Python package.

What those write is written here: weights in 8 bits with a scale for each output channel, and a scale for what the layer
reads, by the largest absolute value seen. Layers hand each other floats, as NCNN's own tools leave it by default.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, MissingExtraError
from leansort.core.graphs.ncnn import param_text
from leansort.core.graphs.ncnn.param_text import Layer
from leansort.core.graphs.ncnn.weight_layers import INT8_TAG
from leansort.runtime.conversion import ncnn_graph
from leansort.runtime.engine import Pixels

MODES = {"Convolution": 2, "ConvolutionDepthWise": 1, "InnerProduct": 2}  # NCNN's numbers for int8 with such scales
_BIAS = {"Convolution": 5, "ConvolutionDepthWise": 5, "InnerProduct": 1}  # parameters that tell of a bias
_STEPS = 127


def quantize(bundle: Bundle, pixels: Pixels, ignored_layers: Collection[str]) -> Bundle:
    """Convert a float bundle to NCNN's format in int8.

    Args:
        bundle: in float, in the onnx format.
        pixels: preprocessed pictures that the ranges are taken from, uint8 (n, size, size, 3).
        ignored_layers: names of layers that stay in float.

    Raises:
        MissingExtraError: NCNN or its converter is not installed.
        LeansortError: a layer that was to stay in float cannot be found in NCNN's graph; it is named.
    """
    made = ncnn_graph.convert(bundle)
    layers = ncnn_graph.read_layers(made)
    missing = sorted(set(ignored_layers) - {layer.name for layer in layers})
    if missing:
        raise LeansortError(
            f"quantize: layer {missing[0]!r} has the weights of another; NCNN's graph cannot tell them apart"
        )
    chosen = [layer for layer in layers if layer.kind in MODES and layer.name not in ignored_layers]
    largest = _largest_inputs(made, chosen, pixels)
    return _rewritten(made, {layer.name: layer for layer in chosen}, largest)


def _largest_inputs(bundle: Bundle, layers: Collection[Layer], pixels: Pixels) -> dict[str, float]:
    """The largest absolute value that each layer reads, by its name."""
    try:
        import ncnn
    except ImportError:
        raise MissingExtraError("ncnn", "ncnn") from None
    net, size = ncnn.Net(), bundle.meta.preprocess.size
    net.opt.num_threads, net.opt.lightmode = 1, False  # which would forget what was computed on the way
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.load_param_mem(bundle.graph.decode())
    net.load_model_mem(bundle.files["graph.ncnn.bin"])
    found = dict.fromkeys((layer.name for layer in layers), 0.0)
    for x_hwc in pixels:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat.from_pixels(x_hwc, ncnn.Mat.PixelType.PIXEL_RGB, size, size))
        for layer in layers:
            found[layer.name] = max(found[layer.name], _largest(extractor, layer))
    return found


def _largest(extractor: Any, layer: Layer) -> float:
    status, values = extractor.extract(layer.reads[0])
    largest = float(np.abs(np.array(values)).max()) if status == 0 else np.inf
    if not np.isfinite(largest):
        raise LeansortError(f"quantize: layer {layer.name!r} reads what is not finite")
    return largest


def _rewritten(bundle: Bundle, chosen: dict[str, Layer], largest: dict[str, float]) -> Bundle:
    """The graph with those layers in int8, and its weights."""
    data, result, at = bundle.files["graph.ncnn.bin"], bytearray(), 0
    lines = bundle.graph.decode().splitlines()[2:]
    for number, told in enumerate(param_text.read(bundle.graph)):
        if told.name not in chosen:
            continue
        layer = chosen[told.name]
        outputs, groups = told.integer(0), told.integer(7, 1) if told.kind == "ConvolutionDepthWise" else 0
        weights, scales = int8_weights(ncnn_graph.weights_of(layer, data).reshape(groups or outputs, -1))
        bias = layer.weights_at + 4 + 4 * layer.weights
        end = bias + (4 * outputs if told.integer(_BIAS[told.kind]) else 0)
        result += data[at : layer.weights_at] + INT8_TAG + weights.tobytes() + bytes(-weights.size % 4) + data[bias:end]
        result += np.append(scales, _STEPS / (largest[told.name] or _STEPS)).astype("<f4").tobytes()
        at, lines[number] = end, f"{lines[number]} 8={MODES[told.kind]}"
    return ncnn_graph.replace_graph(bundle, lines, bytes(result + data[at:]))


def int8_weights(weights_on: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Weights (outputs, n) in steps, the largest of each output 127 of them, and how many steps one is, (outputs,)."""
    largest_o = np.abs(weights_on).max(axis=1)
    scales_o = np.where(largest_o > 0, _STEPS / np.where(largest_o > 0, largest_o, 1), 1).astype(np.float32)
    return np.clip(np.rint(weights_on * scales_o[:, None]), -_STEPS, _STEPS).astype(np.int8), scales_o

"""Int8 without training: weights and activations in 8 bits, their ranges taken from pictures.

Layers are named as in the ONNX graph, for either engine. For ONNX Runtime the first of them reads the pixels' own bytes
(`int8_pixels`), for OpenVINO their normalization stays as it is; the logits are float.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from leansort.compress.quantization import ncnn_backend, onnx_backend, openvino_backend
from leansort.compress.quantization.fake_quantize import WeightBits
from leansort.compress.quantization.input_normalization import fold_input_normalization
from leansort.compress.quantization.onnx_backend import CalibratedGraph, Method
from leansort.compress.quantization.weight_rounding import round_weights
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError, not_one_of
from leansort.runtime import engine as engines
from leansort.runtime import openvino_graph
from leansort.runtime.conversion.litert import litert_graph
from leansort.runtime.engine import Logits, Pixels

Rounding = Literal["outputs", "nearest"]
BATCH = 32
WIDE_BITS: WeightBits = 8  # which the sums of NCNN and LiteRT have room for on every processor


def quantizable_layers(bundle: Bundle) -> list[str]:
    """Names of the convolutions and matrix products, in an order of computation, as `ignored_layers` takes them.

    Raises:
        MissingExtraError: the bundle is in OpenVINO's format and OpenVINO is not installed.
    """
    if bundle.format == "onnx":
        return onnx_backend.quantizable_nodes(bundle.graph)
    return list(openvino_graph.layers(openvino_graph.read(bundle)))


def quantize_onnx(
    bundle: Bundle,
    pixels: Pixels,
    *,
    method: Method = "minmax",
    ignored_layers: Collection[str] = (),
    weight_bits: WeightBits = 7,
    rounding: Rounding = "outputs",
) -> Bundle:
    """Quantize for ONNX Runtime: QDQ nodes, activations unsigned per tensor, weights signed per channel.

    Equal input gives equal bytes.

    Args:
        bundle: in float, in the onnx format.
        pixels: preprocessed pictures that the ranges are taken from, uint8 (n, size, size, 3).
        method: the range of an activation: all that was seen (`minmax`), but for a few outliers (`percentile`), or
            what keeps most of its distribution (`entropy`).
        ignored_layers: names of layers that stay in float.
        weight_bits: 7 keeps sums of two products within 16 bits, as processors with AVX2 and without VNNI take them;
            with 8 they are cut off there, and the network may lose many points of accuracy.
        rounding: weights go to the step that changes their layers' outputs least (`outputs`), or to the nearest.

    Returns:
        A bundle in the onnx format, with `quantized` in its provenance.

    Raises:
        UserError: another format, quantized already, pixels of another size, or no layer of that name.
    """
    _require(bundle, pixels, ignored_layers, ("onnx",))
    grey = fold_input_normalization(bundle.graph)
    if grey and grey.layer in ignored_layers:
        grey = None
    source, batches = grey.model.SerializeToString() if grey else bundle.graph, _batches(pixels)
    if rounding == "outputs":
        source = round_weights(source, batches, weight_bits, ignored_layers)
    calibrated = CalibratedGraph.of(source, batches, method)
    if grey:
        grey.set_range(calibrated.ranges)
    graph = calibrated.quantized(exclude=ignored_layers, weight_bits=weight_bits)
    notes = {"method": method, "weight_bits": weight_bits, "rounding": rounding}
    return _noted(bundle, {"graph.onnx": graph}, "onnxruntime", pixels, ignored_layers, notes)


def quantize_openvino(
    bundle: Bundle,
    pixels: Pixels,
    *,
    preset: Literal["mixed", "performance"] = "mixed",
    method: Literal["minmax", "mean"] = "minmax",
    ignored_layers: Collection[str] = (),
    half_rest: bool = True,
    weight_bits: WeightBits = 7,
) -> Bundle:
    """Quantize for OpenVINO by NNCF, which also corrects the biases.

    Equal input gives equal bytes on the same machine; on another, sums in another order may move a last digit.

    Args:
        bundle: in float, in either format.
        pixels: preprocessed pictures that the ranges are taken from, uint8 (n, size, size, 3).
        preset: activations asymmetric where they have both signs (`mixed`), or all symmetric (`performance`).
        method: the range of an activation: all that was seen, or the mean of every picture's (NNCF's own default,
            which cuts off much where pictures differ).
        ignored_layers: names of layers that stay in float.
        half_rest: weights that stay in float are stored in 16 bits.
        weight_bits: as of `quantize_onnx`.

    Returns:
        A bundle in the openvino format, with `quantized` in its provenance; `kept_float` there also names what NNCF
        itself left in float, such as squeeze-and-excitation.

    Raises:
        UserError: quantized already, pixels of another size, or no layer of that name.
        MissingExtraError: NNCF or OpenVINO is not installed.
    """
    _require(bundle, pixels, ignored_layers, ("onnx", "openvino"))
    files, kept = openvino_backend.quantize(
        bundle,
        pixels,
        preset=preset,
        method=method,
        ignored_layers=ignored_layers,
        half_rest=half_rest,
        weight_bits=weight_bits,
    )
    notes = {"preset": preset, "method": method, "weight_bits": weight_bits}
    return _noted(bundle, files, "openvino", pixels, kept, notes)


def quantize_ncnn(
    bundle: Bundle, pixels: Pixels, *, ignored_layers: Collection[str] = (), rounding: Rounding = "outputs"
) -> Bundle:
    """Quantize for NCNN: weights in 8 bits for each output channel, activations symmetric for each layer.

    Equal input gives equal bytes.

    Args:
        bundle: in float, in the onnx format.
        pixels: preprocessed pictures that the ranges are taken from, uint8 (n, size, size, 3).
        ignored_layers: names of layers that stay in float.
        rounding: as of `quantize_onnx`.

    Returns:
        A bundle in the ncnn format, with `quantized` in its provenance.

    Raises:
        UserError: another format, quantized already, pixels of another size, or no layer of that name.
        MissingExtraError: NCNN or its converter is not installed.
        LeansortError: NCNN cannot run a layer, or a layer of `ignored_layers` is not to be found; it is named.
    """
    _require(bundle, pixels, ignored_layers, ("onnx",))
    source = bundle
    if rounding == "outputs":
        graph = round_weights(bundle.graph, _batches(pixels), WIDE_BITS, ignored_layers)
        source = Bundle(bundle.meta, {"graph.onnx": graph})
    files = ncnn_backend.quantize(source, pixels, ignored_layers).files
    notes = {"method": "minmax", "weight_bits": WIDE_BITS, "rounding": rounding}
    return _noted(bundle, files, "ncnn", pixels, ignored_layers, notes)


def quantize_litert(
    bundle: Bundle,
    pixels: Pixels,
    *,
    method: Method = "minmax",
    ignored_layers: Collection[str] = (),
    rounding: Rounding = "outputs",
) -> Bundle:
    """Quantize for LiteRT: as for ONNX Runtime, with all 8 bits of the weights, and then written in LiteRT's format.

    Equal input gives equal bytes.

    Args:
        bundle: in float, in the onnx format.
        pixels: preprocessed pictures that the ranges are taken from, uint8 (n, size, size, 3).
        method: as of `quantize_onnx`.
        ignored_layers: names of layers that stay in float.
        rounding: as of `quantize_onnx`.

    Returns:
        A bundle in the litert format, with `quantized` in its provenance.

    Raises:
        UserError: as `quantize_onnx`.
        LeansortError: a layer cannot be written in LiteRT's format; it is named.
    """
    made = quantize_onnx(
        bundle, pixels, method=method, ignored_layers=ignored_layers, weight_bits=WIDE_BITS, rounding=rounding
    )
    files = litert_graph.convert(made).files
    notes = {"method": method, "weight_bits": WIDE_BITS, "rounding": rounding}
    return _noted(bundle, files, "litert", pixels, ignored_layers, notes)


def quantization_sensitivity(
    bundle: Bundle, pixels: Pixels, *, method: Method = "minmax", measure: Literal["kl", "mse"] = "kl"
) -> list[tuple[str, float]]:
    """How far the output moves when one layer alone is quantized, as ONNX Runtime does it.

    Args:
        bundle: in float, in the onnx format.
        pixels: preprocessed pictures, both for ranges, which are taken once, and to compare, uint8 (n, size, size, 3).
        method: see `quantize_onnx`.
        measure: mean Kullback-Leibler divergence of the calibrated probabilities, in nats, or mean squared error of
            the logits.

    Returns:
        Layer and distance, in graph order.

    Raises:
        UserError: as `quantize_onnx`.
    """
    _require(bundle, pixels, (), ("onnx",))
    distance = _kl if measure == "kl" else _mse
    scale = 1 / bundle.meta.temperature
    float_logits = scale * _logits(bundle, pixels)
    graph = CalibratedGraph.of(bundle.graph, _batches(pixels), method)
    result = []
    for name in quantizable_layers(bundle):
        alone = Bundle(bundle.meta, {"graph.onnx": graph.quantized(only=name)})
        result.append((name, distance(float_logits, scale * _logits(alone, pixels))))
    return result


def _kl(reference: Logits, other: Logits) -> float:
    log_p, log_q = _log_softmax(reference), _log_softmax(other)
    return float((np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean())


def _mse(reference: Logits, other: Logits) -> float:
    return float(np.square(reference.astype(np.float64) - other).mean())


def _log_softmax(logits: Logits) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    result: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def _logits(bundle: Bundle, pixels: Pixels) -> Logits:
    runner = engines.load_engine(bundle)
    return np.concatenate([runner.run(batch) for batch in _batches(pixels)])


def _batches(pixels: Pixels) -> list[Pixels]:
    return [np.ascontiguousarray(pixels[i : i + BATCH]) for i in range(0, len(pixels), BATCH)]


def _require(bundle: Bundle, pixels: Pixels, ignored_layers: Collection[str], formats: tuple[str, ...]) -> None:
    size = bundle.meta.preprocess.size
    if bundle.format not in formats:
        raise UserError(f"quantize: got a bundle in the {bundle.format} format, need {' or '.join(formats)}")
    if "quantized" in bundle.meta.provenance:
        raise UserError(f"quantize: {bundle.meta.name} is quantized already; quantize the float bundle")
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (size, size, 3) or not len(pixels):
        raise UserError(
            f"quantize: got pixels {pixels.dtype} {pixels.shape}, need uint8 (n, {size}, {size}, 3), n at least 1"
        )
    names = quantizable_layers(bundle)
    for name in ignored_layers:
        if name not in names:
            raise not_one_of("ignored_layers", name, names)


def _noted(
    bundle: Bundle, files: Mapping[str, bytes], engine: str, pixels: Pixels, kept: Collection[str], how: dict[str, Any]
) -> Bundle:
    in_order = [name for name in quantizable_layers(bundle) if name in kept]
    note = {"weights": "int8", "engine": engine, "kept_float": in_order, "calibration": len(pixels), **how}
    return Bundle(bundle.meta.model_copy(update={"provenance": {**bundle.meta.provenance, "quantized": note}}), files)

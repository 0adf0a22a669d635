"""A second output for a bundle's ONNX graph: the Mahalanobis distance of an image's features to the nearest class.

Features are means over the image of what the network computes half-way, at an eighth and a sixteenth of the image's
side: there it still sees textures and colours, which differ in unknown images, while in front of the classifier hardly
more is left than what parts the known classes. The class means share one covariance (arXiv:1807.03888), which is shrunk
towards the identity. Both lie in the graph as a whitening matrix and the whitened means, so that every engine computes
the distance along with the logits, and graphs in int8 get a distance fitted on what they compute in int8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from leansort.core.bundle import Bundle
from leansort.data.loading.crops import Crops
from leansort.runtime.engine import Pixels

Floats = npt.NDArray[np.float64]
STRIDES = (8, 16)  # of the image's side, where features are taken
MOST_FEATURES = 256
MOST_CROPS = 1000  # that the distance is fitted on
SHRINKAGE = 0.02  # of the covariance of standardized features
OUTPUT = "distance"
PREFIX = "novelty_"  # of the names of what is added
_OPSET = 18  # from here on, reductions take their axes as an input
_BATCH = 32


def add_distance(bundle: Bundle, crops: Crops) -> Bundle | None:
    """Give a bundle's graph the distance as a second output, float32 (b, 1).

    Args:
        bundle: with one output.
        crops: that the network was trained on, of every class at least one; up to `MOST_CROPS` are taken, evenly.

    Returns:
        The bundle; None where its graph is no ONNX graph, is too old, or has no features of a convolution to take.
    """
    if bundle.format != "onnx" or not len(crops.labels):
        return None
    model = onnx.load_from_string(bundle.graph)
    names = feature_tensors(model, bundle.meta.preprocess.size)
    if not names or len(model.graph.output) != 1 or _opset(model) < _OPSET:
        return None
    step = -(-len(crops.labels) // MOST_CROPS)
    features_nf = _features(model, names, crops.pixels[::step])
    labels_n = np.asarray(crops.labels)[::step]
    if not np.isfinite(features_nf).all():
        return None
    whitening_kf, means_ck = fit_classes(features_nf, labels_n)
    _add_nodes(model, names, whitening_kf, means_ck)
    return replace(bundle, files={**bundle.files, "graph.onnx": model.SerializeToString(deterministic=True)}, numbers=0)


def fit_classes(features_nf: Floats, labels_n: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Fit class means with a shared covariance.

    Args:
        features_nf: (n, f), finite.
        labels_n: class index of each row.

    Returns:
        What makes the covariance within classes the identity, (f, f) with features in columns; and the means of those
        classes that have a row, so whitened, (classes, f).
    """
    deviation_f = features_nf.std(0) + 1e-6 * (1 + np.abs(features_nf).max(0))
    x_nf = features_nf / deviation_f
    classes, index_n = np.unique(labels_n, return_inverse=True)
    means_cf = np.stack([x_nf[index_n == at].mean(0) for at in range(len(classes))])
    within_nf = x_nf - means_cf[index_n]
    covariance_ff = within_nf.T @ within_nf / len(within_nf)
    variance_k, axes_fk = np.linalg.eigh((1 - SHRINKAGE) * covariance_ff + SHRINKAGE * np.eye(len(covariance_ff)))
    whitening_kf = (axes_fk / np.sqrt(np.maximum(variance_k, SHRINKAGE / 2))).T
    return whitening_kf / deviation_f, means_cf @ whitening_kf.T


def feature_tensors(model: onnx.ModelProto, size: int) -> list[str]:
    """Names of the values that features are taken from: of each stride the last of those with the fewest channels.

    In quantized graphs these are values as they come back from int8: a second reader of what goes in would keep the
    engine from merging the layer with its quantization.

    Args:
        model: the graph.
        size: side of its images in pixels.
    """
    quantized = any(node.op_type == "DequantizeLinear" for node in model.graph.node)
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in onnx.shape_inference.infer_shapes(model).graph.value_info
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    found: dict[int, tuple[int, str]] = {}
    computed = {value.name for value in model.graph.input} - {value.name for value in model.graph.initializer}
    for node in model.graph.node:  # in the order that they are computed in
        if computed.isdisjoint(node.input):
            continue  # a weight as it comes back from int8, whose kernel may be as large as an image's features
        computed.update(node.output)
        shape = shapes.get(node.output[0], [])
        if len(shape) != 4 or shape[2] != shape[3] or shape[2] < 2 or not shape[1]:
            continue
        if quantized and node.op_type != "DequantizeLinear":
            continue
        stride = next((stride for stride in STRIDES if -(-size // stride) == shape[2]), 0)
        if stride and shape[1] <= found.get(stride, (shape[1], ""))[0]:
            found[stride] = shape[1], node.output[0]
    taken = [found[stride] for stride in STRIDES if stride in found]
    while taken and sum(channels for channels, _ in taken) > MOST_FEATURES:
        taken = taken[1:]
    return [name for _, name in taken]


def _opset(model: onnx.ModelProto) -> int:
    return max((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=0)


def _pooling(names: Sequence[str]) -> list[onnx.NodeProto]:
    """From feature maps to features (b, f)."""
    nodes = []
    for at, name in enumerate(names):
        nodes.append(_node("GlobalAveragePool", [name], f"pooled{at}"))
        nodes.append(_node("Flatten", [f"{PREFIX}pooled{at}"], f"features{at}", axis=1))
    return [*nodes, _node("Concat", [f"{PREFIX}features{at}" for at in range(len(names))], "features", axis=1)]


def _features(model: onnx.ModelProto, names: Sequence[str], pixels: Pixels) -> Floats:
    import onnxruntime

    pooled = onnx.ModelProto()
    pooled.CopyFrom(model)
    pooled.graph.node.extend(_pooling(names))
    pooled.graph.output.append(helper.make_tensor_value_info(f"{PREFIX}features", TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # equal sums on every machine
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(pooled.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0].name
    parts = [
        session.run([f"{PREFIX}features"], {given: np.ascontiguousarray(pixels[at : at + _BATCH])})[0]
        for at in range(0, len(pixels), _BATCH)
    ]
    return np.concatenate(parts).astype(np.float64)


def _add_nodes(model: onnx.ModelProto, names: Sequence[str], whitening_kf: Floats, means_ck: Floats) -> None:
    constants: dict[str, npt.NDArray[Any]] = {
        "whitening": np.asarray(whitening_kf, np.float32),
        "means": np.asarray(means_ck[None], np.float32),
        "one": np.array([1], np.int64),
        "two": np.array([2], np.int64),
    }
    model.graph.initializer.extend(
        numpy_helper.from_array(value, f"{PREFIX}{name}") for name, value in constants.items()
    )
    model.graph.node.extend([
        *_pooling(names),
        _node("Gemm", [f"{PREFIX}features", f"{PREFIX}whitening"], "whitened", transB=1),
        _node("Unsqueeze", [f"{PREFIX}whitened", f"{PREFIX}one"], "each"),
        _node("Sub", [f"{PREFIX}each", f"{PREFIX}means"], "apart"),
        _node("ReduceL2", [f"{PREFIX}apart", f"{PREFIX}two"], "distances", keepdims=0),
        helper.make_node(
            "ReduceMin", [f"{PREFIX}distances", f"{PREFIX}one"], [OUTPUT], f"{PREFIX}{OUTPUT}", keepdims=1
        ),
    ])  # fmt: skip
    batch = model.graph.output[0].type.tensor_type.shape.dim[0]
    side: Any = batch.dim_param or "batch"
    model.graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [side, 1]))


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, [f"{PREFIX}{output}"], f"{PREFIX}{output}", **attributes)

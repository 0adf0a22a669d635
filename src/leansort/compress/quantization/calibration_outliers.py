"""Pictures that no range of int8 should be taken from.

A range from least to most believes every picture. Yet in most trained networks there are a few pictures - one in some
hundreds - on which the signals of the last layers grow ten- or thirtyfold; calibrated on one of them, these layers have
a handful of steps left for all other pictures. Left out, that one picture is clipped, which it bears, for what grows
there is its confidence.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from leansort.core.bundle import Bundle
from leansort.runtime import openvino_graph
from leansort.runtime.engine import Pixels
from leansort.runtime.layer_outputs import Floats, layer_outputs

BATCH = 16


def select_typical(bundle: Bundle, pixels: Pixels, fraction: float) -> npt.NDArray[np.int64]:
    """Which pictures ranges may be taken from.

    Args:
        bundle: in float, in either format.
        pixels: preprocessed pictures, uint8 (n, size, size, 3).
        fraction: of them that is left out, rounded down.

    Returns:
        Indices in order, all but the pictures whose largest output of any layer stands out most: by how many times it
        is as large as what the others stay below.

    Raises:
        MissingExtraError: the bundle is in OpenVINO's format and OpenVINO is not installed.
    """
    out = int(fraction * len(pixels))
    if not out:
        return np.arange(len(pixels))
    largest_nl = layer_extremes(bundle, pixels)
    usual_l = np.quantile(largest_nl, 1 - fraction, axis=0)
    stands_out_n = (largest_nl / np.maximum(usual_l, 1e-12)).max(axis=1)
    return np.sort(np.argsort(stands_out_n, kind="stable")[: len(pixels) - out])


def layer_extremes(bundle: Bundle, pixels: Pixels) -> Floats:
    """The largest absolute output of each layer on each picture, (n, layers); in OpenVINO's format without its bias."""
    run = layer_outputs(bundle.graph)[1] if bundle.format == "onnx" else _openvino_outputs(bundle)
    result = []
    for start in range(0, len(pixels), BATCH):
        batch = np.ascontiguousarray(pixels[start : start + BATCH])
        result.append(np.stack([np.abs(out.reshape(len(batch), -1)).max(axis=1) for out in run(batch)], axis=1))
    return np.concatenate(result)


def _openvino_outputs(bundle: Bundle) -> Callable[[Pixels], list[Floats]]:
    model = openvino_graph.read(bundle, fold=True)
    layers = openvino_graph.layers(model)
    added = model.add_outputs([node.output(0) for node in layers.values()])
    places = [list(model.outputs).index(item) for item in added]
    run = openvino_graph.compile_model(model)
    return lambda batch: [outputs[place] for outputs in [run(batch)] for place in places]

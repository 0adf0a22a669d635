"""From a bundle's ONNX graph to LiteRT's format, layer by layer.

The normalization stays in the graph, which reads uint8 pixels; images lie with their channels last. In an int8 graph
the layers keep the steps that calibration gave them, and their rounded weights: what goes into a layer and comes out of
it is in 8 bits with a sign, sums are in 32. Layers that were to stay in float do, and so do the logits.
"""

from __future__ import annotations

from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.graphs.faults import UnsoundGraphError
from leansort.core.graphs.litert import tflite_graph as sound
from leansort.runtime.conversion.litert import lowering, onnx_reading, plain_lowering, shape_lowering, weight_lowering
from leansort.runtime.conversion.litert.graph_builder import GraphBuilder
from leansort.runtime.conversion.litert.lowering import Lowering, Value

RULES = {**weight_lowering.RULES, **plain_lowering.RULES, **shape_lowering.RULES}


def convert(bundle: Bundle) -> Bundle:
    """Convert a bundle with an ONNX graph, in float or in int8; its meta stays. Equal input gives equal bytes.

    Raises:
        UserError: the bundle is in another format.
        LeansortError: a layer cannot be written; it is named.
    """
    if bundle.format != "onnx":
        raise UserError(f"export: LiteRT is written from onnx bundles, {bundle.meta.name} is {bundle.format}")
    source, size = onnx_reading.read(bundle.graph), bundle.meta.preprocess.size
    under_way = Lowering(source, GraphBuilder(size), {source.image: Value(0, last=False)})
    lowering.run(under_way, RULES)
    outputs = [under_way.as_float(under_way.values[name]) for name in source.outputs]
    data = under_way.builder.write(outputs)
    try:
        sound.check(data, size, len(bundle.meta.labels))
    except UnsoundGraphError as error:
        raise LeansortError(f"export: LiteRT cannot run {bundle.meta.name}: its graph {error}") from None
    return Bundle(bundle.meta, {FORMATS["litert"][0]: data})

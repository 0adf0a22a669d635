"""OpenVINO graphs in and out of bundles, and the names of their layers.

OpenVINO names what it makes of an ONNX node after the node: a convolution with a bias becomes
`name/WithoutBiases` and an addition `name`. Everything else gets numbers that count up over the whole process, so
that the same graph would never be written twice alike; here those are renamed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import IntegrityError
from leansort.core.writing import atomic_io
from leansort.runtime import openvino_library
from leansort.runtime.engine import Pixels
from leansort.runtime.engines.openvino import shared_core
from leansort.runtime.layer_outputs import Floats

LAYERS = ("Convolution", "GroupConvolution", "MatMul")
_SUFFIX = "/WithoutBiases"


def library() -> Any:
    """Import OpenVINO.

    Raises:
        MissingExtraError: it is not installed.
    """
    return openvino_library.import_openvino("compress")


def read(bundle: Bundle, *, fold: bool = False) -> Any:
    """Read a bundle of either format as an `openvino.Model`.

    Args:
        bundle: what to read.
        fold: compute what is constant. Unfolded, every bias of an ONNX graph is a computation of its own, which
            hides it from NNCF; folded, int8 weights are float again.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        IntegrityError: it cannot read the graph.
    """
    openvino = library()
    try:
        model = shared_core(openvino).read_model(bundle.graph, bundle.files.get("graph.bin", b""))
    except RuntimeError:
        raise IntegrityError(f"bundle: the graph of {bundle.meta.name} cannot be read by OpenVINO") from None
    if fold:
        manager = openvino.passes.Manager()
        manager.register_pass(openvino.passes.ConstantFolding())
        manager.run_passes(model)
    return model


def compile_model(model: Any) -> Callable[[Pixels], list[Floats]]:
    """Compile an `openvino.Model` for float arithmetic in one thread, so that sums are equal everywhere.

    Returns:
        What runs images to all outputs, by a graph for each batch that comes: see `runtime.engines.openvino`.
    """
    properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}

    @functools.cache
    def fixed(shape: tuple[int, ...]) -> Any:
        item = model.clone()
        item.reshape(list(shape))
        return shared_core(library()).compile_model(item, "CPU", properties)

    return lambda x_bhwc: list(fixed(x_bhwc.shape)([x_bhwc]).values())


def layers(model: Any) -> dict[str, Any]:
    """The nodes that are worth quantizing by their names in the ONNX graph, in an order of computation."""
    nodes = [node for node in model.get_ordered_ops() if node.get_type_name() in LAYERS]
    return {node.get_friendly_name().removesuffix(_SUFFIX): node for node in nodes}


def layer_outputs(bundle: Bundle) -> tuple[list[str], Callable[[Pixels], list[Floats]]]:
    """Make a graph give the output of each of its layers, biases added.

    Returns:
        Names of the layers in an order of computation, and what runs images to their outputs.
    """
    model = read(bundle)
    result = layers(model)
    model.add_outputs([_biased(node).output(0) for node in result.values()])
    run = compile_model(model)
    return list(result), lambda x_bhwc: run(x_bhwc)[1:]


def _biased(node: Any) -> Any:
    """What adds the bias behind a layer; the layer where nothing does."""
    if not node.get_friendly_name().endswith(_SUFFIX):
        return node
    (after,) = node.output(0).get_target_inputs()
    return after.get_node()


def weight(node: Any) -> Any:
    """The constant that a layer's weights are stored as; None where they are computed from the pixels."""
    while node.get_type_name() != "Constant":
        if not node.inputs():
            return None
        node = node.input_value(1 if node.get_type_name() in LAYERS else 0).get_node()
    return node


def files(model: Any) -> Mapping[str, bytes]:
    """Serialize a graph to what a bundle holds: equal graphs give equal bytes.

    Args:
        model: an `openvino.Model`; names in it are changed.
    """
    _rename(model)
    with atomic_io.scratch() as folder:
        library().save_model(model, folder / "graph.xml", compress_to_fp16=False)
        written = {name: (folder / name).read_bytes() for name in FORMATS["openvino"]}
    return {**written, "graph.xml": _compact(written["graph.xml"])}


def _rename(model: Any) -> None:
    """Keep the names of inputs, outputs and layers; number the rest."""
    named = layers(model)
    for number, node in enumerate(model.get_ordered_ops()):
        if node.get_type_name() in ("Parameter", "Result"):
            continue
        node.set_friendly_name(f"_{number}")
        for output in node.outputs():
            if all(target_input.get_node().get_type_name() != "Result" for target_input in output.get_target_inputs()):
                output.set_names(set())
    for name, node in named.items():
        node.set_friendly_name(name)


def _compact(xml: bytes) -> bytes:
    """Leave out indentation, a third of the file, and notes on how and by what the graph was made."""
    root = ElementTree.fromstring(xml)
    for element in root.iter():
        element.text, element.tail = (element.text or "").strip(), None
    for notes in root.findall("rt_info"):
        root.remove(notes)
    return ElementTree.tostring(root)

"""From a bundle's ONNX graph to NCNN's format, by pnnx, NCNN's own converter.

pnnx is a program that its package only carries: the package itself would import torch, so it is not imported. It gets
a graph of float planes for one image, since NCNN's own reader of pixels makes those; normalization stays in the graph.
NCNN cannot run what it makes of the distance (see `export.distance_graph`), so the last layers of that are written
here.
"""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, MissingExtraError, UserError, one_line
from leansort.core.graphs.faults import UnsoundGraphError
from leansort.core.graphs.ncnn import graph as sound
from leansort.core.graphs.ncnn import param_text
from leansort.core.graphs.ncnn.param_text import Layer
from leansort.core.writing import atomic_io

SECONDS = 600  # pnnx takes two for a network of the usual size
_WHITENED, _MEANS = "novelty_whitened", "novelty_means"
_DISTANCE = """\
Reshape novelty_each 1 1 {whitened} novelty_0 0={k} 1=1
MemoryData novelty_means 0 1 novelty_1 0={k} 1={classes}
BinaryOp novelty_apart 2 1 novelty_0 novelty_1 novelty_2 0=1
Reduction novelty_distances 1 1 novelty_2 novelty_3 0=8 1=0 -23303=1,1 4=0 5=1
Reduction novelty_distance 1 1 novelty_3 out1 0=5 1=0 -23303=1,0 4=1 5=1
"""


def convert(bundle: Bundle) -> Bundle:
    """Convert a bundle with a float ONNX graph; its meta stays.

    Layers with weights keep their names where they can be told apart by their weights.

    Raises:
        UserError: the bundle is in another format, or in int8.
        MissingExtraError: pnnx or onnx is not installed.
        LeansortError: pnnx fails, or makes a layer of it that no bundle may have; it is named.
    """
    import onnx

    if bundle.format != "onnx":
        raise UserError(f"export: NCNN's converter reads onnx bundles, {bundle.meta.name} is {bundle.format}")
    model = onnx.load_from_string(bundle.graph)
    int8 = next((node for node in model.graph.node if "QuantizeLinear" in node.op_type), None)
    if int8 is not None:
        raise UserError(
            f"export: {bundle.meta.name} is int8 already (layer {int8.name!r} is a {int8.op_type}), which NCNN cannot "
            "read; export its float network, and quantize that with engine ncnn"
        )
    means_ck = _cut_distance(model)
    names = weight_names(model)
    _read_planes(model, bundle)
    param, weights = _run_pnnx(model, bundle)
    lines = param.splitlines()[2:]
    if means_ck is not None:
        classes, k = means_ck.shape
        ends = [line.replace(" out1", f" {_WHITENED}") for line in lines]
        lines = [*ends, *_DISTANCE.format(whitened=_WHITENED, k=k, classes=classes).splitlines()]
        weights += means_ck.astype("<f4").tobytes()
    made = replace_graph(bundle, lines, weights)
    return replace_graph(made, _renamed(lines, made, names), weights)


def read_layers(bundle: Bundle) -> list[Layer]:
    """The layers of a bundle in NCNN's format, each with the place of its weights.

    Raises:
        LeansortError: the graph is none that a bundle may have; its layer is named.
    """
    layers = param_text.read(bundle.graph)
    size, classes = bundle.meta.preprocess.size, len(bundle.meta.labels)
    try:
        sound.measure(layers, bundle.files["graph.ncnn.bin"], size, classes)
    except UnsoundGraphError as error:
        raise LeansortError(f"export: NCNN cannot run {bundle.meta.name}: its graph {error}") from None
    return layers


def replace_graph(bundle: Bundle, lines: list[str], weights: bytes) -> Bundle:
    """Put the lines of layers, and weights, in the place of a bundle's graph."""
    words = [line.split() for line in lines]
    values = sum(int(line[3]) for line in words)
    text = [param_text.MAGIC, f"{len(lines)} {values}", *(" ".join(line) for line in words)]
    files = {"graph.ncnn.param": ("\n".join(text) + "\n").encode(), "graph.ncnn.bin": weights}
    return Bundle(bundle.meta, files)


def weights_of(layer: Layer, weights: bytes) -> npt.NDArray[np.float32]:
    """A layer's float weights, as they lie behind the graph."""
    return np.frombuffer(weights, "<f4", layer.weights, layer.weights_at + 4)


def _cut_distance(model: Any) -> npt.NDArray[np.float32] | None:
    """End the second output where features are whitened; return the whitened means, None where there is none."""
    from onnx import numpy_helper

    if len(model.graph.output) == 1:
        return None
    constants = {item.name: item for item in model.graph.initializer}
    if len(model.graph.output) != 2 or _MEANS not in constants:
        raise UserError("export: NCNN: the graph has outputs behind the logits that are not a distance of leansort's")
    means_ck = numpy_helper.to_array(constants[_MEANS])[0]
    behind, kept = {_WHITENED}, []
    for node in model.graph.node:
        if behind.isdisjoint(node.input):
            kept.append(node)
        else:
            behind.update(node.output)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.output[1].name = _WHITENED
    model.graph.output[1].type.tensor_type.shape.dim[1].dim_value = means_ck.shape[1]
    return np.ascontiguousarray(means_ck)


def _read_planes(model: Any, bundle: Bundle) -> None:
    """Let the graph begin behind the transposition and the cast of its pixels.

    Raises:
        UserError: it begins otherwise.
    """
    from onnx import TensorProto, helper

    at, value = [], model.graph.input[0].name
    for kinds in ({"Transpose", "Cast"}, {"Transpose", "Cast"}):
        readers = [node for node in model.graph.node if value in node.input]
        if len(readers) != 1 or readers[0].op_type not in kinds:
            raise UserError(f"export: NCNN: the graph of {bundle.meta.name} does not begin with a Transpose and a Cast")
        at.append(readers[0].op_type)
        value = readers[0].output[0]
        model.graph.node.remove(readers[0])
    size = bundle.meta.preprocess.size
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, [1, 3, size, size]))


def _run_pnnx(model: Any, bundle: Bundle) -> tuple[str, bytes]:
    size = bundle.meta.preprocess.size
    with atomic_io.scratch() as folder:
        atomic_io.write_bytes(folder / "m.onnx", model.SerializeToString(deterministic=True))
        command = [str(_program()), "m.onnx", f"inputshape=[1,3,{size},{size}]", "fp16=0"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LeansortError(f"export: pnnx could not be run ({one_line(error)})") from None
        param, weights = folder / "m.ncnn.param", folder / "m.ncnn.bin"
        if done.returncode or not param.exists() or not weights.exists():
            said = one_line((done.stderr or done.stdout).decode(errors="replace")[-160:])
            status = f"exit status {done.returncode}: {said}"
            raise LeansortError(f"export: pnnx cannot convert {bundle.meta.name} ({status})")
        return param.read_text(), weights.read_bytes()


def _program() -> Path:
    """Return the path of pnnx.

    Raises:
        MissingExtraError: it is not installed.
    """
    package = importlib.util.find_spec("pnnx")
    for folder in (package and package.submodule_search_locations) or ():
        for name in ("pnnx", "pnnx.exe"):
            if (Path(folder) / name).is_file():
                return Path(folder) / name
    raise MissingExtraError("pnnx", "ncnn-export")


def weight_names(model: Any) -> dict[bytes, str]:
    """Names of layers by their weights; without those that share weights."""
    from onnx import numpy_helper

    constants = {item.name: item for item in model.graph.initializer}
    found: dict[bytes, list[str]] = {}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm", "MatMul") and len(node.input) > 1 and node.input[1] in constants:
            array = numpy_helper.to_array(constants[node.input[1]])
            turned = any(item.name == "transB" and item.i for item in node.attribute)
            if node.op_type != "Conv" and not turned:
                array = array.T
            found.setdefault(np.ascontiguousarray(array, "<f4").tobytes(), []).append(node.name)
    return {key: names[0] for key, names in found.items() if len(names) == 1}


def _renamed(lines: list[str], bundle: Bundle, names: dict[bytes, str]) -> list[str]:
    """The lines with the names of the ONNX graph, every name once."""
    weights, taken, result = bundle.files["graph.ncnn.bin"], set[str](), []
    for line, layer in zip(lines, read_layers(bundle), strict=True):
        name = layer.name
        if layer.weights_at >= 0:
            name = names.get(weights_of(layer, weights).tobytes(), name)
        if name in taken or not param_text.NAME.fullmatch(name):
            name = next(f"{layer.name}_{at}" for at in range(len(lines) + 1) if f"{layer.name}_{at}" not in taken)
        taken.add(name)
        result.append(" ".join([layer.kind, name, *line.split()[2:]]))
    return result

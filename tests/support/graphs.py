"""Bundles small enough to be made by the hundred, sound ones and others: graphs of a node or two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from leansort.arch.build import build
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.core import bundle as bundles
from leansort.core.bundle import FORMATS, Bundle, BundleMeta
from leansort.core.errors import IntegrityError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.export.formats import convert_to_format
from leansort.export.onnx import export_onnx
from leansort.runtime import openvino_graph

SIZE = 16
LABELS = LabelSet.of(["a", "b", "c"])
Nodes = Sequence[onnx.NodeProto]
IMAGE = ("image", TensorProto.UINT8, ["b", SIZE, SIZE, 3])
LOGITS = ("logits", TensorProto.FLOAT, ["b", len(LABELS)])


def node(kind: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    """An operator; several inputs or outputs are parted by blanks, one that is left out is between two."""
    return helper.make_node(kind, inputs.split(" "), output.split(), f"{kind}_{output.split()[0]}", **attributes)


def mean_colour() -> list[onnx.NodeProto]:
    """Red, green and blue of a picture as its three logits, under the name `colour`."""
    return [
        node("Cast", "image", "pixels", to=TensorProto.FLOAT),
        node("ReduceMean", "pixels sides", "colour", keepdims=0),
    ]


def onnx_graph(
    nodes: Nodes,
    constants: Mapping[str, Any] | None = None,
    *,
    given: Any = IMAGE,
    out: Any = LOGITS,
    opset: int = 18,
    functions: Sequence[Any] = (),
) -> onnx.ModelProto:
    """A model of nodes; `sides` are the axes of a picture's height and width."""
    whole: dict[str, Any] = {"sides": np.array([1, 2]), **(constants or {})}
    made = helper.make_graph(
        list(nodes), "g",
        [helper.make_tensor_value_info(*item) for item in ([given] if isinstance(given, tuple) else given)],
        [helper.make_tensor_value_info(*item) for item in ([out] if isinstance(out, tuple) else out)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in whole.items()],
    )  # fmt: skip
    return helper.make_model(
        made, opset_imports=[helper.make_opsetid("", opset)], ir_version=9, functions=list(functions)
    )


def meta(**fields: Any) -> BundleMeta:
    """Meta of a bundle for pictures of 16 pixels, or what is given."""
    whole = {
        "name": "x", "preprocess": Preprocess(size=SIZE), "labels": LABELS.names, "parameters": 1, "macs": 2, **fields,
    }  # fmt: skip
    digest = LabelSet(tuple(whole["labels"])).digest
    return BundleMeta.model_validate({"labels_digest": digest, **whole})


def bundle_of(model: onnx.ModelProto, **fields: Any) -> Bundle:
    """A bundle of any model."""
    return Bundle(meta(**fields), {"graph.onnx": model.SerializeToString()})


def colour_bundle(graph_format: str = "onnx", **fields: Any) -> Bundle:
    """A sound bundle in a format: its logits are the picture's mean colour, or those of a small network."""
    return Bundle(meta(**fields), dict(_files(graph_format)))


@cache
def _files(graph_format: str) -> Mapping[str, bytes]:
    if graph_format == "torch":
        return {FORMATS["torch"][0]: _network().to_bytes()}
    if graph_format in ("ncnn", "litert"):
        return convert_to_format(export_onnx(_network()), graph_format).files
    plain = bundle_of(onnx_graph([*mean_colour(), node("Identity", "colour", "logits")]))
    return plain.files if graph_format == "onnx" else openvino_graph.files(openvino_graph.read(plain))


def _network() -> TrainedModel:
    rows = [{"block": "conv", "out": 4, "stride": 2}, {"block": "pool"}, {"block": "linear"}]
    spec = ArchSpec(base="x", model={"rows": rows}, classes=len(LABELS))
    return TrainedModel(spec, build(spec).state_dict(), Preprocess(size=SIZE), LABELS)


def pixels(count: int = 1) -> npt.NDArray[np.uint8]:
    """Pictures of noise."""
    return np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.uint8)


def ending(*nodes: onnx.NodeProto, **more: Any) -> onnx.ModelProto:
    """A model that goes on from the mean colour with these nodes."""
    return onnx_graph([*mean_colour(), *nodes], more.pop("constants", None), **more)


def refusal(folder: Path, bundle: Bundle | bytes) -> str:
    """What opening a bundle says, in one line; writing it is refused too, and writes nothing."""
    (folder / "m").write_bytes(bundle if isinstance(bundle, bytes) else bundle.to_bytes())
    with pytest.raises(IntegrityError) as caught:
        bundles.load(folder / "m")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    if isinstance(bundle, Bundle):
        with pytest.raises(IntegrityError):
            bundle.save(folder / "saved")
        assert not (folder / "saved").exists()
    return str(caught.value)

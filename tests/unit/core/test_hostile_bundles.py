"""Bundles whose hashes are right and whose content is hostile: refused in one line when they are opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.labels import LabelSet
from tests.support.graphs import SIZE, bundle_of, colour_bundle, ending, node, refusal

BIG = 1 << 40


RUBBISH = [b"", b"\n\x05abcde", b"<net name='x'/>", b"    ORTM" + bytes(50), b"\x0a\xff", bytes(9)]


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish_is_refused(tmp_path: Path, rubbish: bytes) -> None:
    for graph_format in ("onnx", "openvino", "torch"):
        good = colour_bundle(graph_format)
        refusal(tmp_path, Bundle(good.meta, {**good.files, max(good.files): rubbish}))


def test_neither_of_onnx_runtimes_own_format_nor_of_openvinos_hidden_in_onnx(tmp_path: Path) -> None:
    graph = bundle_of(ending(node("Identity", "colour", "logits"))).graph
    for front in (b"2\x08xxORTMyy", b"2\x08<net xyz"):  # a description, which any reader of ONNX passes over
        assert onnx.load_from_string(front + graph).graph.node
        assert "no ONNX graph" in refusal(tmp_path, Bundle(colour_bundle().meta, {"graph.onnx": front + graph}))


META: dict[str, tuple[str, dict[str, Any]]] = {
    "a lone surrogate": ("JSON|surrogate|encode", {"labels": ["a", "b", "\ud800"]}),
    "a line break": ("printable", {"labels": ["a", "b", "c\nd"]}),
    "a terminal escape": ("printable", {"labels": ["a", "b", "\x1b[2J"]}),
    "turned round": ("printable", {"labels": ["a", "b", "\u202ec"]}),
    "a long label": ("of 10000 characters", {"labels": ["a", "b", "c" * 10_000]}),
    "labels alike": ("differ in case", {"labels": ["a", "b", "A"]}),
    "labels doubled": ("given twice", {"labels": ["a", "b", "b"]}),
    "no label": ("labels", {"labels": []}),
    "an empty label": ("labels", {"labels": ["a", "b", " "]}),
    "numbers for labels": ("labels", {"labels": [1, 2, 3]}),
    "a long name": ("of 10000 characters", {"name": "x" * 10_000}),
    "a name of two lines": ("printable", {"name": "x\ny"}),
    "next to no temperature": ("temperature", {"temperature": 1e-300}),
    "no temperature": ("temperature", {"temperature": 0}),
    "an endless temperature": ("NaN|inf|JSON", {"temperature": float("inf")}),
    "a great temperature": ("temperature", {"temperature": 1e300}),
    "no deviation": ("std", {"preprocess": {"size": SIZE, "std": [0, 1, 1]}}),
    "a mean of 0 to 255": ("mean", {"preprocess": {"size": SIZE, "mean": [124, 116, 104]}}),
    "a threshold above 1": ("reject_below", {"reject_below": 1.5}),
    "less than no work": ("macs", {"macs": -1}),
    "an unknown key": ("unknown key", {"more": 1}),
    "provenance as a list": ("provenance", {"provenance": []}),
    "provenance without end": ("deep", {"provenance": {"a": json.loads("[" * 60 + "]" * 60)}}),
    "NaN in provenance": ("JSON", {"provenance": {"f1": float("nan")}}),
    "a megabyte of provenance": ("at most 1048576", {"provenance": {"a": "x" * (1 << 20)}}),
}  # fmt: skip


def with_meta(text: str) -> bytes:
    good = colour_bundle()
    members = {**good.files, "bundle.json": text.encode("utf-8", "surrogatepass")}
    return bundles.zip_members(members | {"hashes.json": bundles.hash_members(members)})


@pytest.mark.parametrize("case", META)
def test_hostile_values_are_refused(tmp_path: Path, case: str) -> None:
    expected, fields = META[case]
    tree = {**colour_bundle().meta.model_dump(mode="json"), **fields}
    try:
        tree["labels_digest"] = LabelSet(tuple(tree["labels"])).digest
    except Exception:  # labels that have none
        tree["labels_digest"] = ""
    text = refusal(tmp_path, with_meta(json.dumps(tree)))
    assert any(part in text for part in expected.split("|")), text


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    text = json.dumps(colour_bundle().meta.model_dump(mode="json"))
    doubled = text.replace('"temperature": 1.0', '"temperature": 1.0, "temperature": 5.0')
    assert "twice" in refusal(tmp_path, with_meta(doubled))
    (tmp_path / "m").write_bytes(with_meta(text))
    assert bundles.load(tmp_path / "m").meta.temperature == 1.0


XML: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "an entity": ("document type", lambda xml: xml + b'<!DOCTYPE x [<!ENTITY e "ee">]>'),
    "a program's instruction": ("document type", lambda xml: xml + b"<?x y?>"),
    "a loop": ("not among those", lambda xml: xml.replace(b'type="ReduceMean"', b'type="TensorIterator"')),
    "a body": ("loops and branches", lambda xml: xml.replace(b"<edges>", b"<edges><body />")),
    "weights behind the file": ("graph.bin has", lambda xml: xml.replace(b'offset="0"', b'offset="9000000"')),
    "weights before the file": ("not in graph.bin", lambda xml: xml.replace(b'offset="0"', b'offset="-8"')),
    "more numbers than bytes": ("graph.bin has", lambda xml: xml.replace(b'shape="2" ', b'shape="2000000" ')),
    "a circle": ("circle", lambda xml: xml.replace(b'from-layer="0"', b'from-layer="3"')),
    "a layer that is not there": ("does not fit", lambda xml: xml.replace(
        b"</edges>", b'<edge from-layer="77" to-layer="2" to-port="9" /></edges>')),
    "a layer without its inputs": ("layer with 1 inputs", lambda xml: xml.replace(
        b'type="Convert"', b'type="Broadcast"')),
    "another size": ("need one uint8", lambda xml: xml.replace(b"16,16,3", b"32,32,3")),
    "a float image": ("need one uint8", lambda xml: xml.replace(b'element_type="u8"', b'element_type="f32"')),
    "two results": ("gives 2", lambda xml: xml.replace(
        b"</layers>", b'<layer id="99" type="Result" version="opset1" /></layers>')),
}  # fmt: skip


@pytest.mark.parametrize("case", XML)
def test_a_hostile_openvino_graph_is_refused_unread(tmp_path: Path, case: str) -> None:
    pytest.importorskip("openvino")
    good, (expected, change) = colour_bundle("openvino"), XML[case]
    changed = change(good.graph)
    assert changed != good.graph
    assert expected in refusal(tmp_path, Bundle(good.meta, {**good.files, "graph.xml": changed}))


def test_a_torch_network_whose_header_lies_is_refused(tmp_path: Path) -> None:
    good = colour_bundle("torch")
    data = good.graph
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    first = next(name for name in header if name != "__metadata__")
    for change in (
        {"shape": [BIG]},
        {"dtype": "F128"},
        {"data_offsets": [0, BIG]},
        {"shape": [-1]},
        {"data_offsets": 3},
    ):
        text = json.dumps({**header, first: {**header[first], **change}}).encode()
        changed = len(text).to_bytes(8, "little") + text + data[8 + length :]
        assert "damaged" in refusal(tmp_path, Bundle(good.meta, {"network.safetensors": changed}))
    for changed in (data[:-1], data + b"x", BIG.to_bytes(8, "little") + data[8:]):
        assert "damaged" in refusal(tmp_path, Bundle(good.meta, {"network.safetensors": changed}))

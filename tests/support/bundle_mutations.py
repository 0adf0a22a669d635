"""Bundles changed at random whose hashes are right all the same: what a fuzz of graphs is fed with.

A case is told by its number and a seed alone, so that each can be made again.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.graphs.openvino_ir import LAYERS
from leansort.core.writing import atomic_io
from tests.support.graph_changes import CHANGES, FLOATS, NAMES, NUMBERS, many_operators
from tests.support.graphs import LABELS, bundle_of, colour_bundle

XML_NUMBERS = (*map(str, NUMBERS), "", "1,1", "2,2", "-1,-1", "1e9", "?", "9" * 30, "abc")
ODD_LAYERS = ("Loop", "If", "TensorIterator", "ReadValue", "Assign", "RandomUniform", "NonZero", "Proposal")
XML_LAYERS = sorted({*LAYERS, *ODD_LAYERS})
XML_TYPES = ("f32", "i64", "u8", "string", "i4", "x")
XML_WORDS = ("true", "valid", "same_upper", "numpy", "none", "x" * 99)
Random = random.Random


def bases(folder: Path) -> dict[str, Bundle]:
    """What is changed: a few nodes, many kinds of operators, an exported network, an int8 network; each format."""
    root = Path(__file__).parents[2]
    result = {
        "colour": colour_bundle(), "many": bundle_of(many_operators()),
        "int8": bundles.load(root / "src" / "leansort" / "models" / "trashnet-compressed" / "model.leansort"),
        "openvino": colour_bundle("openvino"), "torch": colour_bundle("torch"),
    }  # fmt: skip
    result["network"], result["openvino network"] = _network()
    for name, item in result.items():
        item.save(folder / f"{name}.leansort")
    return result


def read_bases(folder: Path) -> dict[str, Bundle]:
    """What `bases` wrote."""
    return {path.stem: bundles.load(path) for path in sorted(folder.glob("*.leansort"))}


def _network() -> tuple[Bundle, Bundle]:
    """A small network, exported to both formats that a robot runs."""
    from leansort.arch.build import build
    from leansort.arch.spec.spec import ArchSpec
    from leansort.arch.trained_model import TrainedModel
    from leansort.core.preprocess import Preprocess
    from leansort.export.formats import export_to_format

    spec = ArchSpec(base="tiny_s", classes=len(LABELS), width=0.5)
    model = TrainedModel(spec, build(spec).state_dict(), Preprocess(size=32), LABELS)
    return export_to_format(model, "onnx"), export_to_format(model, "openvino")


def case(result: Mapping[str, Bundle], seed: int, number: int) -> tuple[str, bytes, list[str]]:
    """A changed bundle.

    Args:
        found: what may be changed.
        seed: of the whole fuzz.
        number: of the case.

    Returns:
        What was changed, the file's bytes, and further arguments for `leansort predict`.
    """
    rng = Random(f"{seed}/{number}")
    names = ["colour", "many", "many", "many", "network", "network", "int8", "openvino", "openvino network", "torch"]
    name = rng.choice([entry for entry in names if entry in result])
    item, arguments = result[name], ["--threads", "1", "--batch", str(rng.choice((1, 1, 2)))]
    if rng.random() < 0.03:
        return f"{name}: values", _with_values(item, rng), arguments
    if item.format == "torch":
        return f"{name}: bytes", _zipped(item, {"network.safetensors": _bytes(item.graph, rng)}), arguments
    if item.format == "openvino":
        return f"{name}: XML", _zipped(item, _xml(item.files, rng)), arguments
    if name != "int8" and rng.random() < 0.25:
        arguments += ["--engine", "openvino"]
    if rng.random() < 0.2:
        return f"{name}: bytes", _zipped(item, {"graph.onnx": _bytes(item.graph, rng)}), arguments
    model, done = onnx.load_from_string(item.graph), []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        change = rng.choice(CHANGES)
        with contextlib.suppress(Exception):  # one that the change before it made impossible
            change(model, rng)
            done.append(change.__name__)
    return f"{name}: {'+'.join(done)}", _zipped(item, {"graph.onnx": model.SerializeToString()}), arguments


def _zipped(bundle: Bundle, files: Mapping[str, bytes], text: bytes = b"") -> bytes:
    meta = text or atomic_io.canonical_json(bundle.meta.model_dump(mode="json"), indent=1).encode()
    members = {**bundle.files, **files, "bundle.json": meta}
    return bundles.zip_members(members | {"hashes.json": bundles.hash_members(members)})


def _with_values(bundle: Bundle, rng: Random) -> bytes:
    tree = bundle.meta.model_dump(mode="json")
    place: Any = tree if rng.random() < 0.6 else tree["preprocess"]
    odd: list[Any] = [*NUMBERS, *FLOATS, *NAMES, "\ud800", None, [], {}, [1] * 3, ["a", "A", "b"], True]
    place[rng.choice(sorted(place))] = rng.choice(odd)
    return _zipped(bundle, {}, json.dumps(tree).encode())


def _bytes(data: bytes, rng: Random) -> bytes:
    """Flipped, cut, doubled or left out, mostly near the front, where the names and shapes are in small files."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(changed)) if rng.random() < 0.5 else rng.randrange(min(len(changed), 4000))
        kind = rng.randrange(5)
        if kind < 3:
            changed[at] = rng.choice((changed[at] ^ (1 << rng.randrange(8)), 0, 0xFF, rng.randrange(256)))
        elif kind == 3:
            del changed[at : at + rng.choice((1, 2, 8, len(changed)))]
        else:
            changed[at:at] = changed[at : at + rng.choice((1, 4, 64))]
        if not changed:
            return b""
    return bytes(changed)


def _xml(files: Mapping[str, bytes], rng: Random) -> dict[str, bytes]:
    xml = files["graph.xml"].decode()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        kind = rng.randrange(8)
        if kind < 3:
            xml = _replaced(xml, r'(?<==")[-?0-9.,]+(?=")', rng.choice(XML_NUMBERS), rng)
        elif kind == 3:
            xml = _replaced(xml, r'(?<=type=")[A-Z]\w+(?=")', rng.choice(XML_LAYERS), rng)
        elif kind == 4:
            xml = _replaced(xml, r"<(edge |dim>|data |port )[^>]*>", "", rng)
        elif kind == 5:
            xml = _replaced(xml, r'(?<=element_type=")\w+(?=")', rng.choice(XML_TYPES), rng)
        elif kind == 6:
            xml = _replaced(xml, r'"\w+"', f'"{rng.choice(XML_WORDS)}"', rng)
        else:
            return {"graph.xml": _bytes(xml.encode(), rng), "graph.bin": files["graph.bin"]}
    weights = files["graph.bin"]
    return {"graph.xml": xml.encode(), "graph.bin": _bytes(weights, rng) if rng.random() < 0.1 else weights}


def _replaced(text: str, pattern: str, by: str, rng: Random) -> str:
    places = list(re.finditer(pattern, text))
    if not places:
        return text
    place = rng.choice(places)
    return text[: place.start()] + by + text[place.end() :]

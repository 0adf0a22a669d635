"""The settings that C++ reads: every field of a bundle that changes what it answers, and numbers to the last bit."""

from __future__ import annotations

import re

from leansort.core.files.bundle_decisions import NoveltyScale
from leansort.core.preprocess import Preprocess
from leansort.export.cpp import cpp_settings
from leansort.export.cpp.cpp_folder import PROJECT
from leansort.export.cpp.cpp_settings import checksum, settings_text
from tests.support.graphs import colour_bundle


def told(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            key, _, value = line.partition(" ")
            found.setdefault(key, []).append(value)
    return found


def test_everything_that_decides_is_told() -> None:
    bundle = colour_bundle(
        name="two words",
        labels=["paper cups", "Ölkanne", "# not a comment"],
        preprocess=Preprocess(size=16, fit="crop", fill=3),
        temperature=1 / 3,
        reject_below=0.1,
        novelty={"method": "entropy", "zero": -1e-7, "span": 0.3, "reject": True},
    )
    lines = told(settings_text(bundle))
    assert lines["label"] == ["paper cups", "Ölkanne", "# not a comment"]
    assert (lines["name"], lines["fit"], lines["fill"], lines["size"]) == (["two words"], ["crop"], ["3"], ["16"])
    assert float(lines["temperature"][0]) == 1 / 3
    assert float(lines["reject_below"][0]) == 0.1
    assert [lines[key][0] for key in ("novelty", "novelty_reject")] == ["entropy", "1"]
    assert [float(lines[key][0]) for key in ("novelty_zero", "novelty_span")] == [-1e-7, 0.3]
    assert lines["file"] == [f"graph.onnx {len(bundle.graph)} {checksum(bundle.graph)}"]


def test_a_bundle_without_novelty_tells_none() -> None:
    assert not any(key.startswith("novelty") for key in told(settings_text(colour_bundle())))
    assert {"mahalanobis", "energy"} <= set(cpp_settings.METHODS)


def test_the_weights_stand_behind_the_graph() -> None:
    lines = told(settings_text(colour_bundle("openvino")))
    assert [item.split()[0] for item in lines["file"]] == ["graph.xml", "graph.bin"]


def test_a_checksum_is_zlibs_crc_32() -> None:
    assert checksum(b"123456789") == "cbf43926"


def test_the_runtime_has_every_word_that_the_settings_may_hold() -> None:
    header = (PROJECT / "include" / "leansort" / "settings.hpp").read_text()
    scale = NoveltyScale(method="mahalanobis", zero=0.0, span=1.0)
    keys = set(told(settings_text(colour_bundle(novelty=scale.model_dump()))))
    assert keys <= set(re.findall(r'key == "([a-z_]+)"', header))
    words = set(re.findall(r'"([a-z_]+)"', header))
    assert {*cpp_settings.FITS, *cpp_settings.METHODS} <= words

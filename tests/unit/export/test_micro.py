"""An array of C: what it needs is told, C++ compilers take it, and what runs nowhere is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leansort.arch.spec.spec import ArchSpec
from leansort.compress.quantization.post_training import quantize_litert
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.files.bundle_decisions import NoveltyScale
from leansort.core.graphs.litert.tflite_operators import KINDS
from leansort.export.formats import convert_to_format
from leansort.export.micro import c_array, micro_interpreter
from leansort.runtime import engine as engines
from leansort.testing.sample_networks import bundle_of, model_of

PIXELS = np.random.default_rng(1).integers(0, 256, (6, 32, 32, 3)).astype(np.uint8)
MAIN = """
#include <cstdio>
#include "leansort_model.h"
struct Resolver {
  int count = 0;
%s
};
int main() {
  Resolver resolver;
  leansort_model::AddOperators(resolver);
  std::printf("%%d %%d %%zu %%s", resolver.count, leansort_model::kOperators, leansort_model::kGraphBytes,
              leansort_model::kLabels[0]);
}
"""


@pytest.fixture(scope="module")
def source() -> Bundle:
    return bundle_of(model_of(ArchSpec(base="tiny_s", classes=6), 32))


@pytest.fixture(scope="module")
def int8(source: Bundle) -> Bundle:
    return quantize_litert(source, PIXELS, rounding="nearest")


def test_the_interpreter_for_microcontrollers_says_what_litert_says(int8: Bundle) -> None:
    pytest.importorskip("tflite_micro")
    pytest.importorskip("ai_edge_litert")
    there = micro_interpreter.logits_of(int8.graph, PIXELS, "x")
    here = engines.load_engine(int8).run(PIXELS)
    np.testing.assert_allclose(there, here, atol=0.1 * float(np.abs(here).max()))


def test_the_arena_is_one_that_the_graph_runs_in(int8: Bundle) -> None:
    pytest.importorskip("tflite_micro")
    size = micro_interpreter.arena_bytes(int8.graph, "x")
    assert size % micro_interpreter.STEP == 0
    assert 32 * 32 * 3 < size < 1 << 20


def test_a_graph_that_it_cannot_run_is_one_line(source: Bundle) -> None:
    pytest.importorskip("tflite_micro")
    made = convert_to_format(source, "litert")
    with pytest.raises(LeansortError, match=r"LiteRT for Microcontrollers cannot run x \(.*\)$"):
        micro_interpreter.logits_of(made.graph, PIXELS, "x")


def test_other_formats_and_floats_are_refused(source: Bundle) -> None:
    with pytest.raises(UserError, match=r"^x is in the onnx format; an array of C is made of one in the litert format"):
        c_array.require_convertible(source, "x")
    with pytest.raises(UserError, match=r"^x reads its pixels as floats; an array of C needs int8"):
        c_array.require_convertible(convert_to_format(source, "litert"), "x")


def test_the_header_tells_how_pixels_are_made_and_what_is_unknown(int8: Bundle) -> None:
    scale = NoveltyScale(method="energy", zero=-3.5, span=2.0, reject=True)
    header = c_array.array_files(replace(int8, meta=int8.meta.model_copy(update={"novelty": scale})), 1000)[
        "leansort_model.h"
    ].decode()
    assert f'"{int8.meta.preprocess.fit}"' in header
    assert f"constexpr int kFill = {int8.meta.preprocess.fill};" in header
    assert "constexpr float kNoveltyZero = -3.5f;" in header
    assert "constexpr bool kNoveltyReject = true;" in header
    assert "does not tell how novel" in c_array.array_files(int8, 1000)["leansort_model.h"].decode()


def test_every_kind_of_layer_has_a_word_for_the_resolver() -> None:
    words = [c_array.method_of(kind) for kind in KINDS]
    assert {"AddConv2D", "AddDepthwiseConv2D", "AddFullyConnected", "AddMaxPool2D", "AddHardSwish", "AddRelu6"} <= {
        *words
    }
    assert all(re.fullmatch(r"Add[A-Z][A-Za-z0-9]+", word) for word in words)


def test_the_array_compiles_and_holds_the_graph(int8: Bundle, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    files = c_array.array_files(int8, 4096)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    kinds = c_array.operators_of(int8)
    methods = "\n".join(f"  void {c_array.method_of(kind)}() {{ ++count; }}" for kind in kinds)
    (tmp_path / "main.cc").write_text(MAIN % methods)
    sources = [str(tmp_path / name) for name in ("main.cc", c_array.SOURCE)]
    subprocess.run(["g++", "-std=c++11", "-Wall", "-Werror", *sources, "-o", str(tmp_path / "main")], check=True)
    said = subprocess.run([str(tmp_path / "main")], capture_output=True, text=True, check=True).stdout
    assert said == f"{len(kinds)} {len(kinds)} {len(int8.graph)} {int8.meta.labels[0]}"
    assert files["model.tflite"] == int8.graph

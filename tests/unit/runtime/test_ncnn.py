"""NCNN: what is converted says the same, its options act, and hostile graphs end in a line and never in NCNN."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from leansort.arch.spec.spec import ArchSpec
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError, LeansortError, MissingExtraError, UserError
from leansort.core.graphs.soundness import UnsoundGraphError, require
from leansort.export import parity
from leansort.export.distance_graph import add_distance
from leansort.export.formats import convert_to_format
from leansort.runtime import engine as engines
from leansort.runtime.conversion import ncnn_graph
from leansort.testing.sample_networks import bundle_of, crops, model_of

pytest.importorskip("ncnn")
pytest.importorskip("pnnx")
PIXELS = np.random.default_rng(1).integers(0, 256, (9, 32, 32, 3)).astype(np.uint8)
WORKERS = """
import os, sys
from pathlib import Path
import numpy as np
from leansort.core import bundle
from leansort.runtime import engine

made = bundle.load(Path(sys.argv[1]))
loaded = engine.load_engine(made, "ncnn", threads=int(sys.argv[2]))
side = made.meta.preprocess.size
before = len(os.listdir("/proc/self/task"))
for _ in range(3):
    loaded.run(np.zeros((1, side, side, 3), np.uint8))
print(len(os.listdir("/proc/self/task")))
"""
EACH = """
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from leansort.core import bundle
from leansort.core.errors import LeansortError
from leansort.runtime import engine

made = bundle.load(Path(sys.argv[1]))
for path in sorted(Path(sys.argv[2]).iterdir()):
    changed = replace(made, files={**made.files, "graph.ncnn.param": path.read_bytes()})
    try:
        logits = engine.load_engine(changed, "ncnn").run(np.full((2, 32, 32, 3), 7, np.uint8))
        assert logits.shape == (2, 6)
    except LeansortError as error:
        assert "\\n" not in str(error)
print("all done")
"""


def source() -> Bundle:
    """A network whose logits are not close to nothing."""
    return bundle_of(model_of(ArchSpec(base="tiny_s", classes=6), 32))


@pytest.fixture(scope="module")
def made() -> Bundle:
    return convert_to_format(source(), "ncnn")


@pytest.fixture(scope="module", params=["mobilenetv3_small", "mobilenetv4_conv_small"])
def with_distance(request: pytest.FixtureRequest) -> Bundle:
    bundle = bundle_of(model_of(ArchSpec(base=request.param, classes=6, width=0.5), 64))
    result = add_distance(bundle, crops(24, 0, 64))
    assert result is not None
    return result


def test_logits_and_distances_are_those_of_the_onnx_graph(with_distance: Bundle, tmp_path: Path) -> None:
    converted = convert_to_format(with_distance, "ncnn")
    converted.save(tmp_path / "m.leansort")
    assert converted.meta == with_distance.meta
    pixels = crops(20, 1, 64).pixels
    assert parity.check_conversion(with_distance, bundles.load(tmp_path / "m.leansort"), pixels).gap < 1e-4
    again = convert_to_format(with_distance, "ncnn")
    assert again.to_bytes() == converted.to_bytes()


def test_a_bundle_that_says_something_else_is_not_let_through(with_distance: Bundle) -> None:
    converted = convert_to_format(with_distance, "ncnn")
    weights = bytearray(converted.files["graph.ncnn.bin"])
    weights[-960:] = np.full(240, 1e3, "<f4").tobytes()  # means of the distance
    spoiled = replace(converted, files={**converted.files, "graph.ncnn.bin": bytes(weights)})
    with pytest.raises(LeansortError, match="distances differ by"):
        parity.check_conversion(with_distance, spoiled, crops(8, 1, 64).pixels)
    weights = bytearray(converted.files["graph.ncnn.bin"])
    weights[12:24] = np.full(3, 9.0, "<f4").tobytes()  # standard deviations of the normalization
    spoiled = replace(converted, files={**converted.files, "graph.ncnn.bin": bytes(weights)})
    with pytest.raises(LeansortError, match="largest probability gap"):
        parity.check_conversion(with_distance, spoiled, crops(8, 1, 64).pixels)


def test_layers_keep_the_names_of_the_onnx_graph(made: Bundle) -> None:
    names = {layer.name for layer in ncnn_graph.read_layers(made) if layer.weights}
    graph = onnx.load_from_string(source().graph).graph
    assert names == {node.name for node in graph.node if node.op_type in ("Conv", "Gemm", "MatMul")}


def test_int8_and_other_formats_are_refused_by_name(made: Bundle) -> None:
    from leansort.compress.quantization.post_training import quantize_onnx

    int8 = quantize_onnx(source(), PIXELS, rounding="nearest")
    with pytest.raises(UserError, match=r"is int8 already \(layer '.+' is a \w*QuantizeLinear\), which NCNN cannot"):
        convert_to_format(int8, "ncnn")
    with pytest.raises(UserError, match=r"reads onnx bundles, .* is ncnn"):
        ncnn_graph.convert(made)


def test_a_layer_that_ncnn_lacks_is_named() -> None:
    model = onnx.load_from_string(source().graph)
    last = model.graph.node[-1]
    hidden = f"{last.output[0]}_before"
    model.graph.node.append(onnx.helper.make_node("Hardmax", [hidden], [last.output[0]], "strange"))
    last.output[0] = hidden
    strange = replace(source(), files={"graph.onnx": model.SerializeToString()})
    with pytest.raises(LeansortError, match=r"NCNN cannot run .* layer '.*Hardmax.*' \(.*Hardmax\) that is not among"):
        convert_to_format(strange, "ncnn")


def test_a_graph_that_begins_otherwise_is_refused() -> None:
    model = onnx.load_from_string(source().graph)
    cast = next(node for node in model.graph.node if node.op_type == "Cast")
    cast.op_type = "Relu"
    del cast.attribute[:]
    with pytest.raises(UserError, match="does not begin with a Transpose and a Cast"):
        convert_to_format(replace(source(), files={"graph.onnx": model.SerializeToString()}), "ncnn")


def test_a_missing_converter_or_library_is_one_line(made: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ncnn", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'leansort\[ncnn\]'"):
        engines.load_engine(made)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'leansort\[ncnn-export\]'"):
        ncnn_graph.convert(source())


def test_precision_acts_and_others_are_refused(made: Bundle) -> None:
    exact = engines.load_engine(made, "ncnn").run(PIXELS)
    np.testing.assert_allclose(exact, engines.load_engine(source()).run(PIXELS), atol=1e-4 * float(np.abs(exact).max()))
    for precision in ("f16", "bf16"):
        rough = engines.load_engine(made, f"ncnn:precision={precision}").run(PIXELS)
        assert not np.array_equal(rough, exact)
        np.testing.assert_allclose(rough, exact, atol=0.2 * float(np.abs(exact).max()))
    with pytest.raises(UserError, match="engine ncnn: precision: got 'int4'"):
        engines.load_engine(made, "ncnn:precision=int4")
    with pytest.raises(UserError, match="engine ncnn: no setting 'lightmode'"):
        engines.load_engine(made, "ncnn:lightmode=1")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no list of threads here")
def test_threads_are_started_as_told(made: Bundle, tmp_path: Path) -> None:
    made.save(tmp_path / "m.leansort")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    counts = []
    for threads in (1, 2, 4):
        command = [sys.executable, "-c", WORKERS, str(tmp_path / "m.leansort"), str(threads)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        counts.append(int(done.stdout))
    assert [count - counts[0] for count in counts] == [0, 1, 3]


def test_an_empty_batch_gives_no_logits(made: Bundle) -> None:
    assert engines.load_engine(made).run(PIXELS[:0]).shape == (0, 6)


def test_weights_that_end_early_are_refused_before_ncnn_reads_past_them(made: Bundle) -> None:
    for cut in (1, 4, 1000):
        files = {**made.files, "graph.ncnn.bin": made.files["graph.ncnn.bin"][:-cut]}
        with pytest.raises(IntegrityError, match=r"cannot be loaded by NCNN .* fewer weights than it needs"):
            engines.load_engine(replace(made, files=files))


def test_no_changed_graph_that_is_let_through_takes_the_process_down(made: Bundle, tmp_path: Path) -> None:
    made.save(tmp_path / "m.leansort")
    drawn, folder = random.Random(3), tmp_path / "graphs"
    folder.mkdir()
    for number in range(1500):
        changed = bytearray(made.graph)
        for _ in range(drawn.randint(1, 2)):
            changed[drawn.randrange(8, len(changed))] = drawn.choice(b"0123456789=,.- ")
        try:
            require("ncnn", {**made.files, "graph.ncnn.param": bytes(changed)}, 32, 6)
        except UnsoundGraphError:
            continue
        (folder / str(number)).write_bytes(changed)
    assert len(list(folder.iterdir())) > 10
    command = [sys.executable, "-c", EACH, str(tmp_path / "m.leansort"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "all done\n"), done.stderr[-2000:]

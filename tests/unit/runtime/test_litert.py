"""LiteRT: what is written says the same, in float and in int8, and hostile graphs end in a line and never in LiteRT."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from leansort.arch.spec.spec import ArchSpec
from leansort.compress.quantization.post_training import quantize_litert, quantize_onnx
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError, LeansortError, MissingExtraError, UserError
from leansort.core.graphs.faults import UnsoundGraphError
from leansort.core.graphs.litert import flatbuffer, tflite_graph
from leansort.core.graphs.litert.tflite_operators import NAMES
from leansort.core.graphs.litert.tflite_schema import Model, Quantization
from leansort.export import parity
from leansort.export.distance_graph import add_distance
from leansort.export.formats import convert_to_format
from leansort.runtime import engine as engines
from leansort.runtime.conversion.litert import litert_graph
from leansort.runtime.predictor import softmax
from leansort.testing.sample_networks import bundle_of, crops, model_of
from tests.support import graphs

pytest.importorskip("ai_edge_litert")
PIXELS = np.random.default_rng(1).integers(0, 256, (9, 32, 32, 3)).astype(np.uint8)
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
    changed = replace(made, files={"graph.tflite": path.read_bytes()})
    print(path.name, file=sys.stderr, flush=True)
    try:
        logits = engine.load_engine(changed, "litert").run(np.full((2, 32, 32, 3), 7, np.uint8))
        assert logits.shape == (2, 6)
    except LeansortError as error:
        assert "\\n" not in str(error)
print("all done")
"""


@pytest.fixture(scope="module")
def source() -> Bundle:
    """A network whose logits are not close to nothing."""
    return bundle_of(model_of(ArchSpec(base="tiny_s", classes=6), 32))


@pytest.fixture(scope="module")
def int8(source: Bundle) -> Bundle:
    return quantize_onnx(source, PIXELS, rounding="nearest")


def kinds(bundle: Bundle) -> list[str]:
    model = flatbuffer.read(bundle.graph)
    return [NAMES[model.codes[item.kind].code] for item in model.subgraphs[0].operators]


@pytest.fixture(scope="module", params=["mobilenetv3_small", "mobilenetv4_conv_small"])
def with_distance(request: pytest.FixtureRequest) -> Bundle:
    bundle = bundle_of(model_of(ArchSpec(base=request.param, classes=6, width=0.5), 64))
    result = add_distance(bundle, crops(24, 0, 64))
    assert result is not None
    return result


def test_logits_and_distances_are_those_of_the_onnx_graph(with_distance: Bundle, tmp_path: Path) -> None:
    converted = convert_to_format(with_distance, "litert")
    converted.save(tmp_path / "m.leansort")
    assert converted.meta == with_distance.meta
    pixels = crops(20, 1, 64).pixels
    assert parity.check_conversion(with_distance, bundles.load(tmp_path / "m.leansort"), pixels).gap < 1e-4
    assert convert_to_format(with_distance, "litert").to_bytes() == converted.to_bytes()


def test_int8_layers_keep_their_steps_and_say_the_same(int8: Bundle, source: Bundle) -> None:
    converted = convert_to_format(int8, "litert")
    expected, given = (engines.load_engine(item).run(PIXELS) for item in (int8, converted))
    np.testing.assert_allclose(softmax(given), softmax(expected), atol=1e-3)
    assert len(converted.graph) < 0.5 * len(convert_to_format(source, "litert").graph)
    found = kinds(converted)
    assert found[0] == "QUANTIZE"
    assert found[-2:] == ["DEQUANTIZE", "FULLY_CONNECTED"]  # the logits are floats
    assert found.count("QUANTIZE") == found.count("DEQUANTIZE") == 1
    assert "CAST" not in found


def test_layers_that_stay_in_float_are_floats(source: Bundle) -> None:
    convolutions = [node.name for node in onnx.load_from_string(source.graph).graph.node if node.op_type == "Conv"]
    kept = convolutions[3:5]
    mixed = quantize_litert(source, PIXELS, ignored_layers=kept, rounding="nearest")
    assert mixed.meta.provenance["quantized"]["engine"] == "litert"
    found = kinds(mixed)
    assert found.count("DEQUANTIZE") > 1
    logits = engines.load_engine(mixed).run(PIXELS)
    assert np.abs(logits - engines.load_engine(source).run(PIXELS)).max() < 0.2 * np.abs(logits).max()


def ending(nodes: Sequence[Any], constants: dict[str, Any], channels: int = 3) -> Bundle:
    """Pixels over 64 as images with their channels first, `x`; some layers to `y`; and the mean of that as logits."""
    before = [
        graphs.node("Transpose", "image", "first", perm=[0, 3, 1, 2]),
        graphs.node("Cast", "first", "floats", to=TensorProto.FLOAT),
        graphs.node("Div", "floats by", "x"),
    ]
    behind = [
        graphs.node("ReduceMean", "y image_sides", "mean", keepdims=0),
        graphs.node("Gemm", "mean last", "logits"),
    ]
    whole = {
        "by": np.float32(64), "image_sides": np.array([2, 3]), "weight": weights((4, 3, 3, 3)),
        "last": weights((channels, 3)), **constants,
    }  # fmt: skip
    return graphs.bundle_of(graphs.onnx_graph([*before, *nodes, *behind], whole))


def weights(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(2).normal(0, 0.5, shape).astype(np.float32)


node = graphs.node
CASES: dict[str, tuple[list[Any], dict[str, Any], int]] = {
    "pads on both sides": ([node("Conv", "x weight", "y", pads=[1, 1, 1, 1], strides=[2, 2])], {}, 4),
    "pads as LiteRT's": ([node("Conv", "x weight", "y", pads=[0, 0, 1, 1], strides=[2, 2])], {}, 4),
    "uneven pads": ([node("Conv", "x weight", "y", pads=[3, 0, 0, 2])], {}, 4),
    "dilation": ([node("Conv", "x weight", "y", dilations=[2, 3], pads=[2, 3, 2, 3])], {}, 4),
    "depthwise": ([node("Conv", "x each", "y", group=3, pads=[1, 1, 1, 1])], {"each": weights((6, 1, 3, 3))}, 6),
    "groups": (
        [node("Conv", "x more", "z"), node("Conv", "z halves", "y", group=2)],
        {"more": weights((4, 3, 1, 1)), "halves": weights((6, 2, 3, 3))}, 6,
    ),
    "bias and relu6": (
        [node("Conv", "x weight bias", "z"), node("Clip", "z low high", "y")],
        {"bias": weights((4,)), "low": np.float32(0), "high": np.float32(6)}, 4,
    ),
    "other limits": ([node("Clip", "x low high", "y")], {"low": np.float32(0.5), "high": np.float32(2)}, 3),
    "relu": ([node("Sub", "x one", "z"), node("Relu", "z", "y")], {"one": np.float32(1)}, 3),
    "hard swish": ([node("Sub", "x one", "z"), node("HardSwish", "z", "y")], {"one": np.float32(2)}, 3),
    "hard sigmoid": (
        [node("Sub", "x one", "z"), node("HardSigmoid", "z", "y", alpha=1 / 6, beta=0.5)], {"one": np.float32(2)}, 3,
    ),
    "sigmoid": (
        [node("Sub", "x one", "z"), node("Sigmoid", "z", "w"), node("Mul", "z w", "y")], {"one": np.float32(2)}, 3,
    ),
    "tanh": ([node("Tanh", "x", "y")], {}, 3),
    "leaky relu": ([node("Sub", "x one", "z"), node("LeakyRelu", "z", "y", alpha=0.1)], {"one": np.float32(2)}, 3),
    "sums by channel": ([node("Add", "x each", "y")], {"each": weights((3, 1, 1))}, 3),
    "concatenation": ([node("Conv", "x weight", "z", pads=[1, 1, 1, 1]), node("Concat", "x z", "y", axis=1)], {}, 7),
    "largest of windows": ([node("MaxPool", "x", "y", kernel_shape=[2, 2], strides=[2, 2])], {}, 3),
    "means of windows": (
        [node("AveragePool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)],
        {}, 3,
    ),
    "slice": (
        [node("Slice", "x starts ends axes steps", "y")],
        {"starts": np.array([1]), "ends": np.array([2**62]), "axes": np.array([3]), "steps": np.array([2])}, 3,
    ),
    "zeros around": ([node("Pad", "x pads", "y")], {"pads": np.array([0, 1, 2, 0, 0, 2, 0, 1])}, 6),
    "squeeze and excitation": (
        [
            node("GlobalAveragePool", "x", "m"), node("Conv", "m few", "n"), node("Relu", "n", "o"),
            node("Conv", "o back", "p"), node("HardSigmoid", "p", "q", alpha=1 / 6, beta=0.5), node("Mul", "x q", "y"),
        ],
        {"few": weights((2, 3, 1, 1)), "back": weights((3, 2, 1, 1))}, 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_layer_says_the_same(case: str) -> None:
    given = ending(*CASES[case])
    pixels = graphs.pixels(4)
    expected = engines.load_engine(given).run(pixels)
    made = engines.load_engine(convert_to_format(given, "litert")).run(pixels)
    np.testing.assert_allclose(made, expected, atol=1e-4 * float(np.abs(expected).max()))
    assert np.ptp(expected, axis=0).max() > 0


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_layer_says_the_same_in_int8(case: str) -> None:
    pixels = graphs.pixels(8)
    given = quantize_onnx(ending(*CASES[case]), pixels, rounding="nearest")
    expected, made = (engines.load_engine(item).run(pixels) for item in (given, convert_to_format(given, "litert")))
    np.testing.assert_allclose(made, expected, atol=0.02 * float(np.abs(expected).max()))


def test_features_are_flattened_in_the_order_of_the_onnx_graph() -> None:
    nodes = [
        node("Transpose", "image", "first", perm=[0, 3, 1, 2]), node("Cast", "first", "x", to=TensorProto.FLOAT),
        node("Flatten", "x", "flat", axis=1), node("Gemm", "flat last", "logits"),
    ]  # fmt: skip
    given = graphs.bundle_of(graphs.onnx_graph(nodes, {"last": weights((3 * graphs.SIZE**2, 3))}))
    expected = engines.load_engine(given).run(graphs.pixels(2))
    made = engines.load_engine(convert_to_format(given, "litert")).run(graphs.pixels(2))
    np.testing.assert_allclose(made, expected, rtol=1e-4)


def test_what_cannot_be_written_is_named(source: Bundle) -> None:
    with pytest.raises(LeansortError, match=r"layer 'Hardmax_y' \(Hardmax\) is not among the layers"):
        convert_to_format(ending([node("Hardmax", "x", "y", axis=1)], {}), "litert")
    with pytest.raises(LeansortError, match=r"'HardSigmoid_y' \(HardSigmoid\) has alpha 0.2 and beta 0.5, need"):
        convert_to_format(ending([node("HardSigmoid", "x", "y")], {}), "litert")
    pool = node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    with pytest.raises(LeansortError, match=r"'MaxPool_y' \(MaxPool\) has pads that LiteRT has no word for"):
        convert_to_format(ending([pool], {}), "litert")
    with pytest.raises(UserError, match=r"written from onnx bundles, .* is litert"):
        litert_graph.convert(convert_to_format(source, "litert"))


def test_a_missing_library_and_unknown_settings_are_one_line(source: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    made = convert_to_format(source, "litert")
    with pytest.raises(UserError, match="engine litert: no setting 'precision'"):
        engines.load_engine(made, "litert:precision=f16")
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'leansort\[litert\]'"):
        engines.load_engine(made)


def test_nothing_is_said_on_standard_error(source: Bundle, tmp_path: Path) -> None:
    convert_to_format(source, "litert").save(tmp_path / "m.leansort")
    code = (
        "import sys; from pathlib import Path; from leansort.core import bundle; from leansort.runtime import engine; "
    )
    code += "engine.load_engine(bundle.load(Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path / "m.leansort")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_graph_that_differs_in_a_byte_of_its_tables_is_refused(source: Bundle) -> None:
    made = convert_to_format(source, "litert")
    for cut in (1, 4, 1000):
        with pytest.raises(IntegrityError, match=r"cannot be loaded by LiteRT \(it "):
            engines.load_engine(replace(made, files={"graph.tflite": made.graph[:-cut]}))


def scaled(quantization: Quantization | None, drawn: random.Random) -> Quantization | None:
    """Other scales and zero points."""
    if quantization is None:
        return None
    times = 2.0 ** drawn.uniform(-24, 24)
    scales = tuple(float(np.float32(scale * times)) for scale in quantization.scales)
    zeros = quantization.zero_points
    return replace(
        quantization,
        scales=scales,
        zero_points=zeros if any(zeros) is False else (drawn.randint(-128, 127),) * len(zeros),
    )


def changed(model: Model, drawn: random.Random) -> Model:
    """A model with one option, one shape, one scale or one number of a constant changed."""
    (whole,) = model.subgraphs
    operators, tensors, buffers = list(whole.operators), list(whole.tensors), list(model.buffers)
    what = drawn.choice(("option", "scale", "constant", "order"))
    at = drawn.randrange(len(operators))
    item = operators[at]
    if what == "option" and item.options is not None and vars(item.options):
        name = drawn.choice(sorted(vars(item.options)))
        old = getattr(item.options, name)
        new = not old if isinstance(old, bool) else type(old)(drawn.choice((0, 1, 2, 3, 6, 7, 31)))
        operators[at] = replace(item, options=replace(item.options, **{name: new}))
    elif what == "scale":
        number = drawn.randrange(len(tensors))
        tensors[number] = replace(tensors[number], quantization=scaled(tensors[number].quantization, drawn))
    elif what == "constant":
        number = drawn.randrange(1, len(buffers))
        data = bytearray(buffers[number].data)
        for _ in range(drawn.randint(1, 8)):
            data[drawn.randrange(len(data))] = drawn.randrange(256)
        buffers[number] = replace(buffers[number], data=bytes(data))
    else:
        other = list(item.inputs)
        other[drawn.randrange(len(other))] = drawn.randrange(len(tensors))
        operators[at] = replace(item, inputs=tuple(other))
    made = replace(whole, operators=tuple(operators), tensors=tuple(tensors))
    return replace(model, subgraphs=(made,), buffers=tuple(buffers))


@pytest.mark.parametrize("kind", ["float", "int8"])
def test_no_changed_graph_that_is_let_through_takes_the_process_down(
    kind: str, source: Bundle, int8: Bundle, tmp_path: Path
) -> None:
    made = convert_to_format(source if kind == "float" else int8, "litert")
    made.save(tmp_path / "m.leansort")
    drawn, folder, model = random.Random(3), tmp_path / "graphs", flatbuffer.read(made.graph)
    folder.mkdir()
    for number in range(150):
        data = flatbuffer.write(changed(changed(model, drawn), drawn))
        try:
            tflite_graph.check(data, 32, 6)
        except UnsoundGraphError:
            continue
        (folder / f"{number:04}").write_bytes(data)
    assert len(list(folder.iterdir())) > 10
    command = [sys.executable, "-c", EACH, str(tmp_path / "m.leansort"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "all done\n"), done.stderr[-2000:]

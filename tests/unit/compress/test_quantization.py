"""Int8 and half precision of a real, small network: close to float in every engine, as small as promised."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import numpy_helper

from leansort.arch.build import build
from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel, normalize
from leansort.compress.quantization.calibration_outliers import layer_extremes, select_typical
from leansort.compress.quantization.fake_quantize import Int8Weights, WeightBits
from leansort.compress.quantization.half_precision import Half, half_weights
from leansort.compress.quantization.input_normalization import UNIT, fold_input_normalization
from leansort.compress.quantization.openvino_backend import int8_layers
from leansort.compress.quantization.post_training import (
    quantizable_layers,
    quantization_sensitivity,
    quantize_onnx,
    quantize_openvino,
)
from leansort.contest.contest_classes import CONTEST_CLASSES
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import MissingExtraError, UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.export.onnx import export_onnx
from leansort.runtime import engine as engines
from leansort.runtime import openvino_graph
from leansort.runtime.layer_outputs import layer_outputs
from tests.conftest import ROOT

Pixels = npt.NDArray[np.uint8]
SIZE = 64
# Root mean square of what int8 changes, over the spread of the logits. Drawn weights, unlike trained ones, give
# every rounding to the logits; 0.10 to 0.13 were seen.
TOLERANCE = 0.16
needs_nncf = pytest.mark.skipif(
    importlib.util.find_spec("nncf") is None or importlib.util.find_spec("openvino") is None,
    reason="NNCF or OpenVINO is not installed",
)


def pictures(count: int, seed: int) -> Pixels:
    """Stripes of two colours with noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    made = []
    for _ in range(count):
        colours, (fx, fy) = rng.integers(0, 256, (2, 3)), rng.uniform(0.1, 1.0, 2)
        stripes = np.where((np.sin(x * fx + y * fy) > 0)[..., None], colours[0], colours[1])
        made.append(np.clip(stripes + rng.normal(0, 20, (SIZE, SIZE, 3)), 0, 255))
    return np.array(made).astype(np.uint8)


CALIBRATION, OTHERS = pictures(32, 0), pictures(64, 1)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """As trained: batch norms that have seen pictures, a classifier that is not zero."""
    network = build(ArchSpec(base="tiny_s", classes=6), Seeds(3))
    drawn = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for head in find_classifiers(network, 6):
            head.weight.normal_(0.0, 0.1, generator=drawn)
            assert head.bias is not None
            head.bias.normal_(0.0, 0.1, generator=drawn)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
                module.weight.add_(torch.randn(module.weight.shape, generator=drawn), alpha=0.1)
        network.train()(normalize(torch.from_numpy(CALIBRATION).permute(0, 3, 1, 2), Preprocess(size=SIZE)))
    spec = ArchSpec(base="tiny_s", classes=6)
    model = TrainedModel(spec, network.state_dict(), Preprocess(size=SIZE), LabelSet(CONTEST_CLASSES), {"seed": 3})
    return export_onnx(model, temperature=1.5, reject_below=0.25)


@pytest.fixture(scope="module")
def in_onnx(bundle: Bundle) -> Bundle:
    return quantize_onnx(bundle, CALIBRATION)


@pytest.fixture(scope="module")
def in_openvino(bundle: Bundle) -> Bundle:
    return quantize_openvino(bundle, CALIBRATION)


def weight_bytes(bundle: Bundle) -> int:
    return sum(map(len, bundle.files.values()))


def distance(bundle: Bundle, other: Bundle, engine: str = "") -> float:
    reference = engines.load_engine(bundle).run(OTHERS)
    return float(
        np.sqrt(np.square(engines.load_engine(other, engine).run(OTHERS) - reference).mean()) / reference.std()
    )


def float_layers(bundle: Bundle) -> list[str]:
    """Layers of an ONNX graph whose weights are no dequantized int8."""
    graph = onnx.load_from_string(bundle.graph).graph
    types = {value.name: value.data_type for value in graph.initializer}
    int8 = {
        node.output[0] for node in graph.node
        if node.op_type == "DequantizeLinear" and types.get(node.input[0]) == onnx.TensorProto.INT8
    }  # fmt: skip
    return [node.name for node in graph.node if node.op_type in ("Conv", "Gemm") and node.input[1] not in int8]


@pytest.mark.parametrize("engine", engines.installed_engines("onnx"))
@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_onnx_int8_is_close_to_float_in_every_engine(bundle: Bundle, method: str, engine: str) -> None:
    made = quantize_onnx(bundle, CALIBRATION, method=method)  # type: ignore[arg-type]
    assert 0 < distance(bundle, made, engine) < TOLERANCE


def largest_weights(bundle: Bundle) -> set[int]:
    """The largest magnitude in each int8 tensor of weights."""
    graph = onnx.load_from_string(bundle.graph).graph
    values = [numpy_helper.to_array(value) for value in graph.initializer if value.data_type == onnx.TensorProto.INT8]
    return {int(np.abs(item.astype(int)).max()) for item in values if item.ndim > 1}


def test_seven_bits_of_weights_never_overflow_a_sum_of_two_products(bundle: Bundle, in_onnx: Bundle) -> None:
    whole = quantize_onnx(bundle, CALIBRATION, weight_bits=8)
    assert max(largest_weights(whole)) > 64 >= max(largest_weights(in_onnx)) >= 63
    assert 2 * 255 * max(largest_weights(in_onnx)) < 2**15  # AVX2's vpmaddubsw adds two of unsigned times signed
    assert [made.meta.provenance["quantized"]["weight_bits"] for made in (in_onnx, whole)] == [7, 8]


@needs_nncf
@pytest.mark.parametrize("bits", [7, 8])
def test_training_imitates_the_very_weights_of_the_graph(bundle: Bundle, bits: WeightBits) -> None:
    made = quantize_onnx(bundle, CALIBRATION, weight_bits=bits, rounding="nearest")
    values = {item.name: numpy_helper.to_array(item) for item in onnx.load_from_string(bundle.graph).graph.initializer}
    model = onnx.load_from_string(made.graph)
    given = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    compared = 0
    for node in model.graph.node:
        weight = values.get(node.input[0].removesuffix("_quantized")) if node.op_type == "DequantizeLinear" else None
        if weight is None or weight.ndim != 4 or node.input[0].startswith(first_weight(bundle)):
            continue
        scale = given[node.input[1]].reshape(-1, 1, 1, 1)
        in_graph = given[node.input[0]].astype(np.float32) * scale
        imitated = Int8Weights(bits)(torch.from_numpy(weight.copy())).numpy()
        apart = np.abs(imitated - in_graph)
        assert (apart <= 1.01 * scale).all()  # a value half-way between two steps may go to either
        assert (apart > 1e-6).mean() < 0.01
        compared += 1
    assert compared > 3


def first_weight(bundle: Bundle) -> str:
    """Name of the first layer's weights, which take in the normalization when they become int8."""
    nodes = onnx.load_from_string(bundle.graph).graph.node
    return str(next(node.input[1] for node in nodes if node.op_type == "Conv"))


def test_seven_bits_are_of_openvino_too(bundle: Bundle, in_openvino: Bundle) -> None:
    whole = quantize_openvino(bundle, CALIBRATION, weight_bits=8)
    assert whole.files != in_openvino.files
    assert [made.meta.provenance["quantized"]["weight_bits"] for made in (in_openvino, whole)] == [7, 8]


@needs_nncf
def test_openvino_int8_is_close_to_float(bundle: Bundle, in_openvino: Bundle) -> None:
    symmetric = quantize_openvino(bundle, CALIBRATION, preset="performance")
    assert symmetric.files != in_openvino.files
    for made in (in_openvino, symmetric):
        assert 0 < distance(bundle, made) < TOLERANCE


def test_the_onnx_graph_is_int8_from_the_first_layer_to_the_last(bundle: Bundle, in_onnx: Bundle) -> None:
    graph = onnx.load_from_string(in_onnx.graph).graph
    onnx.checker.check_model(onnx.load_from_string(in_onnx.graph))
    kinds = [node.op_type for node in graph.node]
    assert float_layers(in_onnx) == []
    assert quantizable_layers(in_onnx) == quantizable_layers(bundle)
    assert "Relu" not in kinds
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    makers = {node.output[0]: node for node in graph.node}
    path, value = [], makers[next(node for node in graph.node if node.op_type == "Conv").input[0]]
    while value.op_type != "Transpose":
        path.append(value.op_type)
        value = makers[value.input[0]]
    assert path == ["DequantizeLinear", "QuantizeLinear", "Mul", "Sub", "Cast"]
    assert makers["logits"].op_type == "Gemm"  # its output stays float
    assert len(np.unique(engines.load_engine(in_onnx).run(OTHERS))) > 300
    assert not [node for node in graph.node if node.doc_string or node.metadata_props]
    zero_points = [numpy_helper.to_array(value) for value in graph.initializer if value.name.endswith("zero_point")]
    assert {value.dtype for value in zero_points} == {np.dtype(np.uint8), np.dtype(np.int8)}
    assert not any(value.any() for value in zero_points if value.dtype == np.int8)


def precisions(bundle: Bundle) -> list[str]:
    """In what OpenVINO runs each convolution."""
    import openvino

    compiled = openvino.Core().compile_model(openvino_graph.read(bundle), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    run = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    told = [{key: str(getattr(value, "value", value)) for key, value in info.items()} for info in run]
    return [info["runtimePrecision"] for info in told if info["layerType"] == "Convolution"]


@needs_nncf
def test_the_openvino_graph_runs_in_int8(bundle: Bundle, in_openvino: Bundle) -> None:
    assert (
        int8_layers(openvino_graph.read(in_openvino)) == quantizable_layers(bundle) == quantizable_layers(in_openvino)
    )
    kinds = precisions(in_openvino)
    assert len(kinds) == 22
    assert set(kinds) <= {"u8", "i8"}


def some(bundle: Bundle) -> list[str]:
    names = quantizable_layers(bundle)
    return [names[0], names[5], names[-1]]


@pytest.fixture(scope="module")
def partly(bundle: Bundle) -> Bundle:
    return quantize_openvino(bundle, CALIBRATION, ignored_layers=set(some(bundle)))


def test_layers_kept_in_float_are_float_in_onnx(bundle: Bundle) -> None:
    made = quantize_onnx(bundle, CALIBRATION, ignored_layers=set(some(bundle)))
    assert float_layers(made) == some(bundle) == made.meta.provenance["quantized"]["kept_float"]
    assert distance(bundle, made) < TOLERANCE


@needs_nncf
def test_layers_kept_in_float_are_float_in_openvino(bundle: Bundle, partly: Bundle) -> None:
    kept = [name for name in quantizable_layers(bundle) if name not in int8_layers(openvino_graph.read(partly))]
    assert kept == some(bundle) == partly.meta.provenance["quantized"]["kept_float"]
    assert precisions(partly).count("f32") == 2  # and the classifier, which is no convolution
    assert distance(bundle, partly) < TOLERANCE


@needs_nncf
def test_what_lies_between_float_layers_is_float(bundle: Bundle) -> None:
    names = quantizable_layers(bundle)
    assert distance(bundle, quantize_onnx(bundle, CALIBRATION, ignored_layers=names)) == 0
    alone = quantize_openvino(bundle, CALIBRATION, ignored_layers=names, half_rest=False)
    assert distance(bundle, alone) < 1e-5


@needs_nncf
@pytest.mark.parametrize("graph_format", ["onnx", "openvino"])
def test_pictures_that_stand_out_are_left_out(bundle: Bundle, in_onnx: Bundle, graph_format: str) -> None:
    if graph_format == "openvino":
        pytest.importorskip("openvino")
        bundle = Bundle(bundle.meta, openvino_graph.files(openvino_graph.read(bundle)))
    usual = pictures(40, 2) // 8 + 112
    given = usual.copy()
    given[[3, 17]] = pictures(2, 5)  # eight times the contrast
    assert select_typical(bundle, given, 0.05).tolist() == [at for at in range(40) if at not in (3, 17)]
    assert select_typical(bundle, given, 0.03).tolist() in ([n for n in range(40) if n != out] for out in (3, 17))
    assert select_typical(bundle, given, 0.01).tolist() == list(range(40))
    result = layer_extremes(bundle, given)
    assert result.shape == (40, len(quantizable_layers(bundle)))
    if graph_format == "onnx":  # the other format adds the bias behind
        np.testing.assert_allclose(result[:, -1], np.abs(engines.load_engine(bundle).run(given)).max(axis=1), rtol=1e-4)


def test_without_what_stands_out_int8_loses_less(bundle: Bundle) -> None:
    usual = pictures(40, 2) // 8 + 112
    given = np.concatenate([usual, pictures(1, 5)])
    reference = engines.load_engine(bundle).run(usual)

    def off(pixels: Pixels) -> float:
        return float(np.square(engines.load_engine(quantize_onnx(bundle, pixels)).run(usual) - reference).mean())

    assert off(given[select_typical(bundle, given, 0.03)]) < 0.7 * off(given)


def test_sizes(bundle: Bundle, in_onnx: Bundle, in_openvino: Bundle, partly: Bundle) -> None:
    assert weight_bytes(in_onnx) < 0.4 * weight_bytes(bundle)
    assert len(in_openvino.files["graph.bin"]) < 0.3 * weight_bytes(bundle)  # the rest describes the graph
    whole = quantize_openvino(bundle, CALIBRATION, ignored_layers=some(bundle), half_rest=False)
    assert weight_bytes(partly) < weight_bytes(whole)
    assert abs(distance(bundle, partly) - distance(bundle, whole)) < 0.05


@needs_nncf
def test_labels_preprocessing_and_calibration_go_along(bundle: Bundle, in_onnx: Bundle, in_openvino: Bundle) -> None:
    for made, engine in ((in_onnx, "onnxruntime"), (in_openvino, "openvino")):
        note = made.meta.provenance["quantized"]
        assert (note["weights"], note["engine"], note["kept_float"], note["calibration"]) == ("int8", engine, [], 32)
        provenance = {key: value for key, value in made.meta.provenance.items() if key != "quantized"}
        assert made.meta.model_copy(update={"provenance": provenance}) == bundle.meta
        assert "quantized" not in bundle.meta.provenance


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from leansort.compress.quantization.post_training import quantize_onnx, quantize_openvino
from leansort.core import bundle
one, pixels = bundle.load(Path(sys.argv[1])), np.load(sys.argv[2])
print(quantize_onnx(one, pixels).digest, quantize_openvino(one, pixels).digest)
if "nncf" in sys.modules:
    from nncf.telemetry import telemetry
    print(type(telemetry).__name__)
"""


@needs_nncf
def test_another_process_makes_the_same_bytes_silently_and_tells_nobody(
    bundle: Bundle, in_onnx: Bundle, in_openvino: Bundle, tmp_path: Path
) -> None:
    bundle.save(tmp_path / "m.leansort")
    np.save(tmp_path / "pixels.npy", CALIBRATION)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "m.leansort", tmp_path / "pixels.npy"],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "11"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [in_onnx.digest, in_openvino.digest, "MagicMock"]
    assert done.stderr == ""


def exploding(bundle: Bundle) -> tuple[Bundle, list[str]]:
    """One channel of an expansion a thousand times as large, made good by the depthwise layer that follows it."""
    model = onnx.load_from_string(bundle.graph)
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    first, second = convs[3], convs[4]
    for name, factor in ((first.input[1], 1000), (first.input[2], 1000), (second.input[1], 1 / 1000)):
        value = next(item for item in model.graph.initializer if item.name == name)
        weights = numpy_helper.to_array(value).copy()
        weights[0] *= factor
        value.CopyFrom(numpy_helper.from_array(weights, name))
    return Bundle(bundle.meta, {"graph.onnx": model.SerializeToString()}), [first.name, second.name]


def ranked(texts: Sequence[tuple[str, float]]) -> list[str]:
    return [name for name, _ in sorted(texts, key=lambda pair: -pair[1])]


@pytest.mark.parametrize("measure", ["kl", "mse"])
def test_sensitivity_finds_the_layers_whose_range_explodes(bundle: Bundle, measure: str) -> None:
    bad, names = exploding(bundle)
    assert distance(bundle, bad) < 1e-3
    result = quantization_sensitivity(bad, CALIBRATION, measure=measure)  # type: ignore[arg-type]
    assert [name for name, _ in result] == quantizable_layers(bad)
    assert set(ranked(result)[:2]) == set(names)
    assert dict(result)[ranked(result)[1]] > 3 * dict(result)[ranked(result)[2]] >= 0
    if measure == "kl":
        assert distance(bundle, quantize_onnx(bad, CALIBRATION)) > 2 * TOLERANCE
        assert distance(bundle, quantize_onnx(bad, CALIBRATION, ignored_layers=names)) < TOLERANCE


ROUNDED: list[tuple[Half, float]] = [("fp16", 0.01), ("bf16", 0.08)]  # 11 and 8 bits


@pytest.mark.parametrize(("kind", "most"), ROUNDED)
@pytest.mark.parametrize("engine", engines.installed_engines("onnx"))
def test_half_weights_halve_an_onnx_bundle(
    bundle: Bundle, engine: str, kind: Half, most: float, tmp_path: Path
) -> None:
    half = half_weights(bundle, kind)
    assert weight_bytes(half) < 0.56 * weight_bytes(bundle)
    assert most / 100 < distance(bundle, half, engine) < most
    assert half.to_bytes() == half_weights(bundle, kind).to_bytes()
    onnx.checker.check_model(onnx.load_from_string(half.graph))
    half.save(tmp_path / "m")
    assert bundles.load(tmp_path / "m") == half


@needs_nncf
@pytest.mark.parametrize(("kind", "most"), ROUNDED)
def test_half_weights_halve_an_openvino_bundle_and_leave_int8_alone(
    bundle: Bundle, in_openvino: Bundle, kind: Half, most: float
) -> None:
    whole = Bundle(bundle.meta, openvino_graph.files(openvino_graph.read(bundle, fold=True)))
    half = half_weights(whole, kind)
    assert len(half.files["graph.bin"]) < 0.56 * len(whole.files["graph.bin"])
    assert distance(half_weights(bundle, kind), half) < 1e-4  # rounded alike in both formats
    assert 0 < distance(bundle, half) < most
    assert half.to_bytes() == half_weights(whole, kind).to_bytes()
    assert quantize_openvino(whole, CALIBRATION).files == in_openvino.files
    assert half_weights(in_openvino).files == in_openvino.files


def test_half_weights_leave_int8_alone_in_onnx(in_onnx: Bundle) -> None:
    np.testing.assert_array_equal(
        engines.load_engine(half_weights(in_onnx)).run(OTHERS), engines.load_engine(in_onnx).run(OTHERS)
    )


def test_numbers_too_large_for_half_stay(bundle: Bundle) -> None:
    model = onnx.load_from_string(bundle.graph)
    value = next(item for item in model.graph.initializer if item.name.endswith("weight"))
    value.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(value) * np.float32(1e6), value.name))
    half = half_weights(Bundle(bundle.meta, {"graph.onnx": model.SerializeToString()}))
    kinds = {item.name: item.data_type for item in onnx.load_from_string(half.graph).graph.initializer}
    assert kinds[value.name] == onnx.TensorProto.FLOAT
    wide = half_weights(Bundle(bundle.meta, {"graph.onnx": model.SerializeToString()}), "bf16")
    kinds = {item.name: item.data_type for item in onnx.load_from_string(wide.graph).graph.initializer}
    assert kinds[f"{value.name}/half"] == onnx.TensorProto.BFLOAT16


def test_mistakes_are_named(bundle: Bundle, in_onnx: Bundle) -> None:
    with pytest.raises(UserError, match=r"ignored_layers: got 'node_conv2d_99'.*did you mean 'node_conv2d_9'"):
        quantize_onnx(bundle, CALIBRATION, ignored_layers=["node_conv2d_99"])
    with pytest.raises(UserError, match="quantized already"):
        quantize_onnx(in_onnx, CALIBRATION)
    others: list[Any] = [CALIBRATION[:0], CALIBRATION[:, :16], CALIBRATION.astype(np.float32)]
    for wrong in others:
        with pytest.raises(UserError, match=r"got pixels .*need uint8 \(n, 64, 64, 3\)"):
            quantize_onnx(bundle, wrong)
    other = Bundle(bundle.meta, {"graph.xml": b"", "graph.bin": b""})
    with pytest.raises(UserError, match="bundle in the openvino format, need onnx"):
        quantization_sensitivity(other, CALIBRATION)


@needs_nncf
@pytest.mark.parametrize("library", ["nncf", "openvino"])
def test_a_missing_library_is_one_line(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"needs '{library}'.*leansort\[compress\]"):
        quantize_openvino(bundle, CALIBRATION)


def test_the_first_layer_reads_the_pixels_with_the_normalization_in_its_weights(bundle: Bundle) -> None:
    grey = fold_input_normalization(bundle.graph)
    assert grey is not None
    assert [node.op_type for node in grey.model.graph.node][:5] == ["Transpose", "Cast", "Sub", "Mul", "Conv"]
    (_, ours), (_, theirs) = (layer_outputs(item) for item in (grey.model.SerializeToString(), bundle.graph))
    made, meant = ours(OTHERS[:4])[0], theirs(OTHERS[:4])[0]
    np.testing.assert_allclose(made[..., 1:, 1:], meant[..., 1:, 1:], atol=2e-4)  # what no padding reaches
    assert 1e-3 < np.abs(made - meant).max() < 0.5 * np.abs(meant).max()  # grey around the picture, not the mean colour
    graph = onnx.load_from_string(quantize_onnx(bundle, CALIBRATION).graph)
    (quantizer,) = [node for node in graph.graph.node if "pixels_around_grey" in node.input]
    held = {item.name: numpy_helper.to_array(item) for item in graph.graph.initializer}
    scale, zero = (held[name] for name in quantizer.input[1:])
    assert (float(scale), int(zero)) == (UNIT, grey.level)  # 8 bits of it are the pixels' own
    assert "Div" not in {node.op_type for node in graph.graph.node}


def test_a_first_layer_that_stays_in_float_keeps_its_normalization(bundle: Bundle) -> None:
    first = quantizable_layers(bundle)[0]
    kept = onnx.load_from_string(quantize_onnx(bundle, CALIBRATION, ignored_layers=[first]).graph)
    assert {"Sub", "Div"} <= {node.op_type for node in kept.graph.node}
    assert fold_input_normalization(quantize_onnx(bundle, CALIBRATION).graph) is None  # it is done already

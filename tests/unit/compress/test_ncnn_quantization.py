"""Int8 for NCNN: close to float on NCNN itself, a third of the size, and layers that stay in float are float."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from leansort.arch.spec.spec import ArchSpec
from leansort.compress.passes.quantize import QuantizeConfig
from leansort.compress.quantization.ncnn_backend import int8_weights
from leansort.compress.quantization.post_training import quantizable_layers, quantize_ncnn
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, MissingExtraError, UserError
from leansort.export.formats import convert_to_format
from leansort.runtime import engine as engines
from leansort.runtime.conversion import ncnn_graph
from leansort.testing.sample_networks import bundle_of, crops, model_of

PIXELS = crops(48, 0, 64).pixels
needs_ncnn = pytest.mark.skipif(
    importlib.util.find_spec("ncnn") is None or importlib.util.find_spec("pnnx") is None,
    reason="NCNN or its converter is not installed",
)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return bundle_of(model_of(ArchSpec(base="mobilenetv4_conv_small", classes=6, width=0.5), 64))


def distance(bundle: Bundle, other: Bundle) -> float:
    """Root mean square of what differs, over the spread of the logits."""
    first, second = (engines.load_engine(item).run(PIXELS) for item in (bundle, other))
    return float(np.sqrt(np.square(first - second).mean()) / first.std())


def test_weights_go_to_the_nearest_of_127_steps_and_nothing_divides_by_zero() -> None:
    weights = np.array([[0.5, -1.0, 0.25], [0.0, 0.0, 0.0]], np.float32)
    steps, scales = int8_weights(weights)
    assert steps.tolist() == [[64, -127, 32], [0, 0, 0]]
    assert scales.tolist() == [127.0, 1.0]


@needs_ncnn
def test_int8_is_close_to_float_and_small(bundle: Bundle) -> None:
    whole = convert_to_format(bundle, "ncnn")
    made = quantize_ncnn(bundle, PIXELS[:32])
    assert made.format == "ncnn"
    assert made.meta.provenance["quantized"]["engine"] == "ncnn"
    assert len(made.files["graph.ncnn.bin"]) < 0.35 * len(whole.files["graph.ncnn.bin"])
    assert 0 < distance(whole, made) < 0.2
    assert quantize_ncnn(bundle, PIXELS[:32]).to_bytes() == made.to_bytes()


@needs_ncnn
def test_rounding_for_outputs_changes_them_less(bundle: Bundle) -> None:
    rounded, nearest = (quantize_ncnn(bundle, PIXELS[:32], rounding=way) for way in ("outputs", "nearest"))
    assert distance(bundle, rounded) < distance(bundle, nearest)


@needs_ncnn
def test_layers_that_stay_in_float_are_float(bundle: Bundle) -> None:
    kept = quantizable_layers(bundle)[:-1]
    made = quantize_ncnn(bundle, PIXELS[:8], ignored_layers=kept, rounding="nearest")
    lines = {line.split()[1]: line for line in made.graph.decode().splitlines()[2:]}
    assert [name for name, line in lines.items() if " 8=" in line] == quantizable_layers(bundle)[-1:]
    assert made.meta.provenance["quantized"]["kept_float"] == kept
    ncnn_graph.read_layers(made)


@needs_ncnn
def test_what_cannot_be_done_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    made = quantize_ncnn(bundle, PIXELS[:4], rounding="nearest")
    with pytest.raises(UserError, match="got a bundle in the ncnn format, need onnx"):
        quantize_ncnn(made, PIXELS[:4])
    with pytest.raises(UserError, match="ignored_layers: got 'nowhere'"):
        quantize_ncnn(bundle, PIXELS[:4], ignored_layers=["nowhere"])
    monkeypatch.setattr(ncnn_graph, "weight_names", lambda model: {})
    name = quantizable_layers(bundle)[0]
    with pytest.raises(LeansortError, match=f"layer '{name}' has the weights of another"):
        quantize_ncnn(bundle, PIXELS[:4], ignored_layers=[name], rounding="nearest")
    monkeypatch.setitem(sys.modules, "ncnn", None)
    with pytest.raises(MissingExtraError, match=r"leansort\[ncnn\]"):
        quantize_ncnn(bundle, PIXELS[:4], rounding="nearest")


@pytest.mark.parametrize("setting", [{"weight_bits": 8}, {"method": "entropy"}, {"preset": "mixed"}])
def test_settings_of_other_engines_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(setting))} has no effect with engine ncnn"):
        QuantizeConfig.model_validate({"engine": "ncnn", **setting})
    assert QuantizeConfig.model_validate({"engine": "ncnn", "rounding": "nearest"}).engine == "ncnn"

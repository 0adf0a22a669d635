"""Int8 for LiteRT: close to float on LiteRT itself, a third of the size, and idle settings are refused."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from leansort.arch.spec.spec import ArchSpec
from leansort.compress.passes.quantize import QuantizeConfig
from leansort.compress.quantization.post_training import quantize_litert
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.export.formats import convert_to_format
from leansort.runtime import engine as engines
from leansort.testing.sample_networks import bundle_of, model_of

pytest.importorskip("ai_edge_litert")
PIXELS = np.random.default_rng(1).integers(0, 256, (12, 32, 32, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def source() -> Bundle:
    return bundle_of(model_of(ArchSpec(base="tiny_s", classes=6), 32))


def test_int8_is_close_to_float_and_smaller_and_its_provenance_says_so(source: Bundle) -> None:
    made = quantize_litert(source, PIXELS)
    assert made.format == "litert"
    assert made.to_bytes() == quantize_litert(source, PIXELS).to_bytes()
    given, expected = engines.load_engine(made).run(PIXELS), engines.load_engine(source).run(PIXELS)
    assert np.abs(given - expected).max() < 0.15 * np.abs(expected).max()
    assert len(made.graph) < 0.5 * len(convert_to_format(source, "litert").graph)
    told = made.meta.provenance["quantized"]
    assert (told["engine"], told["weight_bits"], told["rounding"]) == ("litert", 8, "outputs")


def test_an_unknown_layer_is_refused(source: Bundle) -> None:
    with pytest.raises(UserError, match="nowhere"):
        quantize_litert(source, PIXELS, ignored_layers=["nowhere"])


@pytest.mark.parametrize(("setting", "value"), [("preset", "mixed"), ("weight_bits", 8)])
def test_settings_without_effect_are_refused(setting: str, value: object) -> None:
    with pytest.raises(ValidationError, match=f"{setting} has no effect with engine litert"):
        QuantizeConfig.model_validate({"engine": "litert", setting: value})
    assert QuantizeConfig(engine="litert", method="percentile").method == "percentile"

"""Post-training quantization to int8, calibrated on train crops as the robot would see them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from leansort.compress.passes.qat import IMITATED, QatPass
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome
from leansort.compress.quantization.calibration_outliers import select_typical
from leansort.compress.quantization.fake_quantize import WeightBits
from leansort.compress.quantization.post_training import (
    Rounding,
    quantizable_layers,
    quantization_sensitivity,
    quantize_litert,
    quantize_ncnn,
    quantize_onnx,
    quantize_openvino,
)
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.strict_model import StrictModel

ONNX = "onnx"
GRAPH_FORMATS = {"onnxruntime": ONNX, "openvino": "openvino", "ncnn": "ncnn", "litert": "litert"}  # by engine
_IDLE = {  # settings that are not an engine's
    "onnxruntime": ("preset",),
    "openvino": ("method", "rounding"),
    "ncnn": ("preset", "method", "weight_bits"),
    "litert": ("preset", "weight_bits"),
}


class QuantizeConfig(StrictModel):
    """For which engine, and which layers stay in float.

    Attributes:
        engine: `onnxruntime` gets a graph of quantize and dequantize nodes, activations U8, weights S8 per channel;
            `openvino` gets OpenVINO's own format, quantized by NNCF; `ncnn` gets NCNN's format, activations symmetric;
            `litert` gets LiteRT's format, quantized as for `onnxruntime`.
        crops: train crops that calibrate.
        outliers: fraction of them that is left out: those on which a layer's output stands out most.
        method: how ranges are found, of `onnxruntime` and `litert`; the others have no choice of these.
        weight_bits: 7 costs a little precision and is right on every processor. 8 is for processors
            with VNNI: those with AVX2 alone cut sums off, and the bundle may lose many points of accuracy there. Not
            of `ncnn` and `litert`, which have room for 8 everywhere.
        rounding: of weights, not of `openvino`: to the step that changes the outputs of their layers least
            (`outputs`), or to the `nearest`; None takes `nearest` behind `qat`, which trains for that, and else
            `outputs`.
        preset: of `openvino`: `mixed` quantizes activations asymmetrically, `performance` symmetrically.
        ignored_layers: names of graph nodes that stay in float.
        fraction: of the layers that become int8; the others, those that int8 disturbs most, stay in float.
    """

    engine: Literal["onnxruntime", "openvino", "ncnn", "litert"] = "onnxruntime"
    crops: int = Field(default=300, ge=1, le=100_000)
    outliers: float = Field(default=0.01, ge=0.0, le=0.5)
    method: Literal["minmax", "percentile", "entropy"] = "minmax"
    weight_bits: WeightBits = 7
    rounding: Rounding | None = None
    preset: Literal["mixed", "performance"] = "mixed"
    ignored_layers: tuple[str, ...] = ()
    fraction: float = Field(default=1.0, ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _no_setting_of_the_other_engine(self) -> QuantizeConfig:
        for idle in _IDLE[self.engine]:
            if idle in self.model_fields_set:
                raise ValueError(f"{idle} has no effect with engine {self.engine}; leave it out")
        return self


class QuantizePass(CompressionPass[QuantizeConfig, Bundle]):
    """Makes a graph int8."""

    Config = QuantizeConfig
    stage = "graph"
    faster = True

    def weaker(self, fraction: float) -> QuantizePass:
        """Leave the worst layers in float."""
        return self.changed(fraction=fraction * self.config.fraction)

    def obstacle(self, earlier: CompressionPass) -> str:
        """Other bits than `qat` imitated."""
        if isinstance(earlier, QatPass) and earlier.config.weight_bits != self.config.weight_bits:
            return f"weight_bits is {self.config.weight_bits}, but it was trained for {earlier.config.weight_bits}"
        return ""

    def apply(self, bundle: Bundle, context: PassContext) -> PassOutcome:
        """Quantize.

        Raises:
            UserError: the graph is none that can be quantized, or has no node of a name in `ignored_layers`.
        """
        nodes = quantizable_layers(bundle)
        unknown = sorted(set(self.config.ignored_layers) - set(nodes))
        if unknown:
            raise UserError(f"quantize.ignored_layers: no node {unknown[0]!r}; there are {', '.join(nodes[:5])}, …")
        order = np.sort(context.seeds.numpy().permutation(len(context.train.labels))[: self.config.crops])
        pixels = np.ascontiguousarray(np.asarray(context.train.pixels)[order])
        pixels = pixels[select_typical(bundle, pixels, self.config.outliers)]
        kept, notes = list(self.config.ignored_layers), dict[str, Any]()
        if self.config.fraction < 1.0:
            result = sorted(
                quantization_sensitivity(bundle, pixels, method=self.config.method), key=lambda pair: -pair[1]
            )
            spared = round((1 - self.config.fraction) * len(nodes))
            kept += [name for name, _ in result if name not in kept][:spared]
            notes["sensitivity"] = dict(result)
        notes |= {"kept_float": kept, "layers": len(nodes), "crops": len(pixels), "outliers": len(order) - len(pixels)}
        if len(set(kept)) >= len(nodes):
            return PassOutcome(bundle, notes, "every layer would stay in float")
        rounding = self.config.rounding or ("nearest" if IMITATED in bundle.meta.provenance else "outputs")
        if self.config.engine == "ncnn":
            made = quantize_ncnn(bundle, pixels, ignored_layers=kept, rounding=rounding)
        elif self.config.engine == "litert":
            made = quantize_litert(bundle, pixels, method=self.config.method, ignored_layers=kept, rounding=rounding)
        elif self.config.engine == "openvino":
            made = quantize_openvino(
                bundle, pixels, preset=self.config.preset, ignored_layers=kept, weight_bits=self.config.weight_bits
            )
        else:
            made = quantize_onnx(
                bundle,
                pixels,
                method=self.config.method,
                ignored_layers=kept,
                weight_bits=self.config.weight_bits,
                rounding=rounding,
            )
        return PassOutcome(made, notes)

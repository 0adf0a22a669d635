"""Post-training quantization to int8, calibrated on train crops as the robot would see them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from leansort.compress.passes_api import PassContext, PassOutcome
from leansort.compress.quantization.calibration_outliers import select_typical
from leansort.compress.quantization.post_training import (
    quantizable_layers,
    quantization_sensitivity,
    quantize_onnx,
    quantize_openvino,
)
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError

STAGE = "graph"
FASTER = True


class Config(BaseModel):
    """For which engine, and which layers stay in float.

    Attributes:
        engine: `onnxruntime` gets a graph of quantize and dequantize nodes, activations U8, weights S8 per channel;
            `openvino` gets OpenVINO's own format, quantized by NNCF.
        crops: train crops that calibrate.
        outliers: share of them that is left out: those on which a layer's output stands out most.
        method: how `onnxruntime`'s ranges are found.
        preset: of `openvino`: `mixed` quantizes activations asymmetrically, `performance` symmetrically.
        keep_float: names of graph nodes that stay in float.
        share: of the layers that become int8; the others, those that int8 disturbs most, stay in float.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    engine: Literal["onnxruntime", "openvino"] = "onnxruntime"
    crops: int = Field(default=300, ge=1, le=100_000)
    outliers: float = Field(default=0.01, ge=0.0, le=0.5)
    method: Literal["minmax", "percentile", "entropy"] = "minmax"
    preset: Literal["mixed", "performance"] = "mixed"
    keep_float: tuple[str, ...] = ()
    share: float = Field(default=1.0, ge=0.0, le=1.0)


def weaker(config: Config, share: float) -> Config:
    """Leave the worst layers in float."""
    return config.model_copy(update={"share": share * config.share})


def apply(bundle: Bundle, config: Config, context: PassContext) -> PassOutcome:
    """Quantize.

    Raises:
        UserError: the graph is none that can be quantized, or has no node of a name in `keep_float`.
    """
    nodes = quantizable_layers(bundle)
    unknown = sorted(set(config.keep_float) - set(nodes))
    if unknown:
        raise UserError(f"quantize.keep_float: there is no node {unknown[0]!r}; there are {', '.join(nodes[:5])}, …")
    order = np.sort(context.seeds.numpy().permutation(len(context.train.labels))[: config.crops])
    pixels = np.ascontiguousarray(np.asarray(context.train.pixels)[order])
    pixels = pixels[select_typical(bundle, pixels, config.outliers)]
    kept, notes = list(config.keep_float), dict[str, Any]()
    if config.share < 1.0:
        result = sorted(quantization_sensitivity(bundle, pixels), key=lambda pair: -pair[1])
        spared = round((1 - config.share) * len(nodes))
        kept += [name for name, _ in result if name not in kept][:spared]
        notes["sensitivity"] = dict(result)
    notes |= {"kept_float": kept, "layers": len(nodes), "crops": len(pixels), "outliers": len(order) - len(pixels)}
    if len(set(kept)) >= len(nodes):
        return PassOutcome(bundle, notes, "every layer would stay in float")
    if config.engine == "openvino":
        return PassOutcome(quantize_openvino(bundle, pixels, preset=config.preset, keep_float=kept), notes)
    return PassOutcome(quantize_onnx(bundle, pixels, method=config.method, keep_float=kept), notes)

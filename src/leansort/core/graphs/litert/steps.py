"""Whether the steps of 8 bits that layers read and make go together."""

from __future__ import annotations

from leansort.core.graphs.litert.layer import Layer
from leansort.core.graphs.litert.tflite_operators import OperatorKind
from leansort.core.graphs.litert.tflite_schema import Quantization, Tensor, TensorType

APART = 2.0**16  # how many times larger one step may be than another that it is put together with
# Steps of products over those of what is made of them: at others XNNPACK frees its memory twice.
PRODUCTS = (2.0**-31, 2.0**8)
UNIT = Quantization((1 / 256,), (-128,))  # LOGISTIC computes no others


def require_steps(layer: Layer, kind: OperatorKind, made: Tensor) -> None:
    """Refuse steps of 8 bits that LiteRT would end the process at, or take for others.

    Raises:
        UnsoundGraphError: they are such.
    """
    if made.type != TensorType.INT8:
        return
    out = _one_step(layer, made)
    read = [tensor for tensor in layer.inputs if tensor.type in (TensorType.INT8, TensorType.UINT8)]
    if kind.weighted:
        _require_products(layer, _one_step(layer, read[0]), read[1].quantization, out)
        return
    steps = [_one_step(layer, tensor) for tensor in read]
    if kind.steps == "same" and any(step != out for step in steps):
        raise layer.fault("makes steps that are not those that it reads")
    if kind.steps == "unit" and out != UNIT:
        raise layer.fault("makes steps that are not of 1/256")
    if layer.kind == "MUL":
        _require_products(layer, steps[0], steps[1], out)
        return
    sizes = [step.scales[0] for step in (*steps, out)]
    if kind.steps != "unit" and max(sizes) >= min(sizes) * APART:
        raise layer.fault(f"puts steps of {min(sizes):g} and {max(sizes):g} together")


def _require_products(layer: Layer, one: Quantization, other: Quantization | None, out: Quantization) -> None:
    """Products of two steps over a third, for which there is room in 31 bits and a shift."""
    for scale in other.scales if other else ():
        times = one.scales[0] * scale / out.scales[0]
        if not PRODUCTS[0] <= times < PRODUCTS[1]:
            raise layer.fault(f"makes steps of {out.scales[0]:g} of products of {one.scales[0] * scale:g}")


def _one_step(layer: Layer, tensor: Tensor) -> Quantization:
    if tensor.quantization is None or len(tensor.quantization.scales) != 1 or tensor.quantization.axis:
        raise layer.fault("reads or makes 8 bits without one scale")
    return tensor.quantization

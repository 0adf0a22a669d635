"""Whether a file's tables fit each other: kinds, tensors and their bytes, what goes in and what comes out."""

from __future__ import annotations

import math

from leansort.core.graphs.faults import UnsoundGraphError, quote
from leansort.core.graphs.limits import NODES, RANK, TEXT_BYTES
from leansort.core.graphs.litert.layer import elements
from leansort.core.graphs.litert.tflite_operators import KINDS, NAMES, OperatorKind
from leansort.core.graphs.litert.tflite_schema import BYTES, VERSION, Model, OperatorCode, Subgraph, Tensor, TensorType

SCALES = (1e-15, 1e15)  # of a step
_ZEROS = {TensorType.INT8: (-128, 127), TensorType.UINT8: (0, 255), TensorType.INT32: (0, 0)}


def require_tables(model: Model) -> Subgraph:
    """Refuse tables that do not fit each other, or hold what no bundle may; whether the layers fit is asked later.

    Returns:
        The one graph.

    Raises:
        UnsoundGraphError: it is otherwise.
    """
    if model.version != VERSION or len(model.subgraphs) != 1 or not model.buffers or model.buffers[0].data:
        raise UnsoundGraphError("is not one graph of LiteRT's version 3")
    (whole,) = model.subgraphs
    if max(len(whole.operators), len(model.codes)) > NODES or len(whole.tensors) > 4 * NODES:
        raise UnsoundGraphError(f"has {len(whole.operators)} layers, at most {NODES} are read")
    for code in model.codes:
        known = KINDS.get(NAMES.get(code.code, ""))
        if known is None or code not in (operator_code(known, version) for version in known.versions):
            raise UnsoundGraphError(f"has a kind of layer {code.code} that is not among those that a bundle may have")
    for tensor in whole.tensors:
        _require_tensor(model, tensor)
    return whole


def operator_code(kind: OperatorKind, version: int) -> OperatorCode:
    """How a file names a kind: older readers know numbers of 7 bits only."""
    return OperatorCode(min(kind.code, 127), version, kind.code)


def _require_tensor(model: Model, tensor: Tensor) -> None:
    where = f"has a value {quote(tensor.name)} that"
    if tensor.type not in BYTES or not 1 <= len(tensor.shape) <= RANK or min(tensor.shape) < 1:
        raise UnsoundGraphError(f"{where} is of type {tensor.type} and shape {list(tensor.shape[: RANK + 1])}")
    if not tensor.name or len(tensor.name) > TEXT_BYTES or tensor.buffer >= len(model.buffers):
        raise UnsoundGraphError(f"{where} has no name, or no bytes")
    if (
        tensor.buffer
        and len(model.buffers[tensor.buffer].data) != elements(tensor.shape) * BYTES[TensorType(tensor.type)]
    ):
        raise UnsoundGraphError(f"{where} does not have as many bytes as its shape {list(tensor.shape)} asks for")
    steps = tensor.quantization
    if steps is None:
        return
    least, most = _ZEROS.get(TensorType(tensor.type), (1, 0))
    if (
        not 0 <= steps.axis < len(tensor.shape)
        or len(steps.scales) != len(steps.zero_points)
        or len(steps.scales) not in (1, tensor.shape[steps.axis])
        or not all(math.isfinite(scale) and SCALES[0] <= scale <= SCALES[1] for scale in steps.scales)
        or not all(least <= zero <= most for zero in steps.zero_points)
    ):
        raise UnsoundGraphError(f"{where} has scales or zero points that no bundle may have")


def require_ends(whole: Subgraph, size: int, classes: int) -> None:
    """One image in, logits out, and a distance where there is one.

    Raises:
        UnsoundGraphError: it is otherwise.
    """
    ends = (*whole.inputs, *whole.outputs)
    if not all(0 <= number < len(whole.tensors) and not whole.tensors[number].buffer for number in ends):
        raise UnsoundGraphError("reads or gives a value that there is not")
    given = [(whole.tensors[number].type, whole.tensors[number].shape) for number in whole.inputs]
    if given != [(TensorType.UINT8, (1, size, size, 3))]:
        raise UnsoundGraphError(f"reads {given[:2]}, need one uint8 (1, {size}, {size}, 3)")
    made = [(whole.tensors[number].type, whole.tensors[number].shape) for number in whole.outputs]
    logits, distance = (TensorType.FLOAT32, (1, classes)), (TensorType.FLOAT32, (1, 1))
    if made not in ([logits], [logits, distance]):
        if made and made[0][0] == TensorType.FLOAT32 and len(made[0][1]) == 2 and made[0][1][1] != classes:
            raise UnsoundGraphError(f"has {made[0][1][1]} outputs, its labels are {classes}")
        raise UnsoundGraphError(
            f"gives {made[:3]}, need float logits (1, {classes}), and a distance where there is one"
        )

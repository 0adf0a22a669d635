"""Is a network in the torch format one that may be built? Asked of its header, for a robot need not have torch."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from leansort.core.errors import UserError
from leansort.core.graphs.faults import UnsoundGraphError, quote
from leansort.core.graphs.limits import HEADER_BYTES, NODES, RANK
from leansort.core.text import text_files

_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8,
    "I64": 8, "F64": 8,
}  # fmt: skip
_NOTES = "__metadata__"


def check(network: bytes) -> None:
    """Refuse a file whose tensors are not where its header says, one behind the other and nothing between.

    Args:
        network: `network.safetensors`.

    Raises:
        UnsoundGraphError: why it must not be read.
    """
    length = int.from_bytes(network[:8], "little")
    if len(network) < 8 or length > min(HEADER_BYTES, len(network) - 8):
        raise UnsoundGraphError(f"is damaged (a header of {length} bytes in a file of {len(network)})")
    try:
        header = text_files.parse_json(network[8 : 8 + length], "header")
    except UserError as error:
        raise UnsoundGraphError(f"is damaged ({error})") from None
    if not isinstance(header, dict) or not isinstance(header.pop(_NOTES, None), dict):
        raise UnsoundGraphError("is damaged (its header is no object with notes)")
    if len(header) > NODES:
        raise UnsoundGraphError(f"has {len(header)} tensors, at most {NODES} are read")
    spans = sorted(_span(name, told) for name, told in header.items())
    held = len(network) - 8 - length
    if any(before[1] != after[0] for before, after in pairwise([(0, 0), *spans, (held, held)])):
        raise UnsoundGraphError("is damaged (its tensors do not lie one behind the other)")


def _span(name: str, told: Any) -> tuple[int, int]:
    """Where a tensor's bytes are, as many as its shape asks for."""
    try:
        shape, (start, end) = [int(side) for side in told["shape"]], told["data_offsets"]
        fits = len(shape) <= RANK and min(shape, default=0) >= 0 and 0 <= start <= end
        if fits and end - start == math.prod(shape) * _BYTES[told["dtype"]]:
            return int(start), int(end)
    except (KeyError, TypeError, ValueError, OverflowError):
        pass
    raise UnsoundGraphError(f"is damaged (its tensor {quote(name)} is not what the header says)")

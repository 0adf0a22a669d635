"""LiteRT for Microcontrollers on this machine: what a graph gives there, and how much memory it takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from leansort.core.errors import LeansortError, MissingExtraError
from leansort.core.process.silence import silence_native
from leansort.core.writing.escaping import printable
from leansort.runtime.engine import Logits, Pixels

LARGEST = 1 << 28  # bytes of an arena; no microcontroller has as many
STEP = 1 << 10  # bytes that an arena is measured by


def logits_of(graph: bytes, pixels: Pixels, name: str) -> Logits:
    """Logits (n, classes) of pixels (n, size, size, 3), one image at a time.

    Args:
        graph: a sound graph in LiteRT's format.
        pixels: uint8.
        name: of the model; stands in the line that refuses it.

    Raises:
        MissingExtraError: the interpreter is not installed.
        LeansortError: it cannot run the graph.
    """
    interpreter = _require_interpreter(graph, LARGEST, name)
    rows = []
    for at in range(len(pixels)):
        rows.append(_run(interpreter, pixels[at : at + 1], name))
    return np.concatenate(rows)


def arena_bytes(graph: bytes, pixels: Pixels, name: str) -> int:
    """The smallest arena that the graph runs in here, in whole KiB.

    Args:
        graph: as of `logits_of`, which has run it.
        pixels: one image, uint8 (1, size, size, 3).
        name: as of `logits_of`.

    Raises:
        LeansortError: it runs in none.
    """
    most = STEP
    while not _fits(graph, most, pixels, name):
        if most >= LARGEST:
            raise LeansortError(f"export: {name} needs more than {LARGEST:,} bytes of memory")
        most *= 2
    least = most // 2
    while most - least > STEP:
        middle = (most + least) // 2 // STEP * STEP
        least, most = (least, middle) if _fits(graph, middle, pixels, name) else (middle, most)
    return most


def _fits(graph: bytes, size: int, pixels: Pixels, name: str) -> bool:
    try:
        _run(_require_interpreter(graph, size, name), pixels, name)
    except LeansortError:
        return False
    return True


def _require_interpreter(graph: bytes, size: int, name: str) -> Any:
    try:
        from tflite_micro.python.tflite_micro import runtime
    except ImportError:
        raise MissingExtraError("tflite_micro", "litert-micro") from None
    try:
        with silence_native():  # it tells every failure there
            return runtime.Interpreter.from_bytes(graph, arena_size=size)
    except (RuntimeError, ValueError) as error:
        raise _refusal(name, error) from None


def _run(interpreter: Any, x_bhwc: Pixels, name: str) -> Logits:
    try:
        with silence_native():
            interpreter.set_input(x_bhwc, 0)
            interpreter.invoke()
        return np.array(interpreter.get_output(0), np.float32)
    except (RuntimeError, ValueError) as error:
        raise _refusal(name, error) from None


def _refusal(name: str, error: Exception) -> LeansortError:
    text = printable(str(error))[:120]
    return LeansortError(f"export: LiteRT for Microcontrollers cannot run {name} ({text})")

"""LiteRT for Microcontrollers on this machine: what a graph gives there, and how much memory it takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from leansort.core.errors import LeansortError, MissingExtraError
from leansort.core.process.silence import withhold_lines
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import printable
from leansort.runtime.engine import Logits, Pixels

LARGEST = 1 << 28  # bytes of an arena; no microcontroller has as many
STEP = 1 << 10  # bytes that an arena is measured by
_TOTAL = re.compile(r"Arena allocation total (\d+) bytes")


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


def arena_bytes(graph: bytes, name: str) -> int:
    """Bytes of the arena that a graph runs in here, in whole KiB: what it takes of a large one, proved by running.

    Args:
        graph: as of `logits_of`, which has run it.
        name: as of `logits_of`.

    Raises:
        LeansortError: it runs in none that a microcontroller could have.
    """
    with atomic_io.scratch() as folder:
        path = folder / "model.tflite"
        atomic_io.write_bytes(path, graph)
        told = _TOTAL.search(_run_child(path, LARGEST) or "")
        size = -(-int(told[1]) // STEP) * STEP if told else LARGEST
        while size < LARGEST:
            if _run_child(path, size) is not None:
                return size
            size += STEP
    raise LeansortError(f"export: {name} needs more than {LARGEST:,} bytes of memory")


def _run_child(path: Path, size: int) -> str | None:
    """What the interpreter tells of its memory; None where the arena is too small."""
    command = [sys.executable, "-m", "leansort.export.micro.arena_child", str(path), str(size)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(item for item in sys.path if item)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return None if done.returncode else done.stdout + done.stderr


def _require_interpreter(graph: bytes, size: int, name: str) -> Any:
    try:
        from tflite_micro.python.tflite_micro import runtime
    except ImportError:
        raise MissingExtraError("tflite_micro", "litert-micro") from None
    try:
        with withhold_lines():  # it tells every failure there
            return runtime.Interpreter.from_bytes(graph, arena_size=size)
    except (RuntimeError, ValueError) as error:
        raise _refusal(name, error) from None


def _run(interpreter: Any, x_bhwc: Pixels, name: str) -> Logits:
    try:
        with withhold_lines():
            interpreter.set_input(x_bhwc, 0)
            interpreter.invoke()
        return np.array(interpreter.get_output(0), np.float32)
    except (RuntimeError, ValueError) as error:
        raise _refusal(name, error) from None


def _refusal(name: str, error: Exception) -> LeansortError:
    text = printable(str(error))[:120]
    return LeansortError(f"export: LiteRT for Microcontrollers cannot run {name} ({text})")

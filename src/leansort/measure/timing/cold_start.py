"""A program's whole life as its user sees it: from its start to its first line, and the most memory it had."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from leansort.core.errors import LeansortError
from leansort.core.text.text_files import parse_json
from leansort.measure.timing.latency import Seconds

_STARTER = str(Path(__file__).with_name("cold_start_child.py"))
_UNIT = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in


def time_cold_start(command: Sequence[str], *, times: int) -> tuple[Seconds, int]:
    """Start a program again and again.

    Args:
        command: the program and its arguments; it must print a line and end well.
        times: how often.

    Returns:
        Seconds from each start to the first line, and the most bytes of memory that any had.

    Raises:
        LeansortError: it printed nothing or failed.
    """
    indexes = [_once(command) for _ in range(times)]
    return np.array([seconds for seconds, _ in indexes]), max(peak for _, peak in indexes)


def _once(command: Sequence[str]) -> tuple[float, int]:
    done = subprocess.run([sys.executable, "-I", "-S", _STARTER, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LeansortError(f"{' '.join(command[:6])} cannot be started: {done.stderr.strip().splitlines()[-1]}")
    json = parse_json(done.stdout, "cold start")
    if not json["well"]:
        raise LeansortError(f"{' '.join(command[:6])} failed: {(json['said'] or 'no output').splitlines()[-1]}")
    return json["seconds"], json["peak"] * _UNIT

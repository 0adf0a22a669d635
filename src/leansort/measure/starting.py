"""A program's whole life as its user sees it: from its start to its first line, and the most memory it had."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np

from leansort.core.errors import LeansortError
from leansort.measure.latency import Seconds

_UNIT = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in


def to_first_line(command: Sequence[str], *, times: int) -> tuple[Seconds, int]:
    """Start a program again and again.

    Args:
        command: the program and its arguments; it must print a line and end well.
        times: how often.

    Returns:
        Seconds from each start to the first line, and the most bytes of memory that any had.

    Raises:
        LeansortError: it printed nothing or failed.
    """
    found = [_once(command) for _ in range(times)]
    return np.array([seconds for seconds, _ in found]), max(peak for _, peak in found)


def _once(command: Sequence[str]) -> tuple[float, int]:
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        seconds = time.perf_counter() - started
        process.stdout.read()
        said = process.stderr.read().decode(errors="replace").strip()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if not first or process.returncode:
        raise LeansortError(f"{' '.join(command[:6])} failed: {said.splitlines()[-1] if said else 'no output'}")
    return seconds, used.ru_maxrss * _UNIT

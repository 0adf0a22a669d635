"""A submission as the contest runs it: in a process of its own, start-up included in its time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from leansort.core.errors import LeansortError


def submit_in_process(
    bundle: Path, names: Path, out: Path, *, engine: str = "", predictions: Path | None = None
) -> list[str]:
    """Run `leansort submit` in a new process.

    Args:
        bundle: the bundle.
        names: file that lists the pictures, as `write_names` writes it.
        out: gets the submission.
        engine: that runs the graph; what suits the bundle where empty.
        predictions: gets all probabilities; None writes none.

    Returns:
        A line for each picture that could not be read.

    Raises:
        LeansortError: it failed.
    """
    command = [sys.executable, "-m", "leansort", "submit", str(bundle), "-", "--out", str(out)]
    command += ["--engine", engine] if engine else []
    command += ["--predictions", str(predictions)] if predictions else []
    with names.open("rb") as listed:
        done = subprocess.run(command, stdin=listed, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not out.exists():  # 1: some pictures could not be read
        raise LeansortError(f"submit: failed with exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    return [line for line in done.stderr.splitlines() if line.startswith("unreadable ")]

"""Runs a graph once in an arena of a size and prints what it took.

`python -m leansort.export.micro.arena_child FILE BYTES`. In a process of its own, for the interpreter ends it where an
arena is far too small.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from tflite_micro.python.tflite_micro import runtime


def main(path: str, size: str) -> None:
    """Run the graph of a file on a grey image."""
    interpreter = runtime.Interpreter.from_bytes(Path(path).read_bytes(), arena_size=int(size))
    shape = tuple(int(side) for side in interpreter.get_input_details(0)["shape"])
    interpreter.set_input(np.full(shape, 128, np.uint8), 0)
    interpreter.invoke()
    interpreter.print_allocations()


if __name__ == "__main__":
    main(*sys.argv[1:])

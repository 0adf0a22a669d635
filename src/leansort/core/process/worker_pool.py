"""Worker processes for a program that is anybody's: its main module is not imported a second time.

Python's own worker processes begin by importing the module that the program was started as. A script that calls
leansort outside of `if __name__ == "__main__":`, as scripts and notebooks do, would start itself again in each worker
and fail. What leansort's workers run lies in modules of leansort, so they need no main module at all.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from threading import Lock
from types import ModuleType
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_swap = Lock()


def map_in_processes(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    *,
    chunk: int,
    initializer: Callable[[], object] | None = None,
) -> Iterator[Result]:
    """Yield the results of a function for items, in order, computed by several processes.

    Args:
        function: of a module of leansort, so that workers can import it.
        items: its arguments; they and the results are pickled.
        workers: number of processes, at least 1.
        chunk: items that a process is given at a time.
        initializer: called once in each process; pickled, too.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=initializer) as pool:
        with _without_main():  # all processes start as the first item is handed in
            results = pool.map(function, items, chunksize=chunk)
        yield from results


@contextmanager
def _without_main() -> Iterator[None]:
    with _swap:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main

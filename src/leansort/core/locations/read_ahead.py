"""Remote photos read before it is their turn, so that the wait for one of them is not the wait for all.

Paths go through as they are, in their order; a local one costs nothing. At most `AHEAD` photos lie in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from leansort.core.locations.location import RemotePath

AHEAD = 32
_begun: dict[str, Future[bytes]] = {}


def read_ahead(paths: Iterable[Path], ahead: int = AHEAD) -> Iterator[Path]:
    """Yield the paths, while the remote ones among the next `ahead` are being read.

    Args:
        paths: may be endless; of what arrives slowly none is kept waiting for the next, if `ahead` is 0.
        ahead: how many are read at most.
    """
    waiting: deque[Path] = deque()
    pool: ThreadPoolExecutor | None = None
    try:
        for path in paths:
            if not isinstance(path, RemotePath) and not waiting:
                yield path
                continue
            if isinstance(path, RemotePath) and ahead:
                pool = pool or ThreadPoolExecutor(ahead, thread_name_prefix="read-ahead")
                _begun[str(path)] = pool.submit(path.read_bytes)
            waiting.append(path)
            while len(waiting) > ahead:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for path in waiting:  # nobody takes these any more; those that were yielded are still awaited
            if begun := _begun.pop(str(path), None):
                begun.cancel()
        if pool:
            pool.shutdown(wait=False)


def taken(path: RemotePath) -> bytes:
    """Return what was read of a path ahead, once; else read it now."""
    begun = _begun.pop(str(path), None)
    return path.read_bytes() if begun is None else begun.result()

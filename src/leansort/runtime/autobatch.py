"""Choose the number of threads and the batch size for a stream of images, by measuring them on the stream itself.

Nothing is computed twice: the first images are processed with one plan after the other, each plan is timed, and the
rest of the stream is processed with the fastest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from typing import TypeVar

BATCHES = (1, 4, 16)
ROUNDS = 2  # trials of each plan, of which the faster counts: other load can only slow a trial down
TRIAL = 48  # images of a trial, a multiple of every batch size

Given = TypeVar("Given")
Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Number of threads that decode and run, and batch size."""

    threads: int
    batch: int


def candidate_plans(threads: int, batch: int, most: int = 0) -> list[BatchPlan]:
    """List the plans to measure; a given number is kept, and 0 is replaced by the candidates for it.

    Args:
        threads: threads that decode and run; 0 tries one thread and all cores.
        batch: batch size; 0 tries those of `BATCHES`.
        most: images that fit into memory at once, over all threads; batches are no larger. 0 sets no limit.
    """
    cores = usable_cores()
    among = [threads] if threads else sorted({1, min(cores, most or cores)})
    fitting = {
        BatchPlan(item, min(entry, max(1, most // item)) if most else entry)
        for item, entry in product(among, [batch] if batch else BATCHES)
    }
    return sorted(fitting, key=lambda pace: (pace.threads, pace.batch))


def run_at_fastest(
    given: Iterator[Given], tried: list[BatchPlan], work: Callable[[Iterator[Given], BatchPlan], Iterator[Said]]
) -> Iterator[Said]:
    """Process a stream in order, with the fastest of several plans.

    Args:
        given: the stream; may be endless.
        tried: the plans to measure, at least one; a single plan is used without timing, and nothing is held back.
        work: processes a part of the stream with a plan, and yields one result for each item.

    Yields:
        The results of `work`, in the order of the stream.
    """
    best = dict.fromkeys(tried, float("inf"))
    for pace in tried * ROUNDS if len(tried) > 1 else []:
        part = list(islice(given, TRIAL))
        started = time.perf_counter()
        done = list(work(iter(part), pace))
        if len(part) == TRIAL:
            best[pace] = min(best[pace], time.perf_counter() - started)
        yield from done
    yield from work(given, min(tried, key=lambda pace: best[pace]))


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

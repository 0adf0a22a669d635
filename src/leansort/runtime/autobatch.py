"""How many threads, and how many images an engine call, suit a stream: tried on the stream itself.

Nothing is computed twice: the first images are worked off at one pace after the other, each is timed, and what is
left goes at the fastest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from typing import TypeVar

BATCHES = (1, 4, 16)
ROUNDS = 2  # of trials; the better one of each pace counts, for a machine is disturbed and never helped
TRIAL = 48  # images, a multiple of every batch

Given = TypeVar("Given")
Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Threads that decode and run, and images an engine call."""

    threads: int
    batch: int


def candidate_plans(threads: int, batch: int, most: int = 0) -> list[BatchPlan]:
    """What is tried: what is given is taken as it is, a zero stands for what is to be found.

    Args:
        threads: that decode and run, or 0.
        batch: images an engine call, or 0.
        most: images that fit into memory at once, over all threads; batches are no larger. 0: as many as you like.
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
    """Work off a stream, in order, at the fastest pace of those tried.

    Args:
        given: the stream; may be endless.
        tried: at least one; of only one, nothing is timed and nothing held back.
        work: does a part of the stream at a pace.

    Yields:
        What `work` does.
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

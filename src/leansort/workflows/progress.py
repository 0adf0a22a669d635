"""What a person sees of long work: a bar on a terminal, plain lines elsewhere; always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int, int], None]


def say(text: str) -> None:
    """Print one line for the person watching."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def bar(title: str) -> Iterator[Advance]:
    """Show progress of work that calls `advance(done, all)`."""
    if not sys.stderr.isatty():
        yield _lines(title)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _lines(title: str, every_s: float = 10.0) -> Advance:
    last = time.monotonic()

    def advance(done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= every_s:
            last = time.monotonic()
            say(f"{title}: {done}/{total}")

    return advance

"""What a person sees of long work: a bar on a terminal, plain lines elsewhere; always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from leansort.core.process.distributed import is_first_process
from leansort.core.writing.escaping import printable

Advance = Callable[[int, int], None]


_hushed: ContextVar[bool] = ContextVar("hushed", default=False)


@contextmanager
def silence_messages() -> Iterator[None]:
    """Say nothing of work that is one of many: whoever does the many says a line of each."""
    before = _hushed.set(True)
    try:
        yield
    finally:
        _hushed.reset(before)


def say(text: str) -> None:
    """Print one line for the person watching; of several processes the first one speaks."""
    if is_first_process() and not _hushed.get():
        print(printable(text), file=sys.stderr, flush=True)


def shows_bars() -> bool:
    """Whether a person watches a terminal that bars may be drawn on."""
    return not _hushed.get() and sys.stderr.isatty() and is_first_process()


@contextmanager
def bar(title: str) -> Iterator[Advance]:
    """Show progress of work that calls `advance(done, all)`."""
    if not shows_bars():
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

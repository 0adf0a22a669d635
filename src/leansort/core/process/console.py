"""What a person sees of long work: a bar on a terminal, plain lines elsewhere; always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from leansort.core.process.distributed import is_first_process
from leansort.core.text.escaping import printable

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


@contextmanager
def bar(title: str) -> Iterator[Advance]:
    """Show progress of work that calls `advance(done, all)`."""
    if _hushed.get() or not (sys.stderr.isatty() and is_first_process()):
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


@contextmanager
def epochs(
    total: int,
) -> Iterator[tuple[Callable[[int, int, int, float], None] | None, Callable[[dict[str, Any]], None]]]:
    """Show a training: a bar below the epochs' lines on a terminal, the lines alone elsewhere.

    Yields:
        What to call with (epoch, batch, batches, mean loss), None where nobody sees it, and with each record.
    """
    records: list[dict[str, Any]] = []

    def line(record: dict[str, Any]) -> str:
        records.append(record)
        seconds = [item["seconds"] for item in records]
        left = sum(seconds) / len(seconds) * (total - record["epoch"])
        judged = f"  val macro-F1 {record['val_macro_f1']:.4f}" if "val_macro_f1" in record else ""
        flipped = f" (flipped {record['val_macro_f1_tta']:.4f})" if "val_macro_f1_tta" in record else ""
        return (
            f"epoch {record['epoch']}/{total}  loss {record['loss']:.3f}{judged}"
            f"{flipped}  {record['images_per_s']:.0f} images/s  {left / 60:.1f} min left"
        )

    if _hushed.get() or not (sys.stderr.isatty() and is_first_process()):
        yield None, lambda record: say(line(record))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=None)

        def on_step(epoch: int, done: int, batches: int, loss: float) -> None:
            shown.update(task, completed=done, total=batches, description=f"epoch {epoch}  loss {loss:.3f}")

        yield on_step, lambda record: shown.console.print(line(record), highlight=False)

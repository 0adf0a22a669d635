"""What follows a training: progress bars, trackers, the pruning of a search's trials, tests. There is one kind of it.

A callback never throws to end a training: it returns a reason from `should_stop`, and the loop ends by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

EpochRecord = dict[str, float]


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """Where a training stands within an epoch.

    Attributes:
        epoch: the epoch under way, from 1.
        batch: batches of it that are done, from 1.
        batches: batches of the whole epoch.
        loss: mean training loss of the epoch so far.
    """

    epoch: int
    batch: int
    batches: int
    loss: float


class TrainingCallback:
    """Follows one training; every method does nothing unless it is overridden.

    The loop calls `open` once, then `on_step`, `on_epoch` and `should_stop` in the order of events, and `close` once,
    however the training ended. All calls come from the thread that trains, of the first process alone where there are
    several. What a callback is given it leaves as it is. Nothing that it does may draw random numbers from PyTorch's
    global generator: a training gives the same weights whoever follows it.
    """

    def open(self) -> None:
        """Begin; called right before the first step, once everything that can be wrong with the job was looked at.

        Raises:
            UserError: it cannot begin as things are; the training then does not begin either.
        """

    def on_step(self, step: TrainingStep) -> None:
        """Take in the state within an epoch; called twice a second at most, after a batch."""

    def on_epoch(self, record: EpochRecord) -> None:
        """Take in a finished epoch, after the model, the checkpoint and `metrics.jsonl` were written.

        Args:
            record: numbers by name: `epoch` (from 1), `loss`, `lr`, `val_macro_f1`, `val_macro_f1_tta` where test-time
                augmentation is on, `images_per_s`, `waited` (the fraction of the time spent waiting for data),
                `seconds`.
        """

    def should_stop(self) -> str | None:
        """Return why the training ends with the epoch that was just taken in; None where it goes on."""
        return None

    def close(self, *, failed: bool) -> None:
        """End.

        Args:
            failed: whether the training was interrupted or raised an error.
        """


class Tracker(TrainingCallback):
    """A callback that sends a run elsewhere, found by the name of its file in `trackers/` or of its entry point.

    The run's own record is `metrics.jsonl`; a tracker is a copy for people, so its errors are said once and end
    nothing, save those of `open`. A run that is gone on with is opened again with the same arguments.

    Args:
        run: names the run.
        folder: of the run; may be written to.
        recipe: the resolved recipe as plain data.
    """

    def __init__(self, run: str, folder: Path, recipe: dict[str, Any]) -> None:
        self.run, self.folder, self.recipe = run, folder, recipe


class CallbackList(TrainingCallback):
    """Several callbacks as one; the first reason to stop counts.

    Args:
        callbacks: called in this order, closed in the opposite one.
    """

    def __init__(self, callbacks: Sequence[TrainingCallback]) -> None:
        self._callbacks = tuple(callbacks)

    def on_step(self, step: TrainingStep) -> None:
        """Pass the state on."""
        for callback in self._callbacks:
            callback.on_step(step)

    def on_epoch(self, record: EpochRecord) -> None:
        """Pass the record on."""
        for callback in self._callbacks:
            callback.on_epoch(record)

    def should_stop(self) -> str | None:
        """Ask every callback, so that none misses an epoch; return the first reason."""
        reasons = [callback.should_stop() for callback in self._callbacks]
        return next((reason for reason in reasons if reason is not None), None)


class WithoutValScores(TrainingCallback):
    """Hides the val scores from a callback, for trainings on val itself, where they mean nothing.

    Args:
        inner: gets every record without the numbers whose names begin with `val_`.
    """

    def __init__(self, inner: TrainingCallback) -> None:
        self._inner = inner

    def open(self) -> None:
        """Begin."""
        self._inner.open()

    def on_step(self, step: TrainingStep) -> None:
        """Pass the state on; its loss is that of training."""
        self._inner.on_step(step)

    def on_epoch(self, record: EpochRecord) -> None:
        """Pass the other numbers on."""
        self._inner.on_epoch({name: value for name, value in record.items() if not name.startswith("val_")})

    def should_stop(self) -> str | None:
        """Ask."""
        return self._inner.should_stop()

    def close(self, *, failed: bool) -> None:
        """End."""
        self._inner.close(failed=failed)


@contextmanager
def opened(callbacks: Sequence[TrainingCallback]) -> Iterator[CallbackList]:
    """Open callbacks for one training; each that was opened is closed, however it ends."""
    with ExitStack() as stack:
        for callback in callbacks:
            callback.open()
            stack.push(partial(_close, callback))
        yield CallbackList(callbacks)


def _close(callback: TrainingCallback, error: type[BaseException] | None, *_: object) -> bool:
    callback.close(failed=error is not None)
    return False  # the error, if any, goes on

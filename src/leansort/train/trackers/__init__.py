"""Where else a run's epochs go: one file a tracker, found by its name, with a class derived from `Tracker`.

The run's own record is `metrics.jsonl`; a tracker is a copy for people. So one that cannot be opened is said before
training begins, and one that fails on the way is said once and does not stop the training.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from leansort.core import plugins
from leansort.core.errors import LeansortError, MissingExtraError, UserError, one_line
from leansort.core.files.typed_result import JsonObject
from leansort.core.process.console import say
from leansort.core.run_folder import TrainingFolder
from leansort.train.callbacks import EpochRecord, Tracker, TrainingCallback, TrainingStep

T = TypeVar("T")


def library(module: str, extra: str) -> ModuleType:
    """Import a tracker's library.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError(module, extra) from None


def read_run_id(folder: Path, tracker: str) -> str | None:
    """A tracker's name for the run that it was opened for in `folder` before; None where it was not."""
    result = _kept_ids(folder).get(tracker)
    return None if result is None else str(result)


def write_run_id(folder: Path, tracker: str, name: str) -> None:
    """Write what `read_run_id` reads."""
    TrainingFolder(folder).trackers.write({**_kept_ids(folder), tracker: name})


def _kept_ids(folder: Path) -> JsonObject:
    return TrainingFolder(folder).trackers.read_if_there(JsonObject, "tracker") or {}


def tracker_class(name: str) -> type[Tracker]:
    """Find a tracker.

    Raises:
        UserError: there is no such tracker, or its file is wrong.
        MissingExtraError: its library is not installed.
    """
    return plugins.load("trackers", name, Tracker)


def follow(name: str, run: str, folder: Path, recipe: dict[str, Any]) -> list[TrainingCallback]:
    """Return the tracker of a run, which begins when the training does; nothing where `name` is empty.

    Args:
        name: of the tracker.
        run: names the run.
        folder: the run's own.
        recipe: the resolved recipe.

    Raises:
        UserError: there is no such tracker, or its file is wrong.
        MissingExtraError: its library is not installed.
    """
    return [HarmlessTracker(name, tracker_class(name)(run, folder, recipe))] if name else []


class HarmlessTracker(TrainingCallback):
    """A tracker whose failures on the way are said once and do no harm.

    Args:
        name: of the tracker.
        inner: the tracker.
    """

    def __init__(self, name: str, inner: Tracker) -> None:
        self._name, self._inner, self._failed = name, inner, False

    def open(self) -> None:
        """Begin.

        Raises:
            UserError: the tracker cannot be opened as things are.
        """
        self._inner.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._inner.open()
        except LeansortError:
            raise
        except Exception as error:  # of a library that somebody else's tracker rests on
            raise UserError(f"tracker {self._name}: {_line(error)}") from error

    def on_step(self, step: TrainingStep) -> None:
        """Pass the state on."""
        self._try(lambda: self._inner.on_step(step))

    def on_epoch(self, record: EpochRecord) -> None:
        """Pass a copy of the record on."""
        self._try(lambda: self._inner.on_epoch(dict(record)))

    def should_stop(self) -> str | None:
        """Ask; a tracker that fails lets the training go on."""
        return self._try(self._inner.should_stop)

    def close(self, *, failed: bool) -> None:
        """End."""
        self._try(lambda: self._inner.close(failed=failed))

    def _try(self, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except Exception as error:  # a training of hours does not end for the sake of a copy of its numbers
            if not self._failed:
                say(f"warning: {self._name}: {_line(error)}; training goes on, metrics.jsonl has every epoch")
            self._failed = True
            return None


def _line(error: Exception) -> str:
    kind = "" if isinstance(error, LeansortError) else f"{type(error).__name__}: "
    return kind + one_line(error)

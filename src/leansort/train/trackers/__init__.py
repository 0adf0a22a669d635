"""Where else a run's epochs go: one file a tracker, found by its name, each with an `open`.

The run's own record is `metrics.jsonl`; a tracker is a copy for people. So one that cannot be opened is said before
training begins, and one that fails on the way is said once and does not stop the training.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from leansort.core import plugins
from leansort.core.errors import LeansortError, MissingExtraError
from leansort.core.files import atomic_io, json_documents
from leansort.core.process.distributed import is_first_process

Say = Callable[[str], None]


class Tracker(Protocol):
    """Follows one run; each file of this folder has `open(run, folder, recipe) -> Tracker`.

    `run` names the run, `folder` is the run's own and may be written to, `recipe` is plain data and stays as it is.
    `open` goes on with the run that the same folder was opened for before, if it was. A tracker is used by one thread
    of one process; it gets the records in order, leaves them as they are, and raises LeansortError alone.
    """

    def __call__(self, record: dict[str, Any]) -> None:
        """Take an epoch's record: numbers by name, `epoch` among them."""
        ...

    def close(self, *, failed: bool) -> None:
        """End the run; called once, whatever happened, and after it nothing else."""
        ...


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
    """Write what `kept_id` reads."""
    atomic_io.write_json(folder / "tracked.json", {**_kept_ids(folder), tracker: name})


def _kept_ids(folder: Path) -> dict[str, Any]:
    path = folder / "tracked.json"
    return json_documents.read(path, dict[str, Any], "tracker") if path.exists() else {}


@contextmanager
def open_tracker(name: str, run: str, folder: Path, recipe: dict[str, Any], say: Say) -> Iterator[list[Tracker]]:
    """Open a tracker for a run and close it afterwards.

    Args:
        name: of the tracker; empty for none.
        run: names the run.
        folder: the run's own.
        recipe: the resolved recipe.
        say: told when a record could not be tracked.

    Yields:
        The tracker, or nothing where there is none, or where another process follows the run.

    Raises:
        UserError: no such tracker, or it cannot be opened as things are.
        MissingExtraError: its library is not installed.
    """
    if not name or not is_first_process():
        yield []
        return
    folder.mkdir(parents=True, exist_ok=True)
    tracker = _Patient(name, plugins.load("trackers", name).open(run, folder, recipe), say)
    failed = True
    try:
        yield [tracker]
        failed = False
    finally:
        tracker.close(failed=failed)


class _Patient:
    """A tracker whose failures are said once and do no harm."""

    def __init__(self, name: str, inner: Tracker, say: Say) -> None:
        self._name, self._inner, self._say = name, inner, say

    def __call__(self, record: dict[str, Any]) -> None:
        self._try(lambda: self._inner(dict(record)))

    def close(self, *, failed: bool) -> None:
        self._try(lambda: self._inner.close(failed=failed))

    def _try(self, call: Callable[[], None]) -> None:
        try:
            call()
        except LeansortError as error:
            self._say(f"warning: {self._name}: {error}; training goes on, metrics.jsonl has every epoch")
            self._say = lambda _: None

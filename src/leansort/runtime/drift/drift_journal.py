"""A watch that survives its process: every photo is logged before it counts, and a new process goes on from the log.

The folder holds three files of lines that only grow, and a checkpoint, written whole every so many photos. A process
that begins reads the checkpoint and then the lines behind it; so memory and start-up do not grow with the log. A line
that a kill cut short is named and taken off, as its photo was never counted.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

from filelock import BaseFileLock
from pydantic import Field, JsonValue

from leansort.core.bundle import Bundle
from leansort.core.errors import MachineError, UserError
from leansort.core.files.bundle_reference import MOST_CLASSES
from leansort.core.files.typed_result import TypedResult
from leansort.core.process.console import say
from leansort.core.run_folder import WatchFolder
from leansort.core.text.text_files import parse_json
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import json_text, printable
from leansort.core.writing.file_lock import take_lock
from leansort.runtime.drift.drift_status import DriftAlarm, DriftSettings, DriftState, alarm_record
from leansort.runtime.drift.drift_watch import DriftWatch
from leansort.runtime.drift.prediction_lines import Record, parse_prediction, prediction_record
from leansort.runtime.predictor import Prediction

CHECKPOINT_EVERY = 500  # photos
STATE_EVERY = 25
WHAT = "watch"


class DriftCheckpoint(TypedResult):
    """What is written whole.

    Attributes:
        reference: digest of the bundle's reference, labels and settings: what a state means.
        bytes: length of the log of photos that the state rests on.
        source: what the photos come from, as the caller names it; empty where they come one by one.
        state: all that the watch knew.
    """

    reference: str
    bytes: int = Field(ge=0)
    source: str
    state: DriftState


class DriftJournal:
    """A `DriftWatch` with its log. Safe to use from several threads at once.

    Attributes:
        watch: the watch itself.
        folder: where it is logged.
        last: the last record of the log; None of a log that is empty, and where a checkpoint left nothing to read.
        resumed: number of photos that were there already, those that could not be classified included.
    """

    def __init__(self, folder: WatchFolder, watch: DriftWatch, key: str, source: str, lock: BaseFileLock) -> None:
        self.folder, self.watch = folder, watch
        self.last: Record | None = None
        self._key, self._source, self._lock = key, source, lock
        self._guard = threading.Lock()
        self._listeners: list[Callable[[DriftAlarm], None]] = []
        self._raised = {(str(item.get("statistic")), str(item.get("level"))) for item in lines_of(folder.alarms)}
        self._stated = max((int(str(item.get("photo", 0))) for item in lines_of(folder.states)), default=-1)
        self._resume()
        self.resumed = watch.photos + watch.unreadable
        self._file = folder.photos.open("ab")
        self._checkpoint()
        self._is_open = True

    @classmethod
    def open(
        cls, path: Path, bundle: Bundle, settings: DriftSettings | None = None, *, source: str = ""
    ) -> DriftJournal:
        """Begin a watch, or go on with one.

        Args:
            path: the folder; made where missing.
            bundle: whose reference tells drift.
            settings: the alarms' rates and so on.
            source: names what the photos come from; a watch of another source is not gone on with.

        Raises:
            UserError: the bundle has no reference; another process watches into the folder; the folder's watch is of
                another bundle, other settings or another source, or what it holds is no watch.
            MachineError: the folder cannot be written.
        """
        reference, folder = bundle.meta.reference, WatchFolder(path)
        if reference is None:
            raise UserError(
                f"{WHAT}: the bundle {bundle.meta.name!r} holds no reference of val photos: it was made before there "
                f"was one, on too few photos, or for more than {MOST_CLASSES} classes; make it anew, or name photos "
                "that it was not trained on, with labels: --reference FOLDER"
            )
        watch = DriftWatch(reference, bundle.meta.labels, settings)
        if not folder.checkpoint.exists() and _holds_others(folder):
            raise UserError(f"{WHAT}: {path} is there already and holds no watch; name another folder")
        lock = take_lock(folder.lock, f"{WHAT}: another process watches into {path}; name another folder")
        try:
            key = atomic_io.digest([reference.model_dump(mode="json"), list(bundle.meta.labels), repr(watch.settings)])
            return cls(folder, watch, key, source, lock)
        except BaseException:
            lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_alarm(self, listener: Callable[[DriftAlarm], None]) -> None:
        """Call a function with each alarm that is raised from now on."""
        self._listeners.append(listener)

    def observe(self, image: str, prediction: Prediction, extra: Mapping[str, JsonValue] | None = None) -> None:
        """Log the prediction for one photo, then take it in.

        Args:
            image: the photo's name; its number where empty.
            prediction: for the photo.
            extra: what else its line is to hold.

        Raises:
            MachineError: the log cannot be written.
        """
        with self._guard:
            number = self.watch.photos + self.watch.unreadable + 1
            image = image or f"photo {number}"
            record = {**prediction_record(image, prediction, self.watch.labels), **(extra or {})}
            self._append(record)
            self.last = record
            # As it will be read back: so that a watch that is gone on with is the same to the last digit.
            self._take_in(*parse_prediction(json_text(record), self.watch.labels, WHAT)[:2])
            if number % CHECKPOINT_EVERY == 0:
                self._checkpoint()

    def close(self) -> None:
        """Write the last state and give the folder free."""
        with self._guard:
            if self._is_open:
                self._is_open = False
                self._state()
                self._checkpoint()
                self._file.close()
                self._lock.release()

    def _take_in(self, image: str, prediction: Prediction) -> None:
        for alarm in self.watch.observe(prediction, image):
            if (alarm.statistic, alarm.level) not in self._raised:
                self._raised.add((alarm.statistic, alarm.level))
                append_line(self.folder.alarms, alarm_record(alarm))
                for listener in self._listeners:
                    listener(alarm)
        if self.watch.photos % STATE_EVERY == 0 and not prediction.error:
            self._state()

    def _state(self) -> None:
        if self.watch.photos <= self._stated:
            return
        self._stated = self.watch.photos
        status = self.watch.status(margins=False)
        append_line(
            self.folder.states,
            {
                "photo": status.photos,
                "unreadable": status.unreadable,
                "level": status.level,
                "evidence": {item.name: float(f"{item.evidence:.6g}") for item in status.statistics},
                "recent": {item.name: round(item.recent, 6) for item in status.statistics if item.recent is not None},
                "shares": {item.name: round(item.corrected, 6) for item in status.shares},
                "counted": {item.name: round(item.counted, 6) for item in status.shares},
            },
        )

    def _append(self, record: Record) -> None:
        try:
            self._file.write((json_text(record) + "\n").encode("utf-8", "backslashreplace"))
            self._file.flush()
        except OSError as error:
            raise MachineError(f"cannot write {self.folder.photos}: {error.strerror or error}") from None

    def _checkpoint(self) -> None:
        self._file.flush()
        written = DriftCheckpoint(
            reference=self._key,
            bytes=self.folder.photos.stat().st_size,
            source=self._source,
            state=self.watch.state(),
        )
        self.folder.checkpoint.write(written)

    def _resume(self) -> None:
        """Go on from the checkpoint, then from the lines behind it."""
        kept = self.folder.checkpoint.read_if_there(DriftCheckpoint, WHAT)
        path = self.folder.photos
        if kept is None:
            return
        if kept.reference != self._key:
            raise UserError(
                f"{WHAT}: {path.parent} watches another bundle, or with other settings; name another folder"
            )
        if kept.source != self._source:
            raise UserError(
                f"{WHAT}: {path.parent} watches {kept.source or 'photos one by one'}, this is "
                f"{self._source or 'photos one by one'}; name another folder"
            )
        take_off_cut_line(path)
        if (size := path.stat().st_size if path.exists() else 0) < kept.bytes:
            raise UserError(
                f"{WHAT}: {path} has {size:,} bytes, its checkpoint rests on {kept.bytes:,}; it was changed"
            )
        self.watch.restore(kept.state)
        for number, line in enumerate(_lines_behind(path, kept.bytes), 1):
            where = f"{WHAT}: {path}: line {number} behind the checkpoint"
            image, prediction, self.last = parse_prediction(line, self.watch.labels, where)
            self._take_in(image, prediction)


def _holds_others(folder: WatchFolder) -> bool:
    """Whether there is more than a watch leaves that was killed before it had begun."""
    begun = {folder.lock.name, folder.photos.name}
    there = {item.name for item in folder.path.iterdir()} if folder.path.is_dir() else set()
    return bool(there - begun) or (folder.photos.exists() and folder.photos.stat().st_size > 0)


def lines_of(path: Path) -> Iterator[Record]:
    """The records of a file of lines that a process may have been killed at; a cut line at its end is taken off.

    Raises:
        UserError: a line within it is no JSON object.
    """
    take_off_cut_line(path)
    for number, line in enumerate(_lines_behind(path, 0), 1):
        tree = parse_json(line, f"{WHAT}: {path}: line {number}")
        if not isinstance(tree, dict):
            raise UserError(f"{WHAT}: {path}: line {number}: need an object")
        yield tree


def append_line(path: Path, record: Mapping[str, JsonValue]) -> None:
    """Add a line to a file.

    Raises:
        MachineError: it cannot be written.
    """
    try:
        with path.open("ab") as file:
            file.write((json_text(record) + "\n").encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise MachineError(f"cannot write {path}: {error.strerror or error}") from None


def take_off_cut_line(path: Path) -> None:
    """Shorten a file of lines to its last whole one, and say so; a line of which no end was written never counted."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        size = at = file.seek(0, os.SEEK_END)
        tail = b""
        while at and b"\n" not in tail:
            step = min(at, 1 << 16)
            at -= step
            file.seek(at)
            tail = file.read(step) + tail
        whole = at + tail.rfind(b"\n") + 1
        if whole < size:
            cut = tail[whole - at :].decode("utf-8", "replace")
            say(printable(f"warning: {path}: its last line was cut short and is taken off: {cut[:60]}"))
            file.truncate(whole)


def _lines_behind(path: Path, start: int) -> Iterator[str]:
    if not path.is_file():
        return
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if line.strip():
                yield line.decode("utf-8", "replace")

"""The stages of a job as a graph: each is begun when those that it waits for are finished, and done once.

The record of every stage is written as its state changes, so a process that is killed leaves behind what it was doing.
The next one takes what is done from the folder, as long as the stage rests on the same and its files are as they were.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from leansort.core.errors import LeansortError, one_line
from leansort.core.process.console import say
from leansort.core.run_folder import RunFolder
from leansort.core.writing import atomic_io
from leansort.core.writing.file_lock import take_lock
from leansort.workflows.stages.stage_record import FINISHED, StageList, StageRecord


@dataclass(frozen=True)
class PlannedStage:
    """A stage that is going to be done.

    Attributes:
        name: of the stage.
        waits_for: names of the stages that have to be finished before it.
    """

    name: str
    waits_for: tuple[str, ...] = ()


def in_turn(*names: str) -> list[PlannedStage]:
    """Plan stages of which each waits for the one before it."""
    return [PlannedStage(name, names[max(0, at - 1) : at]) for at, name in enumerate(names)]


class StageGraph:
    """The stages of the job in a folder.

    Attributes:
        folder: of the job.
        command: that does it.
    """

    def __init__(self, folder: RunFolder, command: str) -> None:
        """Take up what an earlier process wrote down."""
        self.folder, self.command = folder, command
        kept = folder.stages.read_if_there(StageList, "stages")
        self._kept = {record.name: record for record in kept.stages} if kept else {}
        self._records: dict[str, StageRecord] = {}
        for name, record in self._kept.items():
            if record.state == "running":  # its process was killed; what it took counts all the same
                spent = max(0.0, _last_change(folder.path) - record.began)
                self._kept[name] = record.model_copy(update={"state": "waiting", "seconds": record.seconds + spent})
            elif record.state == "skipped":  # whether it still has to be, this process decides
                self._kept[name] = record.model_copy(update={"state": "waiting", "note": ""})

    @property
    def seconds(self) -> float:
        """What all stages took so far, those of earlier processes included."""
        running = sum(time.time() - record.began for record in self._records.values() if record.state == "running")
        return running + sum(record.seconds for record in self._records.values())

    @property
    def skipped(self) -> dict[str, str]:
        """Why stages were left out, by name."""
        return {name: record.note for name, record in self._records.items() if record.state == "skipped"}

    def __getitem__(self, name: str) -> StageRecord:
        """Return the record of a stage that was planned."""
        return self._records[name]

    def plan(self, stages: Sequence[PlannedStage]) -> None:
        """Add stages; what is known of them from earlier processes is kept.

        Raises:
            LeansortError: a stage waits for one that is not planned.
        """
        for stage in stages:
            unknown = [name for name in stage.waits_for if name not in self._records]
            if unknown:
                raise LeansortError(f"stage {stage.name}: waits for {unknown[0]!r}, which is not planned")
            known = self._records.pop(stage.name, None) or self._kept.get(stage.name) or StageRecord(name=stage.name)
            self._records[stage.name] = known.model_copy(update={"waits_for": stage.waits_for})
        self._write()

    def finished(self, name: str) -> bool:
        """Whether a stage is done or skipped."""
        return self._records[name].state in FINISHED

    def skip(self, name: str, why: str) -> None:
        """Leave a stage out, and say so by name."""
        say(f"stage {name}: skipped: {why}")
        self._change(name, state="skipped", note=why, key="", outputs={})

    def note(self, name: str, text: str) -> None:
        """Write down what a stage came to."""
        self._change(name, note=text)

    @contextmanager
    def stage(self, name: str, key: str = "") -> Iterator[None]:
        """Do a stage inside a `with` block.

        Args:
            name: of the stage.
            key: digest of all that it rests on; empty where the work itself knows what of it is done.

        Raises:
            LeansortError: a stage that it waits for is not finished.
        """
        record = self._records[name]
        waiting = [other for other in record.waits_for if not self.finished(other)]
        if waiting:
            raise LeansortError(f"stage {name}: waits for {', '.join(waiting)}")
        began = time.time()
        self._change(name, state="running", began=began, note="", key=key, outputs={})
        try:
            yield
        except BaseException as error:
            known = isinstance(error, LeansortError)
            why = one_line(error) if known else f"stopped ({type(error).__name__})"
            state = "failed" if known else "waiting"
            self._change(name, state=state, note=why, seconds=record.seconds + time.time() - began)
            raise
        self._change(name, state="done", seconds=record.seconds + time.time() - began)

    def do(
        self,
        name: str,
        rests_on: object,
        outputs: Sequence[Path],
        work: Callable[[], object],
        clear: Path | None = None,
    ) -> bool:
        """Do a stage unless it is done already, with the same foundations and its files as they were.

        Args:
            name: of the stage.
            rests_on: plain data that decide what comes out.
            outputs: files that the work leaves.
            work: does it, or goes on with what it finds there.
            clear: folder that is removed where it was begun on other foundations.

        Returns:
            Whether anything was done.

        Raises:
            LeansortError: the work failed, or a stage that it waits for is not finished.
        """
        key, record = atomic_io.digest([name, rests_on]), self._records[name]
        if record.state == "done" and record.key == key and record.outputs == self._hashes(outputs):
            say(f"stage {name}: done before" + (f"; {record.note}" if record.note else ""))
            return False
        if clear is not None and record.key not in ("", key):
            shutil.rmtree(clear, ignore_errors=True)
        say(f"stage {name}:")
        with self.stage(name, key):
            work()
        self._change(name, outputs=self._hashes(outputs))
        return True

    def _hashes(self, paths: Sequence[Path]) -> dict[str, str]:
        there = [path for path in paths if path.is_file()]
        root = self.folder.path
        return {path.relative_to(root).as_posix(): atomic_io.sha256(path.read_bytes()) for path in there}

    def _change(self, name: str, **values: object) -> None:
        self._records[name] = self._records[name].model_copy(update=values)
        self._write()

    def _write(self) -> None:
        self.folder.stages.write(StageList(command=self.command, stages=tuple(self._records.values())))


@contextmanager
def open_stages(folder: RunFolder, command: str, stages: Sequence[PlannedStage] = ()) -> Iterator[StageGraph]:
    """Open the stages of a job's folder, which no other process may work on meanwhile.

    Args:
        folder: of the job; it is there already.
        command: that does it.
        stages: that are known from the start.

    Raises:
        UserError: another process works on the folder.
    """
    lock = take_lock(folder.stages_lock, f"{command}: another process works on {folder.path}; wait for it or stop it")
    try:
        graph = StageGraph(folder, command)
        graph.plan(stages)
        yield graph
    finally:
        lock.release()


def _last_change(folder: Path) -> float:
    """When a file below a folder was written last, in seconds since 1970; 0 where there is none."""
    return max((path.stat().st_mtime for path in folder.rglob("*") if path.is_file()), default=0.0)

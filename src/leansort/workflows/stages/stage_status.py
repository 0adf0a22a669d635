"""`leansort status`: where the job in a folder stands."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from leansort.core.errors import UserError
from leansort.core.files.typed_result import TypedResult
from leansort.core.run_folder import RunFolder
from leansort.core.text.columns import align_columns
from leansort.core.writing.escaping import printable
from leansort.workflows.stages.stage_record import FINISHED, StageList, StageRecord

_MARKS = {"done": "+", "running": ">", "waiting": ".", "skipped": "-", "failed": "!", "interrupted": "x"}


class StageStatus(TypedResult):
    """Where a stage stands.

    Attributes:
        name: of the stage.
        state: `waiting`, `running`, `interrupted` (its process ended; the same command goes on), `done`, `skipped` or
            `failed`.
        seconds: that it took so far; of a stage under way what it took before it was begun last.
        began: when it was begun last, in seconds since 1970; 0 while it was not.
        waits_for: names of the stages that it waits for and that are not finished.
        after: names of all stages that have to be finished before it.
        note: what it came to, or why it was skipped or failed.
    """

    name: str
    state: Literal["waiting", "running", "interrupted", "done", "skipped", "failed"]
    seconds: float
    began: float
    waits_for: tuple[str, ...]
    after: tuple[str, ...]
    note: str


class StatusResult(TypedResult):
    """What `leansort status` tells.

    Attributes:
        folder: of the job.
        command: that does it.
        working: whether a process works on it now.
        stages: in the order in which they were planned.
    """

    folder: str
    command: str
    working: bool
    stages: tuple[StageStatus, ...]

    def headline(self) -> dict[str, str]:
        """Return whether the job is under way, and each stage in a line."""
        done = sum(stage.state in FINISHED for stage in self.stages)
        told = {stage.name: f"{stage.state} {stage.note}".rstrip() for stage in self.stages}
        return {"job": f"leansort {self.command}, {done} of {len(self.stages)} stages finished", **told}


def read_status(run: Path) -> StatusResult:
    """Read where the job in a folder stands.

    Args:
        run: folder of `leansort run` or `leansort solve`.

    Raises:
        UserError: no job was begun there.
        IntegrityError: what was written down was changed.
    """
    folder = RunFolder(run)
    if not folder.stages.exists():
        raise UserError(f"status: {run} holds no job: {folder.stages} is not there; name the --out of run or solve")
    listed, working = folder.stages.read(StageList, "status"), _is_held(folder.stages_lock)
    finished = {record.name for record in listed.stages if record.state in FINISHED}
    stages = tuple(_status(record, finished, working) for record in listed.stages)
    return StatusResult(folder=str(run), command=listed.command, working=working, stages=stages)


def _status(record: StageRecord, finished: set[str], working: bool) -> StageStatus:
    return StageStatus(
        name=record.name,
        state="interrupted" if record.state == "running" and not working else record.state,
        seconds=record.seconds,
        began=record.began,
        waits_for=tuple(name for name in record.waits_for if name not in finished),
        after=record.waits_for,
        note=record.note,
    )


def _is_held(path: Path) -> bool:
    """Whether a process holds a lock."""
    if not path.exists():
        return False
    lock = FileLock(path, fallback_to_soft=False, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:  # a folder that may only be read: whoever works on it is not to be seen
        return False
    lock.release()
    return False


def status_text(status: StatusResult) -> str:
    """Draw the graph: a line a stage, indented by what it waits for."""
    depth: dict[str, int] = {}
    rows = [("", "stage", "state", "time", "waits for", "")]
    for stage in status.stages:
        depth[stage.name] = max((depth.get(name, 0) + 1 for name in stage.after), default=0)
        lead = "  " * depth[stage.name] + ("└ " if depth[stage.name] else "")
        waits = ", ".join(stage.waits_for) if stage.state not in FINISHED else ""
        row = (_MARKS[stage.state], lead + stage.name, stage.state, _duration(stage), waits, stage.note)
        rows.append(row)
    done = sum(stage.state in FINISHED for stage in status.stages)
    state = "a process works on it" if status.working else "no process works on it"
    head = f"leansort {status.command} in {status.folder}: {done} of {len(status.stages)} stages finished, {state}"
    return printable(head) + "\n" + align_columns([tuple(map(printable, row)) for row in rows], left=6)


def _duration(stage: StageStatus) -> str:
    if not stage.seconds:
        return ""
    unit, divisor = ("s", 1) if stage.seconds < 120 else ("min", 60) if stage.seconds < 7200 else ("h", 3600)
    return f"{stage.seconds / divisor:.1f} {unit}"

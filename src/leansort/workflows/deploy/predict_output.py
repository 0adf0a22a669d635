"""Where the lines of `leansort predict` go, and what is left of them where an engine takes the process down."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from leansort.core.bundle import Bundle
from leansort.core.errors import EngineError, LeansortError, MachineError
from leansort.core.locations.location import is_remote
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import printable
from leansort.runtime.call_board import CallBoard
from leansort.workflows.deploy import supervised_prediction
from leansort.workflows.deploy.supervised_prediction import Ended


def written(opened: Bundle, board: CallBoard | None, work: Callable[[TextIO], int], out: Path | None) -> int:
    """Do work that writes lines: to standard output, or to a file that takes the place of `out` at the end.

    Args:
        opened: the bundle that is run.
        board: where the work notes what it does, as a child process; None does it here.
        work: writes to what it is given.
        out: the file; None is standard output.

    Returns:
        What the work gives.

    Raises:
        EngineError: the engine took the child down before there was a line.
        LeansortError: it did so later, or a store of photos refused; the lines are in `out` with `.part` behind its
            name.
    """
    if out is None:
        return _watched(opened, board, lambda: work(sys.stdout), None)
    with _beside(out) as temporary:
        return _watched(opened, board, lambda: _work_into(temporary, work, out), (temporary, out))


def _work_into(temporary: Path, work: Callable[[TextIO], int], out: Path) -> int:
    """Work into a file; where the store of the photos fails half-way, its lines are kept."""
    try:
        with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            return work(file)
    except MachineError as error:
        if not temporary.stat().st_size:
            raise
        raise MachineError(f"{error}; the lines that are done are in {_kept_part(temporary, out)}") from error


def _kept_part(temporary: Path, out: Path) -> str:
    """Copy what was written beside the output file; in the current folder where that lies in a store."""
    name = f"{out.name}.part"
    part = Path(name) if is_remote(out) else out.with_name(name)
    shutil.copyfile(temporary, part)
    return printable(str(part))


def _watched(opened: Bundle, board: CallBoard | None, work: Callable[[], int], files: tuple[Path, Path] | None) -> int:
    """Do it, in a child that is watched where there is a board.

    Raises:
        LeansortError: the engine took the child down; what it had written is kept beside the output file.
    """
    if board is None:
        return work()
    try:
        return supervised_prediction.run(work, board)
    except Ended as end:
        from leansort.measure import engine_trial

        doing = f"a batch of {board.batch}" if board.batch else "loading"
        done = f", after {board.lines} pictures" if board.lines else ""
        if board.lines and files:
            done += f", whose lines are in {_kept_part(*files)}"
        what = end.raised or engine_trial.describe_exit(end.code, hung=end.hung)
        advice = engine_trial.suggest_engine(opened, board.engine)
        text = f"predict: engine {board.engine}: {what} on {doing}{done}; {advice}"
        error = (LeansortError if board.lines else EngineError)(text)
        error.add_note(end.trace)  # for --debug
        raise error from None


class _Unread(Exception):
    """What went wrong was not the writing."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A file that takes the place of `out` at the end; errors of other files stay errors of theirs."""
    try:
        with atomic_io.replace_file(out) as temporary:
            try:
                yield temporary
            except OSError as error:
                if error.filename is None:
                    raise
                raise _Unread(error) from None
    except _Unread as unread:
        raise unread.error from None

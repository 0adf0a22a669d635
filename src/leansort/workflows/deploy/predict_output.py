"""Where the lines of `leansort predict` go, and what is left of them where an engine takes the process down."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from leansort.core.bundle import Bundle
from leansort.core.errors import EngineError, LeansortError
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
        LeansortError: it did so later; the lines are in `out` with `.part` behind its name.
    """
    if out is None:
        return _watched(opened, board, lambda: work(sys.stdout), None)
    with _beside(out) as temporary:
        return _watched(opened, board, lambda: _work_into(temporary, work), (temporary, out))


def _work_into(temporary: Path, work: Callable[[TextIO], int]) -> int:
    with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        return work(file)


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
            part = files[1].with_name(f"{files[1].name}.part")
            shutil.copyfile(files[0], part)
            done += f", whose lines are in {printable(str(part))}"
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

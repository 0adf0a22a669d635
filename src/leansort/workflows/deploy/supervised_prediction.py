"""Work in a forked child, so that a fault in native code ends the child alone and can be told in a line.

Nothing is started anew: the child is this process, as far as it got. What it is doing stands on a board that both see.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TypedDict

from leansort.core.errors import LeansortError, UserError
from leansort.runtime.call_board import CallBoard, EngineRaisedError
from leansort.runtime.engine_trial_child import time_limit_s

_POLL_S = 0.5
_GRACE_S = 5.0
_PR_SET_PDEATHSIG = 1
_watched = False
Handler = Callable[[int, FrameType | None], object] | int | None


class Told(TypedDict, total=False):
    """What the child tells its parent: its exit status, its work's result, or what was raised.

    Attributes:
        exit: status of a child that ended by itself.
        result: what the work gave.
        error: message of a LeansortError, with its exit `code`.
        raised: what the engine raised, in words.
        errno: of an OSError, with its `text` and `file`.
        missing: name of a module that is not there, with the `text` of the error.
        trace: where an exception came from.
    """

    exit: int
    result: int
    error: str
    code: int
    raised: str
    errno: int
    file: str
    missing: str
    text: str
    trace: str


class Ended(Exception):
    """The work cannot go on: the child is gone, was ended because it did not answer, or its engine raised an exception.

    Attributes:
        code: exit status.
        hung: whether it did not answer.
        raised: the exception in words, else empty.
        trace: where that came from.
    """

    def __init__(self, code: int, *, hung: bool = False, raised: str = "", trace: str = "") -> None:
        super().__init__(code)
        self.code, self.hung, self.raised, self.trace = code, hung, raised, trace


def is_watched() -> bool:
    """Whether another process tells what becomes of this one."""
    return _watched


def possible() -> bool:
    """Whether a child can be forked: not beside threads, whose locks it would inherit, and nowhere but on Linux."""
    return sys.platform == "linux" and threading.active_count() == 1 and not _watched


def run(work: Callable[[], int], board: CallBoard) -> int:
    """Do work in a forked child; it may note on the board what it does.

    Args:
        work: gives a number, or raises.
        board: read when the child is gone.

    Returns:
        What the work gives.

    Raises:
        Ended: the child crashed, its engine raised, or a call took longer than `runtime.trying.limit`.
        LeansortError: as the work raised it; so are an OSError and a ModuleNotFoundError.
    """
    seconds = time_limit_s()
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    handler, parent = signal.getsignal(signal.SIGTERM), os.getpid()
    child = os.fork()
    if not child:
        os.close(reader)
        _child(work, writer, handler, parent)
    os.close(writer)
    try:
        told, hung = _awaited(reader, child, board, seconds)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except BaseException:
        _stop(child)
        raise
    finally:
        os.close(reader)
    board.read()
    if not told:
        raise Ended(code, hung=hung)
    return _given(json.loads(told))


def _child(work: Callable[[], int], writer: int, handler: Handler, parent: int) -> None:
    """Work, tell the parent, end. Never returns, for what called this belongs to the parent."""
    global _watched
    _watched = True
    told: Told = {"exit": 1}
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.signal(signal.SIGTERM, handler)  # what the work begins it also clears away
        if os.getppid() == parent:
            told = _done(work)
    except SystemExit as stopped:
        told = {"exit": stopped.code if isinstance(stopped.code, int) else 1}
    except KeyboardInterrupt:
        told = {"exit": 130}
    except BaseException:
        with suppress(BaseException):
            traceback.print_exc()
            sys.stderr.flush()
    finally:
        with suppress(BaseException):
            os.write(writer, json.dumps(told).encode())
        os._exit(0)


def _done(work: Callable[[], int]) -> Told:
    try:
        result = work()
        sys.stdout.flush()
        return {"result": result}
    except LeansortError as error:
        return {"error": str(error), "code": error.exit_code, "trace": traceback.format_exc()}
    except EngineRaisedError as error:
        return {"raised": str(error), "trace": traceback.format_exc()}
    except OSError as error:
        return {
            "errno": error.errno or errno.EIO,
            "text": error.strerror or str(error),
            "file": str(error.filename or ""),
        }
    except ModuleNotFoundError as error:
        return {"missing": error.name or "", "text": str(error)}


def _given(told: Told) -> int:
    if "exit" in told:
        raise SystemExit(told["exit"])  # it has said why itself, or was asked to end
    if "raised" in told:
        raise Ended(0, raised=told["raised"], trace=told["trace"])
    if "errno" in told:
        raise OSError(told["errno"], told["text"], told["file"] or None)
    if "missing" in told:
        raise ModuleNotFoundError(told["text"], name=told["missing"])
    if "error" in told:
        error = (UserError if told["code"] == UserError.exit_code else LeansortError)(told["error"])
        error.add_note(told["trace"])  # for --debug
        raise error
    return int(told["result"])


def _awaited(reader: int, child: int, board: CallBoard, seconds: float) -> tuple[bytes, bool]:
    """What the child told before it ended, and whether it had to be ended."""
    told = b""
    while True:
        if select.select([reader], [], [], _POLL_S)[0]:
            part = os.read(reader, 1 << 16)
            told += part
            if not part:
                return told, False
            continue
        board.read()
        if board.since and time.monotonic() - board.since > seconds:
            os.kill(child, signal.SIGKILL)
            return b"", True


def _stop(child: int) -> None:
    """End a child that need not go on, and give it time to clear away what it began."""
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(child, signal.SIGTERM)
        until = time.monotonic() + _GRACE_S
        while time.monotonic() < until:
            if os.waitpid(child, os.WNOHANG)[0]:
                return
            time.sleep(0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

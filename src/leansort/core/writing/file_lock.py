"""Several processes on one folder: one builds, the others wait; what a killed one left behind is cleared away.

The locks are the kernel's (flock), so they vanish with their process however it ends. `hold_lock` leaves them to the
library filelock; the lock of a staged folder lies on the folder itself, which moves with it and leaves no file behind,
and filelock locks files alone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from leansort.core.errors import MachineError, UserError
from leansort.core.writing import atomic_io


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold `path` (made where missing) against every other process that asks for it; waits for them.

    Raises:
        MachineError: the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Where the kernel has no flock, a marker file would outlive its process: better refused.
        lock = FileLock(path, fallback_to_soft=False)
        lock.acquire()
    except OSError as error:
        raise MachineError(f"cannot write {path}: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.release()


def take_lock(path: Path, busy: str) -> FileLock:
    """Take the lock of `path` (made where missing) at once, or not at all.

    Args:
        path: the lock's file.
        busy: the error's text, where another process has it.

    Returns:
        The lock; `release` gives it back, as does the end of the process.

    Raises:
        UserError: another process has it.
        MachineError: the file cannot be made.
    """
    lock = FileLock(path, fallback_to_soft=False, timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UserError(busy) from None
    except OSError as error:
        raise MachineError(f"cannot write {path}: {error.strerror or error}") from None
    return lock


@contextmanager
def stage_folder(out: Path, what: str) -> Iterator[Path]:
    """Give a folder beside `out` that becomes `out` when the work is whole, and is removed when it fails.

    An empty folder that is there already is filled in place, and emptied again when the work fails.

    Args:
        out: new, or an empty folder.
        what: names the work in errors.

    Raises:
        UserError: `out` is there and not empty.
        MachineError: the folder cannot be made or moved.
    """
    atomic_io.require_free(out, what)
    if out.exists():  # it may be a mount point, a link or where the user stands: fill it, it cannot be replaced
        with _empty_on_failure(out):
            yield out
        return
    folder, handle = None, None
    try:
        out.resolve().parent.mkdir(parents=True, exist_ok=True)
        _clear(out)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.resolve().parent))
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
        folder.chmod(0o777 & ~atomic_io.umask())  # mkdtemp makes folders private
        folder.replace(out)
    except OSError as error:
        raise MachineError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


@contextmanager
def _empty_on_failure(out: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for child in out.iterdir():
            shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
        raise


def _clear(out: Path) -> None:
    """Remove staging folders of `out` whose process is gone."""
    for folder in out.resolve().parent.glob(f".{out.name}.*.part"):
        if not folder.is_dir():
            continue
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass  # another import into the same folder is at work; the first to finish wins
        finally:
            os.close(handle)

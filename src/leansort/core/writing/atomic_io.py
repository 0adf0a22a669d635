"""Files that are either the old or the new, never half: atomic writes, hashes, run folders."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leansort.core.errors import MachineError, UserError
from leansort.core.locations import remote_store
from leansort.core.locations.location import RemotePath
from leansort.core.locations.read_ahead import taken
from leansort.core.writing.escaping import json_escaped


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it takes the place of `path`, on failure it is removed.

    Of a path in a store the temporary file is local, and sent at the end.

    Raises:
        LeansortError: the folder or file cannot be written (full disk, no permission); `path` is untouched.
    """
    if isinstance(path, RemotePath):
        with _sent(path) as local:
            yield local
        return
    temporary: Path | None = None
    try:
        require_file(path)
        path = path.resolve()  # a link is followed, not replaced
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _flush(temporary)
        temporary.chmod(0o666 & ~umask())  # mkstemp makes files private
        temporary.replace(path)
    except OSError as error:
        raise MachineError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def _sent(path: RemotePath) -> Iterator[Path]:
    """Give a local path whose file is sent when it is whole: a store has no half one either."""
    require_file(path)
    with scratch() as folder:
        temporary = folder / path.name
        temporary.touch()
        yield temporary
        remote_store.write(str(path), temporary)


def clear_leftovers(path: Path) -> None:
    """Remove what a killed writer of `path` left; only for who holds the lock of it."""
    for leftover in path.parent.glob(f".{path.name}.*.part"):
        leftover.unlink(missing_ok=True)


def require_file(path: Path) -> None:
    """Refuse a path that something other than a file has, such as /dev/null, whose place a file must not take.

    Raises:
        UserError: it is a folder or a device, or a store that is only read.
    """
    if isinstance(path, RemotePath):
        remote_store.require_writable(str(path))
    if path.exists() and not path.is_file():
        raise UserError(f"cannot write {path}: it is there and no file")


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def umask() -> int:
    """Permission bits that new files are denied here."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes atomically."""
    with replace_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8 atomically."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))  # names of files need not be text


def canonical_json(value: Any, indent: int | None = None) -> str:
    """Serialize to strict JSON (no NaN or Infinity) with sorted keys: equal values give equal text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=indent)


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON atomically.

    Raises:
        ValueError: the value holds NaN or Infinity, which JSON does not have.
    """
    write_text(path, json_escaped(canonical_json(value, indent=2)) + "\n")


def read_file(path: Path) -> bytes:
    """Read a regular file whole, or one in a store.

    Raises:
        OSError: it cannot be read, or is no regular file: opening a pipe would wait for ever.
        MachineError: the store refuses or does not answer; see `core.locations.remote_store`.
    """
    if isinstance(path, RemotePath):
        return taken(path)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read()


def sha256(data: bytes) -> str:
    """Hex SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """First 16 hex digits of the SHA-256 of a value's canonical JSON."""
    return sha256(canonical_json(value).encode())[:16]


def require_free(path: Path, what: str, *, resumable: bool = False) -> None:
    """Refuse a place that holds something already.

    Args:
        path: the place.
        what: the command, for the error.
        resumable: whether the command has a `--resume`, which the error then names.

    Raises:
        UserError: the path is there and is not an empty folder.
    """
    try:
        taken = path.exists() and (not path.is_dir() or any(path.iterdir()))
    except OSError as error:
        raise UserError(f"{what}: cannot use {path} ({error.strerror or error})") from None
    if taken:
        choices = "go on with --resume, name another folder" if resumable else "name another folder"
        raise UserError(f"{what}: {path} is there already and not empty; {choices} or remove it")


def new_folder(path: Path, what: str, *, reuse: bool = False, resumable: bool = False) -> Path:
    """Make a folder for results, refusing to mix them with older ones.

    Args:
        path: the folder.
        what: the command, for the error.
        reuse: takes a folder that is there already, too.
        resumable: as for `require_free`.

    Raises:
        UserError: the folder is there and not empty, and `reuse` is false.
    """
    if not (reuse and path.is_dir()):
        require_free(path, what, resumable=resumable)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{what}: cannot make {path} ({error.strerror or error})") from None
    return path


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a temporary folder, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="leansort-") as name:
        yield Path(name)

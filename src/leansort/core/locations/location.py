"""Paths of files wherever they lie: `location("s3://bucket/photos")` is a path that the rest works with as with any.

A `RemotePath` is a `Path` of the standard library whose questions (`is_file`, `stat`, `read_bytes`) go to the store and
whose text is the address without its secrets. So code that asks a path, and reads by `atomic_io.read_file`, needs no
second way for stores. What hands paths to the operating system by itself (`os.scandir`, libraries in C) asks
`is_remote` first.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

from leansort.core.errors import UserError
from leansort.core.locations import addresses
from leansort.core.locations.addresses import SCHEME

if TYPE_CHECKING:
    from pathlib import PosixPath
else:
    PosixPath = type(Path())


class RemotePath(PosixPath):
    """A file or folder in a store; see `remote_store` for what reading and writing may raise."""

    __slots__ = ()

    def __str__(self) -> str:
        """Return the address, without secrets; a part of one as it is."""
        text = super().__str__()
        found = SCHEME.match(text)
        return f"{found[1]}://{text[found.end() :]}" if found else text

    def __repr__(self) -> str:
        return f"RemotePath({str(self)!r})"

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return kind and size; all else is zero.

        Raises:
            FileNotFoundError: it is not there.
            MachineError: the store does not answer, or refuses.
        """
        size = _store().size_of(str(self))
        mode = stat.S_IFDIR | 0o555 if size is None else stat.S_IFREG | 0o444
        return os.stat_result((mode, 0, 0, 1, 0, 0, size or 0, 0, 0, 0))

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is there."""
        return self._mode() != 0

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a file."""
        return stat.S_ISREG(self._mode())

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a folder, which most stores have for as long as a file lies below it."""
        return stat.S_ISDIR(self._mode())

    def is_symlink(self) -> bool:
        """Stores have no links."""
        return False

    def is_absolute(self) -> bool:
        """An address says all; a part of one does not."""
        return SCHEME.match(super().__str__()) is not None

    def _mode(self) -> int:
        try:
            return self.stat().st_mode
        except FileNotFoundError:
            return 0

    def resolve(self, strict: bool = False) -> Self:
        """Return itself."""
        return self

    def absolute(self) -> Self:
        """Return itself."""
        return self

    def as_posix(self) -> str:
        """Return the text of it."""
        return str(self)

    def read_bytes(self) -> bytes:
        """Read the file whole; see `remote_store.read`."""
        return bytes(_store().read(str(self)))

    def open(  # type: ignore[override]  # of the many modes of a file those alone that a store can do
        self, mode: str = "r", buffering: int = -1, encoding: str | None = None, errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:  # fmt: skip
        """Open for reading; the file is read whole first.

        Raises:
            UserError: for writing, which `atomic_io.replace_file` does.
        """
        if mode not in ("r", "rt", "rb"):
            raise UserError(f"{self}: cannot be opened with mode {mode!r}; only r and rb read from a store")
        data = io.BytesIO(self.read_bytes())
        return data if mode == "rb" else io.TextIOWrapper(data, encoding or "utf-8", errors, newline)

    def iterdir(self) -> Iterator[Self]:  # type: ignore[override]
        """Yield what lies in the folder, in alphabetical order."""
        return iter([self / name for name in _store().names_in(str(self))])

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing: stores make folders as files are written."""


def location(given: str | os.PathLike[str]) -> Path:
    """Return the path of what a user gives: a local one, or an address such as `s3://bucket/photo.jpg`.

    `file://` is local. An address that went through `pathlib`, which leaves one slash behind the scheme, is one still,
    but where a local folder has that name.

    Args:
        given: a path or an address.

    Raises:
        UserError: `file://` names another machine.
    """
    if isinstance(given, RemotePath):
        return given
    text = os.fspath(given)
    if ":/" not in text or not (found := SCHEME.match(text)):
        return Path(given)
    if text[found.end() : found.end() + 1] != "/" and os.path.lexists(found[0]):
        return Path(given)
    if found[1].lower() in ("file", "local"):
        return _local(text[found.end() :])
    return RemotePath(addresses.register(text))


def is_remote(path: object) -> bool:
    """Whether a path leads into a store."""
    return isinstance(path, RemotePath)


def is_named(path: Path) -> bool:
    """Whether something has this path, be it a link that leads nowhere; a store is asked when the file is read."""
    return isinstance(path, RemotePath) or os.path.lexists(path)


def _local(rest: str) -> Path:
    """The path of `file:///path`, `file:/path` and `file://localhost/path`."""
    from urllib.parse import unquote

    if rest.startswith("/"):
        host, _, inner = rest[1:].partition("/")
        if host not in ("", "localhost"):
            raise UserError(f"file://{host}: names another machine; write file:///PATH")
        rest = inner
    return Path("/" + unquote(rest))


def _store() -> Any:
    from leansort.core.locations import remote_store  # of no use where all files are local

    return cast(Any, remote_store)

"""Where a study is kept: a journal file, or a database that many machines share."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock

from leansort.core.errors import IntegrityError, MachineError, MissingExtraError, UserError, one_line

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, JournalStorage

T = TypeVar("T")
_FIRST = b'{"op_code"'
MOST_BYTES = 1 << 31  # of a journal, which is read whole
PATIENCE_S = 120.0  # a database that restarts is waited for
_DRIVERS = {"postgresql": "psycopg"}
_SCHEMES = "postgresql://USER@HOST/DATABASE, sqlite:///FILE, or the path of a journal file"


def open_storage(where: str) -> BaseStorage:
    """Open a storage.

    Args:
        where: a database's URL, or the path of a journal file, which is made where it is missing.

    Returns:
        An Optuna storage; of a database, one that outlives its restarts.

    Raises:
        UserError: no such kind of database, or it cannot be reached.
        MissingExtraError: Optuna or the database's driver is not installed.
    """
    _require("optuna", "tune")
    if "://" not in where:
        return _journal(Path(where))
    scheme, _, rest = where.partition("://")
    if scheme.partition("+")[0] not in (*_DRIVERS, "sqlite"):
        raise UserError(f"storage: got {_without_password(where)}, need {_SCHEMES}")
    if scheme in _DRIVERS:
        _require(_DRIVERS[scheme], "postgresql")
        scheme = f"{scheme}+{_DRIVERS[scheme]}"
    return _database(f"{scheme}://{rest}", where)


def quiet() -> None:
    """Optuna says every trial by itself; we say it."""
    _require("optuna", "tune")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)


class JournalLock:
    """Keeps writers of a journal apart by the kernel's lock on the journal itself, which ends with its process.

    It also mends what a killed writer left: half a line at the end would make all that follow unreadable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()  # filelock follows no link
        self._lock: FileLock | None = None

    def acquire(self) -> bool:
        """Wait for the lock; drop half a line."""
        lock = FileLock(self._path, poll_interval=0.005, fallback_to_soft=False)  # anew: one of a parent's is no use
        lock.acquire()
        self._lock = lock
        _drop_half_line(self._path)
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.release()


def _drop_half_line(path: Path) -> None:
    with path.open("r+b") as file:
        end = size = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 4096)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                end = start + at + 1
                break
            end = start
        if end < size:
            file.truncate(end)


def _journal(path: Path) -> JournalStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not _begins_as_journal(path):
            raise UserError(f"storage: {path} is there and no journal of a study; name another file")
        # Optuna has no public name for the type of a lock; it asks for `acquire` and `release` alone.
        backend = JournalFileBackend(str(path), lock_obj=JournalLock(path))  # type: ignore[arg-type]
        return JournalStorage(backend)
    except OSError as error:
        raise UserError(f"storage: cannot use {path} as a journal ({error})") from None
    except (MachineError, UserError):
        raise
    except Exception as error:  # Optuna checks nothing of a journal that was changed
        raise damaged(str(path), error) from None


def damaged(where: str, error: Exception) -> IntegrityError:
    """What to raise where Optuna stumbles over a study."""
    text = one_line(f"{type(error).__name__}: {error}")
    return IntegrityError(f"storage: {_without_password(where)} is damaged or was changed ({text})")


def _begins_as_journal(path: Path) -> bool:
    """Half a line may be all that a killed writer left; a file of another kind must not be mended."""
    if not path.is_file() or path.stat().st_size > MOST_BYTES:  # opening a pipe would wait for ever
        return False
    with path.open("rb") as file:
        first = file.read(len(_FIRST))
    return _FIRST.startswith(first)


def _database(url: str, where: str) -> BaseStorage:
    from optuna.storages import RDBStorage, get_storage

    try:
        # A connection that died with the server is noticed before it is used.
        made = RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    except Exception as error:  # whatever a driver raises, it is not reachable
        text = one_line(error.__cause__ or error)
        raise UserError(f"storage: cannot open {_without_password(where)} ({text})") from None
    # Reads finished trials once. Optuna does the same by itself only where it is handed the database's own storage,
    # and has no other public way to ask for it.
    return retry_while_away(get_storage(made))


def retry_while_away(storage: BaseStorage, seconds: float = PATIENCE_S) -> BaseStorage:
    """A storage that asks again while the database behind `storage` is away.

    Args:
        storage: an Optuna storage.
        seconds: after which it gives up.
    """
    from optuna.storages import BaseStorage

    def asking(name: str) -> object:
        def call(_: object, *args: object, **kwargs: object) -> object:
            return _insist(lambda: getattr(storage, name)(*args, **kwargs), seconds)

        return call

    names = [name for name, _ in inspect.getmembers(BaseStorage, inspect.isfunction) if not name.startswith("_")]
    made: BaseStorage = type("PatientStorage", (BaseStorage,), {name: asking(name) for name in names})()
    return made


def _insist(call: Callable[[], T], seconds: float) -> T:
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DBAPIError, InternalError, ProgrammingError

    until, pause = time.monotonic() + seconds, 0.1
    while True:
        try:
            return call()
        except (StorageInternalError, DBAPIError) as error:
            wrong = isinstance(error, ProgrammingError | InternalError)
            if wrong or time.monotonic() > until:
                raise MachineError(f"storage: the database does not answer ({one_line(error)})") from error
            time.sleep(pause)
            pause = min(2.0, 2 * pause)


@contextmanager
def closing(storage: BaseStorage) -> Iterator[BaseStorage]:
    """Give the storage's connections back at the end."""
    try:
        yield storage
    finally:
        with contextlib.suppress(Exception):  # whatever became of the database, the work is done
            storage.remove_session()


def _require(module: str, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(module, extra)


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    account, at, host = rest.rpartition("@")
    return f"{scheme}://{account.partition(':')[0]}{at}{host}"

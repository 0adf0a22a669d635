"""Reading and writing in a store by fsspec, with what may go wrong told apart.

One file's fault - it is not there, is cut short, the store is busy with it after several tries - is an `OSError` of
that file, as of a local one, and the rest of the work goes on. What holds for all files - access refused, keys expired,
no answer at all, a bucket that is not there - is a `MachineError` or `UserError`, one line that ends the work.
"""

from __future__ import annotations

import errno
import importlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from leansort.core.errors import LeansortError, MachineError, MissingExtraError, UserError, did_you_mean, one_line
from leansort.core.locations import addresses
from leansort.core.locations.addresses import WEB, Address
from leansort.core.locations.redaction import redact

TRIES = 4
WAIT_S = 0.25  # before the second try, twice as long before each one after it
TIMEOUT_S = 30.0  # without a byte
_STAMPS = ("etag", "md5hash", "content-md5", "lastmodified", "last_modified", "mtime", "updated", "created")
_S3 = ("s3", "s3a")
_REFUSED = frozenset({
    "AccessDenied", "AllAccessDisabled", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken",
    "RequestExpired", "SignatureDoesNotMatch", "TokenRefreshRequired", "UnauthorizedAccess", "403", "401", "Forbidden",
})  # fmt: skip
_NO_KEYS = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "TokenRetrievalError",
    "RefreshError",
    "DefaultCredentialsError",
)
_CUT = ("ClientPayloadError", "IncompleteReadError", "ContentLengthError", "IncompleteRead", "ResponseStreamingError")
_GONE = (
    "ClientConnectorError",
    "EndpointConnectionError",
    "ClientConnectorDNSError",
    "ConnectTimeoutError",
    "gaierror",
)
_stores: dict[tuple[int, str], Any] = {}
_sizes: dict[str, int] = {}  # as a listing told them
T = TypeVar("T")


def read(shown: str) -> bytes:
    """Read a file whole.

    Args:
        shown: its address, as a `RemotePath` shows it.

    Raises:
        FileNotFoundError: it is not there.
        OSError: it is cut short, or the store failed with it in every try.
        MachineError: the store refuses or does not answer.
        UserError: the bucket is not there.
    """

    def attempt() -> bytes:
        data = bytes(_store(shown).cat_file(_key(shown)))
        if (size := _sizes.get(shown, len(data))) != len(data):
            raise OSError(errno.EIO, f"is cut short: got {len(data):,} of {size:,} bytes", shown)
        return data

    return _tried(attempt, shown)


def read_head(shown: str, count: int) -> bytes:
    """Read the first `count` bytes of a file; see `read`."""
    return _tried(lambda: bytes(_store(shown).cat_file(_key(shown), start=0, end=count))[:count], shown)


def write(shown: str, file: Path) -> None:
    """Put a local file in the place of an address, whole: who reads it meanwhile gets the old one.

    Raises:
        MachineError: it could not be written.
    """
    try:
        _tried(lambda: _store(shown).put_file(str(file), _key(shown)), shown)
    except OSError as error:
        raise MachineError(f"cannot write {shown}: {error.strerror or error}") from None


def require_writable(shown: str) -> None:
    """Refuse an address that nothing can be written to.

    Raises:
        UserError: it is of a web server.
    """
    if (scheme := Address.of(shown).scheme) in WEB:
        raise UserError(f"cannot write {shown}: {scheme}:// is only read; name a file, or s3://, gs:// and the like")
    _store(shown)


def size_of(shown: str) -> int | None:
    """Return a file's size in bytes, 0 where the store does not tell it; None of a folder.

    Raises:
        FileNotFoundError: it is not there.
        MachineError: the store refuses or does not answer.
    """
    if addresses.is_folder(shown):
        return None
    told = _tried(lambda: _store(shown).info(_key(shown)), shown)
    page = str(told.get("mimetype", "")).startswith("text/html")  # how a web server shows a folder
    return None if told.get("type") == "directory" or page else int(told.get("size") or 0)


def names_in(shown: str) -> list[str]:
    """Return the names of what lies in a folder; see `files_below` of errors."""
    store, key = _store(shown), _folder_key(shown)
    listed = _tried(lambda: store.ls(key, detail=False), shown)
    return sorted({str(name).rstrip("/").rpartition("/")[2] for name in listed} - {""})


def stamp_of(shown: str) -> str:
    """Return what tells a file from what another time lies there: size, and entity tag or time; see `read`."""
    return _stamp(_tried(lambda: _store(shown).info(_key(shown)), shown))


def _stamp(told: Mapping[str, Any]) -> str:
    """Empty where a listing tells nothing but the size, or less."""
    known = {key.lower(): value for key, value in told.items()}
    mark = next((known[key] for key in _STAMPS if known.get(key)), "")
    return f"{known.get('size')} {mark}" if mark else ""


def files_below(shown: str) -> dict[str, str]:
    """Return all files below a folder, relative to it, with their stamps; their sizes are remembered.

    A stamp is as `stamp_of` gives it, empty where the listing does not tell.

    Raises:
        FileNotFoundError: there is no such folder or bucket.
        MachineError: the store refuses or does not answer.
    """
    store, key = _store(shown), _folder_key(shown)
    listed = _tried(lambda: store.find(key, detail=True), shown)
    if not listed:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), shown)
    start = str(store._strip_protocol(key)).rstrip("/") + "/"
    stamps = {}
    for name, told in listed.items():
        if not name.startswith(start) or name.endswith("/"):  # the mark of an empty folder
            continue
        stamps[name[len(start) :]] = _stamp(told)
        if isinstance(told.get("size"), int):
            _sizes[f"{shown}/{name[len(start) :]}"] = told["size"]
    return stamps


def _key(shown: str) -> str:
    return addresses.full_address(shown)


def _folder_key(shown: str) -> str:
    key = _key(shown)
    return key if "?" in key else key.rstrip("/") + "/" * (Address.of(shown).scheme in WEB)


def _store(shown: str) -> Any:
    """The file system of an address: one for each process and host, since those of a parent's do not work in a fork."""
    place = (os.getpid(), Address.of(shown).root)
    if place not in _stores:
        _stores[place] = _opened(shown)
    return _stores[place]


def _opened(shown: str) -> Any:
    scheme = Address.of(shown).scheme
    try:
        fsspec = importlib.import_module("fsspec")
    except ModuleNotFoundError:
        raise MissingExtraError("fsspec", "cloud") from None
    known = importlib.import_module("fsspec.registry").known_implementations
    if scheme not in fsspec.available_protocols():
        raise UserError(
            f"{shown}: {scheme}:// is no scheme that fsspec knows{did_you_mean(scheme, known)}; if a package "
            f"brings it, run: pip install PACKAGE (fsspec's list of known implementations names them)"
        )
    try:
        return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True, **_options(scheme, shown))
    except ImportError as error:
        raise UserError(_not_installed(scheme, known, error)) from None
    except Exception as error:
        raise _told(error, shown) from None


def _not_installed(scheme: str, known: Any, error: ImportError) -> str:
    if scheme in (*WEB, *_S3):
        return str(MissingExtraError("aiohttp" if scheme in WEB else "s3fs", "cloud"))
    package = str(known.get(scheme, {}).get("class", error.name or "")).partition(".")[0]
    package = package if package != "fsspec" else error.name or "fsspec"
    return f"{scheme}:// needs {package!r}, which is not installed; run: pip install {package}"


def _options(scheme: str, shown: str) -> dict[str, Any]:
    """Time limits, and what was given in front of the host."""
    user = addresses.user_of(shown)
    if scheme in WEB:
        try:
            aiohttp = importlib.import_module("aiohttp")
        except ModuleNotFoundError:
            raise MissingExtraError("aiohttp", "cloud") from None
        limits = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S)
        return {"client_kwargs": {"timeout": limits} | ({"auth": aiohttp.BasicAuth(*user)} if user else {})}
    if scheme in _S3:
        limits = {"connect_timeout": TIMEOUT_S, "read_timeout": TIMEOUT_S, "retries": {"max_attempts": 2}}
        return {"config_kwargs": limits} | ({"key": user[0], "secret": user[1]} if user else {})
    return {"username": user[0], "password": user[1]} if user else {}


def _tried(work: Callable[[], T], shown: str) -> T:
    """Do it, again after a pause where that may help."""
    for number in range(TRIES):
        if number:
            time.sleep(WAIT_S * 2 ** (number - 1))
        try:
            return work()
        except LeansortError:
            raise
        except Exception as error:  # stores raise whatever their libraries do
            told = _told(error, shown)
            if number == TRIES - 1 or not _may_pass(told):
                raise told from None
    raise AssertionError("unreachable")


def _may_pass(error: Exception) -> bool:
    return isinstance(error, _UnreachableError) or (isinstance(error, OSError) and error.errno != errno.ENOENT)


class _UnreachableError(MachineError):
    pass


def _told(error: Exception, shown: str) -> Exception:
    """What an error of a store's library means."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    cause = error.__cause__ or error.__context__
    if cause is not None:
        kinds |= {kind.__name__ for kind in type(cause).__mro__}
    code = _code(error) or (_code(cause) if cause is not None else "")
    text = redact(one_line(str(error) or type(error).__name__))
    if code == "NoSuchBucket" or "bucket does not exist" in text:
        return UserError(f"{Address.of(shown).root}: there is no such bucket ({text})")
    if isinstance(error, FileNotFoundError) or code in ("404", "NoSuchKey"):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), shown)
    if isinstance(error, PermissionError) or code in _REFUSED or kinds.intersection(_NO_KEYS):
        return MachineError(f"{shown}: access was refused ({code + ': ' * bool(code)}{text}); renew the credentials")
    if kinds.intersection(_CUT):
        return OSError(errno.EIO, f"is cut short: {text}", shown)
    if kinds.intersection(_GONE) or isinstance(error, ConnectionRefusedError):
        return _UnreachableError(f"{Address.of(shown).root}: cannot be reached ({text})")
    if isinstance(error, TimeoutError) or kinds & {"FSTimeoutError", "ReadTimeoutError"}:
        return OSError(errno.ETIMEDOUT, f"no answer within {TIMEOUT_S:g} s", shown)
    if isinstance(error, OSError) and error.filename == shown:
        return error
    return OSError(errno.EIO, f"HTTP {code}" if code.isdigit() else text, shown)


def _code(error: BaseException) -> str:
    """The store's own code: HTTP's status, or the name that S3 gives."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    status = getattr(error, "status", None) or getattr(error, "code", None)
    return str(status) if isinstance(status, int | str) else ""

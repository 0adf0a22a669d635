"""One file by its URL: continued, repeated, and put in its place only when it was found good.

Servers stall, drip, lie about lengths, and answer with a page instead of an image. So each attempt has a limit
on silence and one on its whole time (a timer that cuts the wire: a socket's own timeout starts anew with each
byte), lengths are compared, and the caller's check decides. What a broken attempt brought stays in a `.part` file
named after the URL too: another URL's bytes must never be continued.

urllib3's `Retry` repeats a request until its headers are there. Most of what goes wrong here comes later: a body that
breaks off, drips, is continued from the bytes on disk, or is no image. So the loop over attempts is this module's,
and of `Retry` only the reading of `Retry-After` is taken.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from leansort.core.errors import LeansortError, one_line
from leansort.core.preprocess import UnreadableImage
from leansort.data.download.connection import AttemptConnection, HttpPool, HttpsPool, here
from leansort.data.download.http_status import (
    REDIRECTS,
    DownloadStopped,
    PermanentFailure,
    RestartNeeded,
    TransientFailure,
    announced_length,
    fault_of,
    redirect_target,
    resumed_size,
)

MAX_BYTES = 100_000_000
MAXREDIRECTS = 5
MAX_WAIT_S = 60.0
DEADLINE = 10  # times the limit on silence: what one attempt may take in all
OVERLAP = 4096  # bytes fetched again and compared when a file is continued: is it still the same file?
_CHUNK = 65536
_HEADERS = {"User-Agent": "leansort", "Accept-Encoding": "identity"}  # compressed bytes could not be continued


class Fetcher:
    """Fetches files by URL. `fetch` may run in many threads at once, on different files; `stop` ends them all."""

    def __init__(self, *, jobs: int, retries: int, timeout_s: float, backoff_s: float) -> None:
        self._retries, self._timeout_s, self._backoff_s = retries, timeout_s, backoff_s
        self._pools = urllib3.PoolManager(maxsize=jobs, timeout=timeout_s)
        self._pools.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}
        self._stop = threading.Event()
        self._lines: set[AttemptConnection] = set()

    def fetch(self, url: str, final: Path, check: Callable[[bytes], str]) -> str:
        """Fetch a file; only one that passes `check` appears as `final`, atomically.

        Args:
            url: http or https.
            final: where the file belongs; its folder is made.
            check: returns an empty string or why the file is the wrong one (not repeated); raises UnreadableImage
                for one that may have been damaged on the way (repeated).

        Returns:
            An empty string, or why the URL was given up.

        Raises:
            LeansortError: the disk is full, or the folder cannot be written.
        """
        part, fault = partial_path(final, url), TransientFailure("stopped")
        for attempt in range(self._retries + 1):
            try:
                if attempt:
                    self._pause(fault, attempt)
                self._receive(url, part)
                self._accept(part, final, check)
                return ""
            except TransientFailure as error:
                fault = error
            except PermanentFailure as error:
                _drop(part)
                return str(error)
            except DownloadStopped:
                break
        return f"{fault}, {self._retries + 1} attempts" if self._retries else str(fault)

    def stop(self) -> None:
        """End all attempts now; nothing gets its final name any more."""
        self._stop.set()
        for line in list(self._lines):
            line.cut("stopped")

    def _pause(self, fault: TransientFailure, attempt: int) -> None:
        jitter = random.uniform(0.5, 1.5)  # lest all threads come back at the same moment
        grown_s = self._backoff_s * 2 ** min(attempt - 1, 20) * jitter
        wait_s = grown_s if fault.wait_s is None else fault.wait_s
        if self._stop.wait(min(wait_s, MAX_WAIT_S)):
            raise DownloadStopped

    def _accept(self, part: Path, final: Path, check: Callable[[bytes], str]) -> None:
        with _disk(part):
            data = part.read_bytes()
        try:
            fault = check(data)
        except UnreadableImage as error:
            _drop(part)
            raise TransientFailure(str(error)) from None
        if fault:
            raise PermanentFailure(fault)
        if self._stop.is_set():
            raise DownloadStopped
        with _disk(final):
            part.replace(final)

    def _receive(self, url: str, part: Path) -> None:
        with self._line() as line:
            try:
                self._transfer(url, part, line)
            except RestartNeeded:
                _drop(part)
                self._transfer(url, part, line)

    @contextmanager
    def _line(self) -> Iterator[AttemptConnection]:
        line = here.line = AttemptConnection()
        limit_s = DEADLINE * self._timeout_s
        timer = threading.Timer(limit_s, line.cut, [f"not finished after {limit_s:g} s"])
        timer.daemon = True
        timer.start()
        self._lines.add(line)
        try:
            if self._stop.is_set():  # asked after adding: stop() has either cut this line or is seen here
                raise DownloadStopped
            yield line
        finally:
            timer.cancel()
            self._lines.discard(line)

    def _transfer(self, url: str, part: Path, line: AttemptConnection) -> None:
        start, tail = _kept(part)
        with closing(self._open(url, start, line)) as response:
            if response.status == 200:
                start, tail, total = 0, b"", announced_length(response)
            else:
                total = resumed_size(response, start)
            if total is not None and total > MAX_BYTES:
                raise PermanentFailure(f"is {total} bytes, the limit is {MAX_BYTES}")
            size = _store(part, start, _agreeing(tail, self._chunks(response, start, line)))
        if total is not None and size < total:
            raise TransientFailure(f"cut short, {size} of {total} bytes")

    def _open(self, url: str, start: int, line: AttemptConnection) -> urllib3.BaseHTTPResponse:
        headers = {**_HEADERS, **({"Range": f"bytes={start}-"} if start else {})}
        for _ in range(MAXREDIRECTS + 1):
            with self._network(line):
                response = self._pools.request(
                    "GET",
                    url,
                    headers=headers,
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    decode_content=False,
                    enforce_content_length=False,
                )
            fault = fault_of(response, start)
            if not fault and response.status not in REDIRECTS:
                return response
            response.close()
            if fault:
                raise fault
            url = redirect_target(url, response)
        raise PermanentFailure(f"more than {MAXREDIRECTS} redirects")

    def _chunks(self, response: urllib3.BaseHTTPResponse, size: int, line: AttemptConnection) -> Iterator[bytes]:
        while True:
            with self._network(line):
                chunk = response.read1(_CHUNK)
            if line.cut_because:  # what a cut line still gives is not to be trusted
                raise TransientFailure(line.cut_because)
            if not chunk:
                return
            size += len(chunk)
            if size > MAX_BYTES:
                raise PermanentFailure(f"is over the limit of {MAX_BYTES} bytes")
            yield chunk

    @contextmanager
    def _network(self, line: AttemptConnection) -> Iterator[None]:
        try:
            yield
        except (LocationValueError, UnicodeError) as error:
            raise PermanentFailure(_one_line(error)) from None
        except (HTTPError, OSError) as error:
            if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise PermanentFailure(_one_line(error)) from None
            raise TransientFailure(line.cut_because or self._reason(error)) from None

    def _reason(self, error: Exception) -> str:
        if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):  # a refusal is both
            return f"no connection within {self._timeout_s:g} s"
        if isinstance(error, ReadTimeoutError | TimeoutError):
            return f"nothing came for {self._timeout_s:g} s"
        return _one_line(error)


def partial_path(final: Path, url: str) -> Path:
    """Where the bytes of a file are kept until it is whole."""
    return final.with_name(f"{final.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part")


def _kept(part: Path) -> tuple[int, bytes]:
    """Return (byte to continue from, what is kept from there on); (0, b"") where that is not worth it."""
    if not part.is_file():
        return 0, b""
    with _disk(part), part.open("rb") as file:
        start = file.seek(0, os.SEEK_END) - OVERLAP
        if start > 0:
            file.seek(start)
            return start, file.read()
    return 0, b""


def _agreeing(tail: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(tail):
            break
    if not head.startswith(tail):
        raise RestartNeeded
    yield head
    yield from chunks


def _store(part: Path, start: int, chunks: Iterator[bytes]) -> int:
    """Write chunks from byte `start` on; return the size of the file in bytes."""
    with _disk(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            return file.tell()


def _drop(part: Path) -> None:
    with _disk(part):
        part.unlink(missing_ok=True)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LeansortError(f"cannot write {path}: {error.strerror or error}") from error


def _one_line(error: Exception) -> str:
    return one_line(error, None) or type(error).__name__

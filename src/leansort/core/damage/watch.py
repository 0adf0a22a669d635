"""Images that decode, but not to the pixels that were stored: what decoders complain of, by the name of the file.

libjpeg, libpng and libtiff write their warnings to file descriptor 2 of the whole process and name no file. While
somebody watches, that descriptor leads to a temporary file. Whoever decodes an image looks at the file's size before
and after, which costs next to nothing: if it has grown, the image, or one that another thread decoded meanwhile, is
suspect, and a process of its own (`judge`) says which. So whole images are decoded once, and as fast as ever.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from leansort.core.pixels import Image
from leansort.core.pixels.jpeg_structure import SOI, fault_of_scans
from leansort.core.preprocess import BACKEND, Fit, UnreadableImage, decode
from leansort.core.writing import atomic_io

_DECODERS = re.compile(
    r"Corrupt JPEG|Premature end of JPEG|Inconsistent progression|Invalid SOS|Unsupported marker|unknown JFIF"
    r"|Unknown Adobe|Application transferred|libpng (?:warning|error)|\[ ?(?:WARN|ERROR):|TIFF|readData|^\s*$"
)


class DamagedImage(UnreadableImage):
    """An image that can be decoded, but only in part: some of its pixels are not what was stored; `why` says more."""

    def __init__(self, why: str) -> None:
        super().__init__(f"is damaged: {why}")
        self.why = why


class Watch:
    """Sees what decoders write while it is open; made by `watch_images`. Safe to use from several threads at once."""

    def __init__(self, capture: _Capture) -> None:
        self._capture, self._judge = capture, _Judge()
        self._suspects: list[Path] = []

    def bytes_written(self) -> int:
        """Bytes that decoders have written so far, in the whole process."""
        return self._capture.size()

    def decode(self, data: bytes, target: int = 0, fit: Fit = "pad") -> Image:
        """As `preprocess.decode`, but an image that is damaged is refused.

        Raises:
            UnreadableImage: the data is empty, cut short or no image.
            DamagedImage: some of its pixels are not what was stored.
        """
        before = self.bytes_written()
        image = decode(data, target, fit)
        if why := self.fault(data, suspect=self.bytes_written() != before):
            raise DamagedImage(why)
        return image

    @contextmanager
    def note_suspect(self, path: Path) -> Iterator[None]:
        """Remember an image that is decoded meanwhile, should a decoder write something; see `damage_lines`."""
        before = self.bytes_written()
        yield
        if self.bytes_written() != before:
            self._suspects.append(path)

    def damage_lines(self) -> list[str]:
        """A line for each image that was noted and is damaged; each is told once."""
        suspects, self._suspects = self._suspects, []
        fromkeys = [(path, self.fault_of(path)) for path in dict.fromkeys(suspects)]
        return [f"{path} is damaged: {why}" for path, why in fromkeys if why]

    def fault_of(self, path: Path) -> str:
        """What is wrong with the pixels of a file that decoders complained of; empty where nothing is."""
        try:
            return self.fault(atomic_io.read_file(path), suspect=True)
        except (OSError, ValueError):
            return ""  # whoever decodes it says so

    def fault(self, data: bytes, *, suspect: bool) -> str:
        """What is wrong with an image's pixels; `suspect`: whether decoders wrote something meanwhile."""
        why = self._judge(data) if suspect else ""
        return why or (fault_of_scans(data) if data[:2] == SOI else "")

    def close(self) -> None:
        """End the process that judges."""
        self._judge.close()


class _Judge:
    """The process that judges, started when the first image is suspect."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, data: bytes) -> str:
        with self._lock:
            process = self._process = self._process or _start_judge()
            assert process.stdin
            assert process.stdout
            try:
                process.stdin.write(len(data).to_bytes(8, "big") + data)
                process.stdin.flush()
                return str(json.loads(process.stdout.readline()))
            except (OSError, ValueError):  # the decoder took the process with it
                self.close()
                return "its decoder ends the process"

    def close(self) -> None:
        """End the process; another is started when it is needed."""
        process, self._process = self._process, None
        if process:
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    stream.close() if stream else None
            process.wait()


def _start_judge() -> subprocess.Popen[bytes]:
    path = os.pathsep.join(item for item in sys.path if item)
    return subprocess.Popen(
        [sys.executable, "-m", "leansort.core.damage.judge"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
    )


class _Capture:
    """File descriptor 2 led to a temporary file; Python's own standard error stays what it was."""

    def __init__(self) -> None:
        sys.stderr.flush()
        self._file: IO[bytes] = tempfile.TemporaryFile(mode="a+b", buffering=0)  # noqa: SIM115
        self._python, self._real = sys.stderr, os.dup(2)
        if _leads_to(sys.stderr, 2):
            sys.stderr = io.TextIOWrapper(
                os.fdopen(os.dup(2), "wb", 0), sys.stderr.encoding, sys.stderr.errors, write_through=True
            )
        os.dup2(self._file.fileno(), 2)
        BACKEND.enable_warnings()

    def size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Undo it, and pass on what others than decoders have written."""
        BACKEND.disable_warnings()
        os.dup2(self._real, 2)
        if sys.stderr is not self._python:
            sys.stderr.close()
            sys.stderr = self._python
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        os.write(2, b"".join(line for line in lines if not _DECODERS.search(line.decode(errors="replace"))))
        os.close(self._real)
        self._file.close()


def _leads_to(stream: object, descriptor: int) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == descriptor
    except (OSError, ValueError):
        return False


_lock = threading.Lock()
_shared: list[_Capture] = []  # the capture, once for each who watches: the descriptor is one for all


@contextmanager
def watch_images() -> Iterator[Watch]:
    """Catch what decoders write, in this whole process, for as long as the context lasts."""
    with _lock:
        _shared.append(_shared[0] if _shared else _Capture())
        watch = Watch(_shared[0])
    try:
        yield watch
    finally:
        watch.close()
        with _lock:
            capture = _shared.pop()
            if not _shared:
                capture.close()

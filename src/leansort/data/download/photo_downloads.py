"""Photos of a COCO annotation file, fetched by the URLs that its image records hold.

TACO is published as annotations alone; its photos stay on Flickr. Thousands of transfers never all go well, so
every photo is checked against its record, a second call fetches only what is missing, and what could not be had
is listed instead of stopping the rest.
"""

from __future__ import annotations

import queue
import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit

from leansort.core.errors import MissingExtraError, UserError, not_one_of
from leansort.core.files.typed_result import TypedResult
from leansort.core.manifest import duplicates
from leansort.core.preprocess import UnreadableImage, decode
from leansort.core.text import text_files
from leansort.core.writing import atomic_io
from leansort.data.importing.safe_paths import safe_name

if TYPE_CHECKING:
    from leansort.data.download.fetcher import Fetcher

Size = Literal["original", "640"]
ProgressCallback = Callable[[int, int], None]
_KEYS = {"original": "flickr_url", "640": "flickr_640_url"}
_ASPECT = 0.02  # a scaled image's sides are whole pixels, so its aspect ratio is a little off
_JOIN_S = 2.0


@dataclass(frozen=True)
class PhotoRequest:
    """A photo to fetch.

    Attributes:
        name: path inside the folder of the photos, with forward slashes.
        urls: tried in this order until one gives the photo; http or https.
        width: of the record in pixels; None: any.
        height: of the record in pixels; None: any.
        exact: the photo has the record's size; else only its aspect ratio, within 2 %. Turned images pass.
    """

    name: str
    urls: tuple[str, ...]
    width: int | None
    height: int | None
    exact: bool = True


class DownloadResult(TypedResult):
    """What came of a download.

    Attributes:
        done: photos fetched now.
        already: photos that were there, whole and of the right size.
        failed: one line for each other photo, `name: reason`, in the order asked for.
    """

    done: int
    already: int
    failed: tuple[str, ...]


@dataclass(frozen=True)
class _Outcome:
    already: bool = False
    fault: str = ""


def list_photos(annotations: Path, size: Size = "original") -> list[PhotoRequest]:
    """List the photos of a COCO file with their URLs.

    Args:
        annotations: the COCO file; its image records hold `flickr_url`, `flickr_640_url` or `coco_url`.
        size: `original`, or `640`: a version with 640 px on its longer side. `coco_url` follows, or stands in
            where the record does not have that size, and the original where it has neither.

    Raises:
        UserError: the file is not COCO or holds no URLs, or a record has a name or URL that is refused.
    """
    if size not in get_args(Size):
        raise not_one_of("size", size, get_args(Size))
    tree = text_files.read_json(annotations, "annotations")
    records = tree.get("images") if isinstance(tree, dict) else None
    if not isinstance(records, list):
        raise UserError(f"annotations: {annotations} is not COCO; it needs the list images")
    photos = [_photo(record, f"annotations: {annotations}: images[{n}]", size) for n, record in enumerate(records)]
    if not any(photo.urls for photo in photos):
        raise UserError(f"annotations: {annotations} has no {_KEYS[size]} or coco_url, so its photos cannot be fetched")
    _refuse(photos)
    return photos


def download(
    wanted: Sequence[PhotoRequest],
    out: Path,
    *,
    jobs: int = 8,
    retries: int = 5,
    timeout_s: float = 30.0,
    backoff_s: float = 0.5,
    progress: ProgressCallback | None = None,
) -> DownloadResult:
    """Fetch photos into a folder, each under its name; may be repeated until none is missing.

    A photo appears under its name only after it was decoded whole and its size compared. One that is there and
    passes is left alone, one that does not pass is fetched anew, and a broken transfer is continued.

    Args:
        wanted: the photos.
        out: gets the photos; made where missing.
        jobs: transfers at the same time.
        retries: further attempts for each URL where another one may help: connection errors, silence, HTTP 408,
            429 and 5xx, bodies that are short or no image.
        timeout_s: seconds without a byte after which an attempt ends; it also ends after ten times as many in all.
        backoff_s: seconds before the first retry, doubled for each further one; the server's Retry-After, of at
            most 60 s, goes first.
        progress: called with (done, all) in the caller's thread.

    Raises:
        UserError: a name or URL is refused, two photos have one name, or a setting is out of range.
        MissingExtraError: urllib3 is not installed.
        LeansortError: the disk is full, or the folder cannot be written.
    """
    _refuse_settings(jobs=(jobs, 1), retries=(retries, 0), timeout_s=(timeout_s, 1e-3), backoff_s=(backoff_s, 0))
    names = _refuse(wanted)
    fetcher = _fetcher(jobs, retries, timeout_s, backoff_s)
    outcomes = [_Outcome()] * len(wanted)
    threads = _Threads(min(jobs, len(wanted)), len(wanted), lambda n: _one(wanted[n], out / names[n], fetcher))
    try:
        for done in range(1, len(wanted) + 1):
            number, outcome = threads.next()
            outcomes[number] = outcome
            if progress:
                progress(done, len(wanted))
    finally:
        fetcher.stop()
        threads.end(_JOIN_S)
    already, failed = sum(o.already for o in outcomes), [o.fault for o in outcomes if o.fault]
    return DownloadResult(done=len(wanted) - already - len(failed), already=already, failed=tuple(failed))


class _Threads:
    """Works through numbers in threads that cannot hold up the end of the program.

    A ThreadPoolExecutor's threads are waited for at exit, and name look-ups and connecting cannot be cut: Ctrl-C
    would hang for their whole timeout.
    """

    def __init__(self, threads: int, count: int, item: Callable[[int], _Outcome]) -> None:
        self._one, self._ended = item, threading.Event()
        self._numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(count):
            self._numbers.put(number)
        self._outcomes: queue.SimpleQueue[tuple[int, _Outcome | Exception]] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def next(self) -> tuple[int, _Outcome]:
        number, outcome = self._outcomes.get()
        if isinstance(outcome, Exception):
            raise outcome
        return number, outcome

    def end(self, limit_s: float) -> None:
        self._ended.set()
        end = time.monotonic() + limit_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                number = self._numbers.get_nowait()
                self._outcomes.put((number, self._one(number)))
            except queue.Empty:
                return
            except Exception as error:  # handed to the caller's thread, which raises it
                self._outcomes.put((number, error))
                return


def _one(photo: PhotoRequest, final: Path, fetcher: Fetcher) -> _Outcome:
    if _is_there(photo, final):
        return _Outcome(already=True)
    faults = []
    for url in photo.urls:
        fault = fetcher.fetch(url, final, partial(_fault, photo))
        if not fault:
            return _Outcome()
        faults.append(f"{fault} ({url})")
    return _Outcome(fault=f"{photo.name}: {'; '.join(faults) or 'its record has no URL'}")


def _is_there(photo: PhotoRequest, final: Path) -> bool:
    try:
        return not _fault(photo, atomic_io.read_file(final))
    except (OSError, UnreadableImage):
        return False


def _fault(photo: PhotoRequest, data: bytes) -> str:
    height, width = decode(data).shape[:2]
    if photo.width is None or photo.height is None:
        return ""
    turned = ((photo.width, photo.height), (photo.height, photo.width))
    if photo.exact and (width, height) in turned:
        return ""
    if not photo.exact and any(abs(width * h / (height * w) - 1) <= _ASPECT for w, h in turned):
        return ""
    return f"is {width} x {height} px, its record says {photo.width} x {photo.height}"


def _photo(record: Any, what: str, size: Size) -> PhotoRequest:
    if not isinstance(record, dict) or not isinstance(record.get("file_name"), str):
        raise UserError(f"{what} lacks file_name")
    width, height = (_side(record.get(key), f"{what}: {key}") for key in ("width", "height"))
    urls = [record[key] for key in (_KEYS[size], "coco_url") if record.get(key) is not None]
    if not urls and record.get("flickr_url") is not None:  # a third of TACO was never scaled
        urls = [record["flickr_url"]]
    if any(not isinstance(url, str) for url in urls):
        raise UserError(f"{what}: got {urls}, URLs are texts")
    name = safe_name(record["file_name"], what)
    return PhotoRequest(name, tuple(dict.fromkeys(urls)), width, height, exact=size == "original")


def _side(value: Any, what: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise UserError(f"{what}: got {value!r}, need whole pixels")


def _refuse(photos: Sequence[PhotoRequest]) -> list[str]:
    """Return the photos' names as they will be in the folder, or refuse all before anything is fetched."""
    names = [safe_name(photo.name, "download") for photo in photos]
    for photo, name in zip(photos, names, strict=True):
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
            raise UserError(f"download: file name {name!r} has control characters; refused")
        for url in photo.urls:
            if not _is_web(url):
                raise UserError(f"download: {name} has the URL {url!r}, allowed: http://... and https://...")
    doubled = duplicates(names)
    if doubled:
        raise UserError(f"download: {len(doubled)} file names are there twice, first {doubled[0]!r}")
    return names


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _refuse_settings(**settings: tuple[float, float]) -> None:
    for name, (got, least) in settings.items():
        if not least <= got < float("inf"):
            raise UserError(f"download: {name} is {got:g}, it must be at least {least:g}")


def _fetcher(jobs: int, retries: int, timeout_s: float, backoff_s: float) -> Fetcher:
    try:
        from leansort.data.download.fetcher import Fetcher
    except ModuleNotFoundError as error:
        raise MissingExtraError("urllib3", "train") from error
    return Fetcher(jobs=jobs, retries=retries, timeout_s=timeout_s, backoff_s=backoff_s)

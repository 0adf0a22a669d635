"""Crops decoded once, kept as one memory-mapped uint8 array that every loader worker fractions.

The file's name is the digest of the crops' contents and the preprocessing, so a changed image or setting gets
a file of its own and an equal one is never built twice. It is written beside and renamed when whole; a lock that
vanishes with its process lets one builder work while others wait for the same file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leansort.core.errors import LeansortError, UserError
from leansort.core.manifest import Manifest, Row
from leansort.core.preprocess import Preprocess, UnreadableImage
from leansort.core.writing import atomic_io
from leansort.core.writing.file_lock import hold_lock

ProgressCallback = Callable[[int, int], None]
Noting = Callable[[Path], AbstractContextManager[None]]
HashedFile = tuple[Path, str]


def load_decoded(
    manifest: Manifest,
    rows: Sequence[Row],
    preprocess: Preprocess,
    folder: Path,
    progress: ProgressCallback | None = None,
    noting: Noting = lambda _: nullcontext(),
) -> npt.NDArray[np.uint8]:
    """Return the decoded crops of a manifest's rows; see `load_decoded_files`."""
    pictures = [(manifest.path(row), row.hash) for row in rows]
    return load_decoded_files(pictures, preprocess, folder, progress, noting)


def load_decoded_files(
    pictures: Sequence[HashedFile],
    preprocess: Preprocess,
    folder: Path,
    progress: ProgressCallback | None = None,
    noting: Noting = lambda _: nullcontext(),
) -> npt.NDArray[np.uint8]:
    """Return decoded crops, building the cache file where it is not there yet.

    Args:
        pictures: the images, in order: path, and the beginning of the SHA-256 of what is expected there.
        preprocess: what makes pixels of them.
        folder: where cache files are kept.
        progress: called with (done, all) while building.
        noting: gives for an image's path a context, in which that image is decoded.

    Returns:
        Read-only memory map of shape (rows, size, size, 3), RGB.

    Raises:
        UnreadableImage: an image is gone.
        UserError: an image has changed since the import.
        LeansortError: the cache cannot be written (full disk).
    """
    path = folder / f"{atomic_io.digest([preprocess.digest, [digest for _, digest in pictures]])}.npy"
    shape = (len(pictures), preprocess.size, preprocess.size, 3)
    mapped = _mapped(path, shape)
    if mapped is None:
        with hold_lock(path.with_suffix(".lock")):
            mapped = _mapped(path, shape)  # another process may have built it while this one waited
            if mapped is None:
                atomic_io.clear_leftovers(path)
                with atomic_io.replace_file(path) as temporary:
                    _fill(temporary, pictures, preprocess, progress, noting)
                mapped = _mapped(path, shape)
    if mapped is None:
        raise LeansortError(f"cache: {path} was just written and cannot be read back; is the disk failing?")
    return mapped


def _mapped(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8] | None:
    """The cache file as an array; None where there is none, or a damaged one."""
    try:
        mapped: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return mapped if mapped.shape == shape and mapped.dtype == np.uint8 else None


def size_bytes(rows: int, preprocess: Preprocess) -> int:
    """Size of the cache of so many crops on disk, in bytes."""
    return rows * preprocess.size**2 * 3


def read_unchanged(picture: Path, digest: str) -> bytes:
    """Read an image, and refuse one that is not what the import saw: its pixels would be kept under a wrong name.

    Args:
        picture: path of the image.
        digest: first hex digits of the SHA-256 that the import saw.

    Raises:
        UnreadableImage: it is gone.
        UserError: it has changed.
    """
    try:
        data = atomic_io.read_file(picture)
    except OSError as error:
        raise UnreadableImage(f"picture {picture} cannot be read ({error.strerror or error})") from None
    if atomic_io.sha256(data)[: len(digest)] != digest:
        raise UserError(f"picture {picture} has changed since the import; import the data again")
    return data


def _fill(
    path: Path,
    pictures: Sequence[HashedFile],
    preprocess: Preprocess,
    progress: ProgressCallback | None,
    noting: Noting,
) -> None:
    shape = (len(pictures), preprocess.size, preprocess.size, 3)
    array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    with path.open("r+b") as file:
        # A memory map on a full disk ends the process with a bus error; space that is taken beforehand cannot run out.
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)

    def item(index: int) -> None:
        with noting(pictures[index][0]):
            array[index] = preprocess(read_unchanged(*pictures[index]))

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        try:
            for done, _ in enumerate(pool.map(item, range(len(pictures))), 1):
                if progress:
                    progress(done, len(pictures))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    array.flush()

"""Photos that show none of the classes: a folder of them, without those that show what known photos show."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from leansort.core.damage.watch import watch_images
from leansort.core.errors import UserError
from leansort.core.folders.archives import require_unpacked
from leansort.core.folders.image_files import SHOWN, list_image_files
from leansort.core.labels import normalize_name
from leansort.core.manifest import Manifest
from leansort.core.preprocess import Preprocess, UnreadableImage
from leansort.core.process.console import bar, say
from leansort.core.writing.escaping import printable
from leansort.runtime.autobatch import usable_cores
from leansort.runtime.engine import Pixels

MOST_COMPARED = 20_000  # known photos that the others may look like
_OPENCV = "OpenCV: pip install 'leansort[opencv]'"
_NAMED = 3  # examples of each kind of photo that is left out


@dataclass(frozen=True)
class UnknownPhotos:
    """Photos of none of the classes.

    Attributes:
        files: those that are taken, in the order of their paths.
        notes: what was left out, and what looks odd, a line each.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class UnknownCrops:
    """Unknown photos as a network takes them.

    Attributes:
        pixels: uint8 RGB (n, size, size, 3).
        share: fraction of unknown things among all that the robot will see; None: as many as there are photos.
    """

    pixels: Pixels
    share: float | None = None


def require_unknown_folder(folder: Path | None, what: str) -> None:
    """Refuse a folder that is not there before hours are spent; None passes.

    Raises:
        UserError: there is no such folder.
    """
    if folder is not None:
        require_unpacked(folder, what)
        if not folder.is_dir():
            raise UserError(f"{what}: {folder} is {'not a folder' if folder.exists() else 'not there'}")


def find_unknown_photos(folder: Path, known: Mapping[Path, str], classes: Sequence[str], what: str) -> UnknownPhotos:
    """List the photos of a folder that show what no known photo shows, by their bytes and by their looks.

    Args:
        folder: of the photos.
        known: files of known photos with the hash of each, which is empty where it is not known yet.
        classes: whose names are no names of folders here; where they are, that is noted.
        what: names the option in messages.

    Raises:
        UserError: there is no such folder, it holds no photo, or none but known ones.
    """
    require_unknown_folder(folder, what)
    listed = list_image_files(folder)
    if not listed.files:
        raise UserError(f"{what}: {folder} holds no photos ({SHOWN})")
    seen = {digest or content_hash(path) for path, digest in known.items()} - {""}
    same = [path for path in listed.files if content_hash(path) in seen]
    taken = [path for path in listed.files if path not in set(same)]
    alike, unsaid = _look_alikes(taken, list(known)) if taken else ([], "")
    taken = [path for path in taken if path not in set(alike)]
    told = [
        _told(same, listed.files, folder, "are among the known ones"),
        _told(alike, listed.files, folder, "show what known ones show"),
    ]
    told = [line for line in told if line]
    if not taken:
        raise UserError(f"{what}: {folder}: {'; '.join(told)}; none is left")
    notes = [f"unknown: {line}, left out" for line in told]
    notes += [f"unknown: {line}" for line in [printable(listed.summary()), unsaid] if line]
    return UnknownPhotos(tuple(taken), (*notes, *_class_folders(folder, taken, classes)))


def load_unknown_crops(
    folder: Path | None, share: float | None, manifest: Manifest, preprocess: Preprocess, what: str
) -> UnknownCrops | None:
    """Decode the unknown photos of a folder, without those of the manifest; None where no folder is given.

    Raises:
        UserError: there is no such folder, or it holds no photo that can be read but known ones.
    """
    if folder is None:
        return None
    known = {manifest.path(row): row.hash for row in manifest.rows}
    photos = find_unknown_photos(folder, known, manifest.labels.names, what)
    crops, faults = [], []
    for path in photos.files:
        try:
            crops.append(preprocess(path))
        except UnreadableImage as error:
            faults.append(f"unknown: left out, {path}: {error}")
    for line in (*photos.notes, *faults):
        say(line)
    if not crops:
        raise UserError(f"{what}: no photo of {folder} can be read, first {faults[0].partition('out, ')[2]}")
    return UnknownCrops(np.stack(crops), share)


def content_hash(path: Path) -> str:
    """The hash of a photo, as a manifest has it; empty where it cannot be read, which whoever decodes it says."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    except OSError:
        return ""


def _told(left_out: Sequence[Path], files: Sequence[Path], folder: Path, why: str) -> str:
    if not left_out:
        return ""
    names = [printable(path.relative_to(folder).as_posix()) for path in left_out[:_NAMED]]
    more = ", …" * (len(left_out) > _NAMED)
    return f"{len(left_out):,} of {len(files):,} photos {why} ({', '.join(names)}{more})"


def _look_alikes(files: Sequence[Path], known: Sequence[Path]) -> tuple[list[Path], str]:
    """Those that show what a known photo shows; and what was not compared, in a line."""
    if find_spec("cv2") is None:
        return [], f"photos that only look like known ones were not looked for, which takes {_OPENCV}"
    from leansort.data.quality.image_inspection import inspect_image
    from leansort.data.quality.look_alikes import Thumbnail, find_look_alikes
    from leansort.data.quality.near_duplicates import Thumbs

    step = -(-len(known) // MOST_COMPARED)
    compared, unsaid = known[::step], ""
    if step > 1:
        unsaid = f"looks were compared with {len(compared):,} of {len(known):,} known photos, evenly taken"
    paths, thumbs = [*files, *compared], list[Thumbs | None]()
    with watch_images() as watch, ThreadPoolExecutor(usable_cores()) as pool, bar("comparing photos") as advance:
        for at, look in enumerate(pool.map(lambda path: inspect_image(path, watch), paths), 1):
            thumbs.append(look.thumb)
            advance(at, len(paths))
    both = [None if thumb is None else Thumbnail(path, thumb) for path, thumb in zip(paths, thumbs, strict=True)]
    ours, theirs = ([item for item in part if item] for part in (both[: len(files)], both[len(files) :]))
    return [ours[at].path for at in find_look_alikes(ours, theirs)], unsaid


def _class_folders(folder: Path, photos: Iterable[Path], classes: Sequence[str]) -> list[str]:
    folders = Counter(
        normalize_name(part).casefold() for path in photos for part in path.relative_to(folder).parts[:-1]
    )
    named = ", ".join(f"{name} {folders[name.casefold()]:,}" for name in classes if folders[name.casefold()])
    return [f"unknown: folders are called as known classes are ({named}); their photos count as unknown"] * bool(named)

"""Photos without labels, for distillation: listed, read once, and kept away from what judges the training."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from leansort.core.damage.watch import watch_images
from leansort.core.errors import UserError
from leansort.core.folders.archives import require_unpacked
from leansort.core.folders.image_files import SHOWN, list_image_files
from leansort.core.labels import normalize_name
from leansort.core.manifest import Manifest, Row
from leansort.data.importing.safe_paths import printable_name
from leansort.data.quality.image_inspection import DAMAGED, UNREADABLE, ImageInspection, inspect_image
from leansort.data.quality.issues import Issues
from leansort.data.quality.look_alikes import Thumbnail, find_look_alikes

WHAT = "distill.unlabelled"
NAMELESS = "name is not UTF-8, left out"
SAME, CUT, IN_TRAIN, TWICE = (
    "shows what a {split} photo shows, left out",
    "has the name of a photo that a {split} crop was cut from, left out",
    "is a train photo, left out",
    "is there before, left out",
)
ProgressCallback = Callable[[int, int], None]


@dataclass(frozen=True)
class UnlabelledPhotos:
    """What a folder of photos without labels gives.

    Attributes:
        folder: the folder.
        photos: path below the folder and SHA-256 of each photo that is taken, in the order of their paths.
        left_out: the others, by kind and name.
        listed: all images of the folder, taken or not.
        class_folders: photos in folders that are called as a class is; the name plays no part.
    """

    folder: Path
    photos: tuple[tuple[str, str], ...]
    left_out: Issues
    listed: tuple[Path, ...]
    class_folders: dict[str, int]


def find_unlabelled_photos(
    folder: Path, manifest: Manifest, progress: ProgressCallback | None = None
) -> UnlabelledPhotos:
    """List the photos of a folder that teachers may speak about.

    What shows the same as a crop of val or test is left out: learned from, it would make their scores worth nothing.

    Args:
        folder: may hold folders; what they are called plays no part.
        manifest: the labelled data.
        progress: called with (done, all).

    Raises:
        UserError: there is no such folder, it holds no photo, or none is left.
        MissingExtraError: Pillow is not installed.
    """
    require_unpacked(folder, WHAT)
    if not folder.is_dir():
        raise UserError(f"{WHAT}: {folder} is {'not a folder' if folder.exists() else 'not there'}")
    listed = list_image_files(folder)
    if not listed.files:
        passed = listed.summary()
        raise UserError(f"{WHAT}: {folder} holds no photos ({SHOWN}){'; ' * bool(passed)}{passed}")
    judges = [row for row in manifest.rows if row.split != "train"]
    paths = [*(manifest.path(row) for row in judges), *listed.files]
    looks = _inspected(paths, progress)
    left_out = _left_out(listed.files, looks[len(judges) :], judges, looks[: len(judges)], manifest)
    faults = Issues()
    for entry in listed.passed_over:
        faults.add(f"{entry.kind}, ignored", entry.name)
    names = [printable_name(path.relative_to(folder).as_posix()) for path in listed.files]
    for at, kind in sorted(left_out.items()):
        faults.add(kind, names[at])
    taken = [at for at in range(len(names)) if at not in left_out]
    if not taken:
        counted = "; ".join(f"{count:,} {kind}" for kind, count in Counter(left_out.values()).items())
        raise UserError(f"{WHAT}: of the {len(names):,} photos of {folder} none is left: {counted}")
    photos = tuple((listed.files[at].relative_to(folder).as_posix(), looks[len(judges) + at].hash) for at in taken)
    return UnlabelledPhotos(folder, photos, faults, listed.files, _class_folders(photos, manifest))


def _inspected(paths: Sequence[Path], progress: ProgressCallback | None) -> list[ImageInspection]:
    looks = []
    with watch_images() as watch, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for item in pool.map(lambda path: inspect_image(path, watch), paths):
            looks.append(item)
            if progress:
                progress(len(looks), len(paths))
    return looks


def _left_out(
    files: Sequence[Path],
    looks: Sequence[ImageInspection],
    judges: Sequence[Row],
    their_looks: Sequence[ImageInspection],
    manifest: Manifest,
) -> dict[int, str]:
    """Why a photo is not taken, by its index."""
    splits = {row.hash: row.split for row in judges}
    train = {row.hash for row in manifest.rows if row.split == "train"}
    cut_from = _Photos((row.source, row.split) for row in judges if row.box is not None)
    why: dict[int, str] = {}
    seen: set[str] = set()
    for at, (file, look) in enumerate(zip(files, looks, strict=True)):
        if look.thumb is None:
            damaged = look.findings[0][0] == DAMAGED
            why[at] = f"{DAMAGED if damaged else UNREADABLE}, left out"
        elif printable_name(str(file)) != str(file):
            why[at] = NAMELESS
        elif look.hash in splits:
            why[at] = SAME.format(split=splits[look.hash])
        elif split := cut_from.split_of(file):
            why[at] = CUT.format(split=split)
        elif look.hash in train or look.hash in seen:
            why[at] = IN_TRAIN if look.hash in train else TWICE
        seen.add(look.hash)
    open_ones = [at for at in range(len(files)) if at not in why]
    known = [
        (row, Thumbnail(manifest.path(row), look.thumb))
        for row, look in zip(judges, their_looks, strict=True)
        if look.thumb is not None
    ]
    ours = [Thumbnail(files[at], thumb) for at in open_ones if (thumb := looks[at].thumb) is not None]
    for photo, other in find_look_alikes(ours, [thumbnail for _, thumbnail in known]).items():
        why[open_ones[photo]] = SAME.format(split=known[other][0].split)
    return why


class _Photos:
    """Photos by the names that a data set calls them, with the split of a crop of each."""

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        self._splits = {tuple(Path(name).parts): split for name, split in named}
        self._lengths = sorted({len(parts) for parts in self._splits})

    def split_of(self, file: Path) -> str:
        """The split of a photo whose path ends as one of the names does; empty where none does."""
        ends = (file.parts[-length:] for length in self._lengths)
        return next((self._splits[end] for end in ends if end in self._splits), "")


def _class_folders(photos: Iterable[tuple[str, str]], manifest: Manifest) -> dict[str, int]:
    folders = Counter(part for name, _ in photos for part in {normalize_name(part) for part in Path(name).parts[:-1]})
    return {name: folders[name] for name in manifest.labels.names if folders[name]}

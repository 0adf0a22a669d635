"""Photos of several annotation files: one photo is one file on disk, whatever the files call it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from leansort.core.errors import UserError, not_one_of
from leansort.core.folders.folder_tree import split_of
from leansort.core.folders.image_files import NamedFiles
from leansort.core.manifest import SPLITS
from leansort.data.coco.annotation_files import AnnotationFile
from leansort.data.coco.frames import FARTHEST
from leansort.data.importing.safe_paths import safe_name

WAY_OUT = "; --bare-names takes the last part of every name, and --images names the folder of the photos"


@dataclass(frozen=True)
class Photo:
    """A photo that boxes are cut from.

    Attributes:
        name: its path below the folder that holds the photos of all files.
        path: where it lies.
        split: the split it is in, None where none is given.
        width: in pixels as annotated, NaN where not.
        height: in pixels as annotated, NaN where not.
    """

    name: str
    path: str
    split: str | None
    width: float
    height: float


class Photos:
    """The photos of all annotation files, each there once.

    Args:
        files: the annotation files.
        bare_names: take the last part of every file name.

    Attributes:
        photos: what was taken up, in the order of the files.
        missing: how many of them are not there.
        quoted: how many are there by the name that theirs, written as in a URL, stands for.
    """

    def __init__(self, files: Sequence[AnnotationFile], *, bare_names: bool = False) -> None:
        self.photos: list[Photo] = []
        self.missing = self.quoted = 0
        self._bare = bare_names
        self._numbers: dict[Any, int] = {}  # by the file on disk
        self._split_by: dict[int, Path] = {}  # the annotation file that put a photo into its split
        self._base = os.path.commonpath([file.images.absolute() for file in files])
        self._leaks: list[str] = []

    def add(self, images: Sequence[Any], file: AnnotationFile) -> tuple[dict[Any, int], set[Any]]:
        """Take up the image records of one file.

        Returns:
            The number of the photo of each image id, and the ids whose record gives another size than an earlier
            record of the same photo.

        Raises:
            UserError: a name leaves the folder of the photos, is no file name, or a split is none.
        """
        named = NamedFiles(file.images.absolute())
        folder, below = str(named.root), Path(os.path.relpath(named.root, self._base)).as_posix()
        prefix = "" if below == "." else f"{below}/"
        numbers, odd, bare = dict[Any, int](), set[Any](), dict[str, str]()
        for image in images:
            name = self._name(image.file_name, file, bare)
            disk = _on_disk(f"{folder}/{name}")
            if disk is None and (there := _there(named, name)) != name:
                self.quoted += there.count("%") < name.count("%")
                name, disk = there, _on_disk(f"{folder}/{there}")
            made = Photo(
                prefix + name, f"{folder}/{name}", _split_of(image, file), _side(image.width), _side(image.height)
            )
            numbers[image.id] = number = self._numbers.setdefault(disk or (file.path, made.path), len(self.photos))
            if number == len(self.photos):
                self.photos.append(made)
                self.missing += disk is None
                self._split_by[number] = file.path
            elif not self._same(number, made, file):
                odd.add(image.id)
        return numbers, odd

    def require_no_leak(self) -> None:
        """Refuse photos that are in two splits.

        Raises:
            UserError: with the first of them, and the files that put it there.
        """
        if self._leaks:
            count = len(self._leaks)
            many = "1 photo is" if count == 1 else f"{count} photos are"
            raise UserError(f"annotations: {many} in two splits, which leaks: {'first ' * (count > 1)}{self._leaks[0]}")

    def _same(self, number: int, made: Photo, file: AnnotationFile) -> bool:
        """Join a second record of a photo to the first; False where it gives another size."""
        before = self.photos[number]
        if made.split and before.split and made.split != before.split:
            first, second = self._split_by[number], file.path
            self._leaks.append(
                f"{before.name!r} is {before.split} in {first}, {made.split} in {second}"
                + (f" as {made.name!r}" if made.name != before.name else "")
            )
        if made.split and not before.split:
            self._split_by[number] = file.path
        known = math.isfinite(before.width + before.height)
        size = (before.width, before.height) if known else (made.width, made.height)
        self.photos[number] = replace(before, split=before.split or made.split, width=size[0], height=size[1])
        return not math.isfinite(made.width + made.height) or size == (made.width, made.height)

    def _name(self, given: str, file: AnnotationFile, bare: dict[str, str]) -> str:
        if not self._bare:
            return safe_name(given, f"annotations: {file.path}", file.images, WAY_OUT)
        name = safe_name(PurePosixPath(given.replace("\\", "/")).name, f"annotations: {file.path}")
        if bare.setdefault(name, given) != given:
            raise UserError(f"annotations: {file.path}: {bare[name]!r} and {given!r} are two photos of one bare name")
        return name


def _there(named: NamedFiles, name: str) -> str:
    """The file that a name means, below its folder; the name itself where there is none.

    The folder's own name in front (`images/a.jpg` in `images`) is left out where that is what is there; a name that is
    written as in a URL (`a%20b.jpg`) means what it stands for.
    """
    plain = unquote(name)
    inside = plain != name and not {"..", ""} & set(plain.split("/")) and not {"\\", "\0"} & set(plain)
    for form in (name, plain) if inside else (name,):
        above, parts = named.root.parts, form.split("/")
        repeated = [count for count in range(1, len(parts)) if list(above[-count:]) == parts[:count]]
        if form.isascii() and not repeated and form == name:
            continue
        for item in (form, *("/".join(parts[count:]) for count in repeated)):
            path = named.path(item)
            if os.path.lexists(path):
                return path.relative_to(named.root).as_posix()
    return name


def _on_disk(path: str) -> tuple[int, int] | None:
    """What makes two paths the same file: device and number, which links fraction.

    None where it is not there: whether two annotation files mean one photo by a name is then not known.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path costs more than the call, and there may be a million photos
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _split_of(image: Any, file: AnnotationFile) -> str | None:
    given = file.split or image.split
    if given is None:
        return None
    split = split_of(given) if isinstance(given, str) else None
    if split is None:
        raise not_one_of(f"annotations: {file.path}: split of image {image.id}", str(given), SPLITS)
    return split


def _side(value: Any) -> float:
    usable = isinstance(value, int | float) and 1 <= value <= FARTHEST
    return float(value) if usable else math.nan

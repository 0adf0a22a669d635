"""Which annotation files an import reads, the split of each, and the folder of its photos."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leansort.core.errors import UserError, did_you_mean, not_one_of
from leansort.core.folders.folder_tree import split_of
from leansort.core.manifest import SPLITS

Paths = Path | tuple[Path, ...]


@dataclass(frozen=True)
class AnnotationFile:
    """One COCO file.

    Attributes:
        path: the file.
        split: the split that its photos are in; None leaves that to its records or to the import.
        images: the folder that its file names are relative to.
    """

    path: Path
    split: str | None
    images: Path


@dataclass(frozen=True)
class Layout:
    """A folder whose annotation files and photos lie as a known tool leaves them.

    Attributes:
        kind: the tool's layout, for people.
        folder: the folder.
        files: its annotation files.
        aside: names of COCO files in it that hold no boxes of objects.
    """

    kind: str
    folder: Path
    files: tuple[AnnotationFile, ...]
    aside: tuple[str, ...] = ()

    def line(self) -> str:
        """What was recognized: which files, which split each is, and where the photos are."""
        more = f"; left aside: {', '.join(self.aside)}" if self.aside else ""
        return f"{self.folder} is {self.kind}: {'; '.join(map(self._told, self.files))}{more}"

    def _told(self, file: AnnotationFile) -> str:
        where = "beside it" if file.images == file.path.parent else f"in {self._inside(file.images)}/"
        return f"{self._inside(file.path)} ({file.split or 'no split of its own'}, photos {where})"

    def _inside(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else str(path)


def parse_split_key(key: str, what: str) -> str:
    """The split that a key of the user's names; `valid` and `validation` are `val`.

    Raises:
        UserError: it names none.
    """
    split = split_of(key)
    if split is None:
        raise not_one_of(what, key, SPLITS)
    return split


def list_paths(path: Paths | Mapping[str, Paths]) -> list[tuple[Path, str | None]]:
    """Every path that was given, with its split where it was given one.

    Raises:
        UserError: a key is no split.
    """
    if isinstance(path, Mapping):
        keyed = [(parse_split_key(key, "data.path"), paths) for key, paths in path.items()]
        return [(item, split) for split, paths in keyed for item in _several(paths)]
    return [(item, None) for item in _several(path)]


def set_image_folders(
    files: Sequence[AnnotationFile], images: Path | Mapping[str, Path] | None
) -> tuple[AnnotationFile, ...]:
    """Give the files the folders of photos that the user names: one for all, or by split or annotation file.

    Raises:
        UserError: a key stands for no file.
    """
    if not isinstance(images, Mapping):
        return tuple(replace(file, images=images) if images else file for file in files)
    folders: dict[Path, Path] = {}
    for key, folder in images.items():
        of = [file for file in files if key == str(file.path) or (file.split and file.split == split_of(key))]
        if not of:
            allowed = [name for file in files for name in (file.split, str(file.path)) if name]
            shown = ", ".join(dict.fromkeys(allowed))
            raise UserError(
                f"images: {key!r} is no split or annotation file of this import, it has: {shown}"
                + did_you_mean(key, allowed)
            )
        folders |= {file.path: folder for file in of}
    return tuple(replace(file, images=folders.get(file.path, file.images)) for file in files)


def require_once(files: Sequence[AnnotationFile]) -> None:
    """Refuse a file that is given twice.

    Raises:
        UserError: with the file.
    """
    seen: dict[str, Path] = {}
    for file in files:
        real = os.path.realpath(file.path)
        if real in seen:
            also = "" if seen[real] == file.path else f" (also as {seen[real]})"
            raise UserError(f"annotations: {file.path} is given twice{also}; give every file once")
        seen[real] = file.path


def _several(paths: Paths) -> tuple[Path, ...]:
    return paths if isinstance(paths, tuple) else (paths,)

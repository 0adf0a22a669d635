"""The folders that images lie in, by the parts of their paths: what is below which, and where images are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

Parts = tuple[str, ...]
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def split_of(name: str) -> str | None:
    """The split that a folder's name means: `valid`, `Validation` and `val` are the same; None where it means none."""
    return _SPLITS.get(name.strip().lower())


class FolderTree:
    """Folders and the images in them.

    Args:
        files: images, as the parts of their paths below the root.
        folders: all folders, likewise.
    """

    def __init__(self, files: Iterable[Parts], folders: Iterable[Parts]) -> None:
        self.files = list(files)
        self._below = defaultdict[Parts, dict[str, None]](dict)
        for folder in folders:
            self._below[folder[:-1]][folder[-1]] = None
        self._direct = {parts[:-1] for parts in self.files}
        self._full = {folder[:depth] for folder in self._direct for depth in range(len(folder) + 1)}

    @property
    def image_folders(self) -> set[Parts]:
        """Folders that images lie in themselves."""
        return self._direct

    def holds_images(self, folder: Parts) -> bool:
        """Whether images lie in the folder or below it."""
        return folder in self._full

    def subfolders(self, folder: Parts) -> list[str]:
        """Names of the folders in a folder."""
        return list(self._below[folder])

    def subfolders_with_images(self, folder: Parts) -> list[str]:
        """Names of those that hold images, at any depth."""
        return [name for name in self._below[folder] if (*folder, name) in self._full]

"""The images of a folder: the one function by which every command lists them, and how a named one is found.

Files with a usual ending are taken as they are; the others are told by their first bytes. Whatever is not taken is
counted by kind and named, so that what is taken and what is passed over add up to the files of the folder.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.folders import image_kinds
from leansort.core.folders.folder_walk import PassedOverFile, Walk, note_passed_over, walk_store
from leansort.core.locations import remote_store
from leansort.core.locations.location import RemotePath, is_named

ENDINGS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})
SHOWN = "JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, HEIC"
NO_PICTURE = "no picture"
_RAW = frozenset(
    {".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf", ".pef"}
)
_NAMED = 3  # examples of each kind in one line


@dataclass(frozen=True)
class ImageFiles:
    """What a folder holds.

    Attributes:
        root: the folder.
        files: its images, sorted by the parts of their paths; each begins with `root`.
        folders: the folders below it that were looked into, relative to it.
        passed_over: everything else.
    """

    root: Path
    files: tuple[Path, ...]
    folders: tuple[Path, ...]
    passed_over: tuple[PassedOverFile, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many files of each kind were passed over."""
        return dict(Counter(item.kind for item in self.passed_over))

    def summary(self) -> str:
        """One line about what was passed over; empty where nothing was."""
        return summarize_passed_over(self.passed_over)


def list_image_files(root: Path) -> ImageFiles:
    """List the images below a folder, which may lie in a store. No image is decoded.

    Hidden files, and what tools leave, are passed over anywhere below `root`, which may lie in a hidden folder itself.
    Links are followed once; those that lead back, or to what is there already, are passed over.

    Raises:
        UserError: it is no folder, or cannot be read.
    """
    try:
        walk = walk_store(root) if isinstance(root, RemotePath) else Walk(str(root)).run()
    except OSError as error:
        raise UserError(f"folder {root}: {error.strerror or error}") from None
    files, passed = [], walk.passed_over
    for name in walk.files:
        why = "" if _ending(name) in ENDINGS else _no_picture(root / name, _ending(name))
        if why:
            passed.append(note_passed_over(why, name))
        else:
            files.append(root / name)
    return ImageFiles(root, tuple(files), tuple(Path(name) for name in walk.folders), tuple(passed))


def summarize_passed_over(passed: Iterable[PassedOverFile]) -> str:
    """One line: how many were passed over, of which kinds and endings, with some names; empty where none was."""
    kinds = defaultdict[str, list[str]](list)
    for item in passed:
        kinds[item.kind].append(item.name)
    parts = []
    for kind, names in kinds.items():
        listed = ", ".join(" ".join(name.split()) for name in names[:_NAMED]) + ", …" * (len(names) > _NAMED)
        parts.append(f"{len(names):,} {kind}{_endings(names) if kind == NO_PICTURE else ''}: {listed}")
    count = sum(map(len, kinds.values()))
    return f"passed over {count:,} file{'s' * (count > 1)}: {'; '.join(parts)}" if parts else ""


def _endings(names: Iterable[str]) -> str:
    counted = Counter(_ending(name) or "no ending" for name in names).most_common(5)
    return f" ({', '.join(f'{ending} {count:,}' for ending, count in counted)})"


def _ending(name: str) -> str:
    stem, dot, ending = name.rpartition("/")[2].rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def _no_picture(path: Path, ending: str) -> str:
    """Why a file of an unusual ending is not taken; empty where it is an image that can be decoded."""
    if ending in _RAW:
        return "camera raw, which is not read"
    try:
        kind = image_kinds.kind_of(_head(path))
    except OSError:
        return "file that cannot be read"
    if image_kinds.is_decodable(kind):
        return ""
    if line := image_kinds.install_hint(kind):
        return f"{kind}, which needs: {line}"
    return f"{kind}, which is not read" if kind in image_kinds.OTHER_PICTURES else NO_PICTURE


def _head(path: Path) -> bytes:
    if isinstance(path, RemotePath):
        return remote_store.read_head(str(path), image_kinds.HEAD)
    with path.open("rb") as file:
        return file.read(image_kinds.HEAD)


class KnownNames:
    """Names that are found by another Unicode form of themselves: é may be one character or two.

    An equal name goes first; a name that could mean two others is refused.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._forms: dict[str, list[str]] | None = None

    def match(self, name: str, what: str = "file name") -> str | None:
        """The known name that is meant; None where there is none.

        Raises:
            UserError: two known names are this one in other forms; `what` begins the line.
        """
        if name in self._names or name.isascii():
            return name if name in self._names else None
        if self._forms is None:
            self._forms = defaultdict(list)
            for known in self._names:
                self._forms[unicodedata.normalize("NFC", known)].append(known)
        result = self._forms.get(unicodedata.normalize("NFC", name), [])
        if len(result) > 1:
            raise UserError(f"{what}: {name!r} means {len(result)} files, which differ only in their Unicode form")
        return result[0] if result else None


class NamedFiles:
    """Files below a folder by their names, in whatever Unicode form the names and the files are."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[Path, KnownNames] = {}

    def path(self, name: str) -> Path:
        """Where the file of this name lies; `root / name` where there is none.

        Args:
            name: relative to the root, with forward slashes; may lie in folders.

        Raises:
            UserError: two files are meant.
        """
        exact = self.root / name
        if name.isascii() or is_named(exact):
            return exact
        place = self.root
        for part in Path(name).parts:
            hit = self._known(place).match(part, f"file name in {place}")
            if hit is None:
                return exact
            place = place / hit
        return place

    def _known(self, folder: Path) -> KnownNames:
        if folder not in self._folders:
            try:
                self._folders[folder] = KnownNames(path.name for path in folder.iterdir())
            except OSError:
                self._folders[folder] = KnownNames(())
        return self._folders[folder]

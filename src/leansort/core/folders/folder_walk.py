"""Every file below a folder, once: links are followed and known again, and what tools leave is passed over by name."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from leansort.core.locations import remote_store

HIDDEN, TOOL = "hidden", "left by a tool"
NOWHERE, CYCLE = "link that leads nowhere", "link to a folder that holds it"
AGAIN = "link to what is there already"
UNREADABLE, DEVICE = "folder that cannot be read", "pipe, socket or device"
NO_PATH = "name that no path can have"
# What file managers, notebooks, archives, network drives and editors leave, in small letters.
_TOOLS = frozenset({
    ".ds_store", ".ipynb_checkpoints", ".appledouble", ".spotlight-v100", ".trashes", ".fseventsd", ".directory",
    "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "recycler", "system volume information", "lost+found",
    "__macosx", "icon\r", "@eadir", "@tmp", "@__thumb", ".@__thumb", "#recycle", "#snapshot", "__pycache__",
    "picasa.ini", ".picasa.ini", ".picasaoriginals", ".thumbnails",
})  # fmt: skip
_LEFTOVERS = (
    "~", ".bak", ".backup", ".orig", ".tmp", ".temp", ".swp", ".part", ".partial", ".crdownload", ".download",
    "_original",
)  # fmt: skip
Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PassedOverFile:
    """A file or folder that is not taken.

    Attributes:
        kind: why.
        name: its path below the root, with forward slashes; bytes that are not UTF-8 as `\\udcXX`.
    """

    kind: str
    name: str


def note_passed_over(kind: str, name: str) -> PassedOverFile:
    """Note that a file or folder is not taken."""
    return PassedOverFile(kind, name.encode("utf-8", "backslashreplace").decode("utf-8"))


def reason(name: str) -> str:
    """Why a file or folder of this name is never taken; empty where its name is no reason."""
    low = name.lower()
    if low in _TOOLS or name.startswith("._"):
        return TOOL
    return HIDDEN if name.startswith(".") else ""


@dataclass
class Walk:
    """What lies below a folder; paths are relative to it, with forward slashes.

    Attributes:
        root: the folder.
        files: regular files that nothing speaks against.
        folders: the folders on the way to them.
        passed_over: all the rest.
    """

    root: str
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    passed_over: list[PassedOverFile] = field(default_factory=list)
    _links: list[str] = field(default_factory=list)
    _seen_folders: set[Identity] = field(default_factory=set)
    _seen_files: set[Identity] = field(default_factory=set)
    _following: bool = False

    def run(self) -> Walk:
        """Walk; what is really there comes before what links lead to, so that a copy by a link is the one passed over.

        Raises:
            OSError: the root cannot be read.
        """
        os.scandir(self.root).close()
        self._scan("")
        while self._links:
            self._following, links, self._links = True, sorted(self._links, key=_parts), []
            kinds = [self._followable(name) for name in links]
            for wanted in (stat.S_IFDIR, stat.S_IFREG):  # folders first: their files are no links
                for name, (kind, identity) in zip(links, kinds, strict=True):
                    if kind == wanted:
                        self._follow(name, kind, identity)
        return self.sorted()

    def sorted(self) -> Walk:
        """Put all in the order of the parts of their paths."""
        self.files.sort(key=_parts)
        self.folders.sort(key=_parts)
        self.passed_over.sort(key=lambda item: _parts(item.name))
        return self

    def _scan(self, start: str) -> None:
        """Walk the folder `start`; links are kept for later."""
        waiting = [start]
        while waiting:
            name = waiting.pop()
            path = os.path.join(self.root, name)
            try:
                identity = _identity(Path(path).stat())
                if identity in self._seen_folders:
                    self._pass(AGAIN, name)
                    continue
                with os.scandir(path) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except OSError:
                self._pass(UNREADABLE, name)
                continue
            self._seen_folders.add(identity)
            if name:
                self.folders.append(name)
            waiting += self._sorted_out(listed, f"{name}/" if name else "", identity[0])

    def _sorted_out(self, listed: list[os.DirEntry[str]], prefix: str, device: int) -> list[str]:
        """Deal with a folder's entries; returns the folders among them that are to be walked."""
        folders = []
        for entry in listed:
            name = prefix + entry.name
            if why := reason(entry.name):
                self._leave(name, why, folder=entry.is_dir(follow_symlinks=False))
            elif entry.is_symlink():
                self._links.append(name)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(name)
            elif not entry.is_file(follow_symlinks=False):
                self._pass(DEVICE, name)
            else:
                self._take(name, (device, entry.inode()))
        return folders

    def _take(self, name: str, identity: Identity) -> None:
        if self._following and identity in self._seen_files:
            self._pass(AGAIN, name)
        elif name.lower().endswith(_LEFTOVERS):
            self._pass(TOOL, name)
        else:
            self._seen_files.add(identity)
            self.files.append(name)

    def _leave(self, name: str, why: str, *, folder: bool) -> None:
        """Count a file, or every file of a folder, whose links are not followed."""
        if not folder:
            self._pass(why, name)
            return
        waiting = [name]
        while waiting:
            below = waiting.pop()
            try:
                with os.scandir(os.path.join(self.root, below)) as entries:
                    for entry in entries:
                        inside = entry.is_dir(follow_symlinks=False)
                        waiting += [f"{below}/{entry.name}"] if inside else []
                        self.passed_over += [] if inside else [note_passed_over(why, f"{below}/{entry.name}")]
            except OSError:
                self._pass(why, below)

    def _followable(self, name: str) -> tuple[int, Identity]:
        """What a link leads to; 0, and passed over, where it must not be followed."""
        path = os.path.join(self.root, name)
        try:
            result = Path(path).stat()
        except OSError:
            self._pass(NOWHERE, name)
            return 0, (0, 0)
        if stat.S_ISDIR(result.st_mode) and _holds(path, os.path.split(path)[0]):
            self._pass(CYCLE, name)
            return 0, (0, 0)
        if not (stat.S_ISDIR(result.st_mode) or stat.S_ISREG(result.st_mode)):
            self._pass(DEVICE, name)
            return 0, (0, 0)
        return stat.S_IFMT(result.st_mode), _identity(result)

    def _follow(self, name: str, kind: int, identity: Identity) -> None:
        if kind == stat.S_IFDIR:
            self._scan(name)
        else:
            self._take(name, identity)

    def _pass(self, kind: str, name: str) -> None:
        self.passed_over.append(note_passed_over(kind, name))


def walk_store(root: Path) -> Walk:
    """Walk a folder in a store, by the same rules; there are no links there.

    Raises:
        OSError: there is no such folder.
        LeansortError: the store refuses or does not answer.
    """
    walk = Walk(str(root))
    for name in remote_store.files_below(str(root)):
        parts = name.split("/")
        why = next((told for part in parts if (told := reason(part))), "")
        why = why or TOOL * name.lower().endswith(_LEFTOVERS) or NO_PATH * bool({"", ".", ".."}.intersection(parts))
        if why:
            walk.passed_over.append(note_passed_over(why, name))
        else:
            walk.files.append(name)
    above = {tuple(name.split("/")[:depth]) for name in walk.files for depth in range(1, name.count("/") + 1)}
    walk.folders = ["/".join(parts) for parts in above]
    return walk.sorted()


def _identity(stat_result: os.stat_result) -> Identity:
    return stat_result.st_dev, stat_result.st_ino


def _holds(folder: str, place: str) -> bool:
    outer, inner = os.path.realpath(folder), os.path.realpath(place)
    return os.path.commonpath([outer, inner]) == outer


def _parts(name: str) -> list[str]:
    return name.split("/")

"""Class folders: which folder means a class, which one a split, and which layouts mean neither for sure.

`ROOT/CLASS`, `ROOT/SPLIT/CLASS` and `ROOT/CLASS/SPLIT` are taken, also where everything lies in one more folder. What
could mean two things is refused with what to do, for a wrong guess puts test images into training.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.folders import twin_folders
from leansort.core.folders.folder_tree import FolderTree, Parts, split_of
from leansort.core.folders.folder_walk import UNREADABLE, PassedOverFile, note_passed_over
from leansort.core.folders.image_files import SHOWN, list_image_files, summarize_passed_over

BESIDE = "not in a class folder"
LISTED = (
    "; photos with a list of their labels are read by: leansort data import table LIST --images FOLDER; photos without "
    "labels can be learned from beside labelled ones, with a teacher: distill.unlabelled=FOLDER"
)
Place = tuple[Parts, str | None]
Meaning = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class PlacedImage:
    """An image with the class and the split that its folders say; None where they say no split."""

    file: Path
    label: str
    split: str | None


@dataclass(frozen=True)
class ClassFolders:
    """A folder of class folders.

    Attributes:
        root: the folder.
        images: in the order of their paths.
        classes: the names of all class folders, with images or without, in alphabetical order.
        empty: class folders without an image, relative to the root.
        passed_over: files that are not taken.
        wrapper: the folder, relative to the root, that everything lies in; empty where there is none.
    """

    root: Path
    images: tuple[PlacedImage, ...]
    classes: tuple[str, ...]
    empty: tuple[str, ...]
    passed_over: tuple[PassedOverFile, ...]
    wrapper: str


def find_class_folders(root: Path, named: Collection[str] = ()) -> ClassFolders:
    """Sort the images of a folder by the class folders that they lie in.

    Args:
        root: the folder.
        named: classes that the user names, whose folders mean these and nothing else.

    Raises:
        UserError: there is no such folder, no image in a class folder, a class folder cannot be read, or the layout
            may mean several things; the line says what to do.
    """
    if not root.is_dir():
        raise UserError(f"data folder: {root} is not there")
    listed = list_image_files(root)
    files = {path.relative_to(root).parts: path for path in listed.files}
    tree = FolderTree(files, [folder.parts for folder in listed.folders])
    base, places = _places(tree, root, frozenset(named))
    for place, _ in places:
        twin_folders.require_none(tree, place, root, named)
    meanings = _meanings(tree, places, root)
    beside = [note_passed_over(BESIDE, "/".join(parts)) for parts in files if parts[:-1] not in meanings]
    passed = (*listed.passed_over, *beside)
    _require_readable(listed.passed_over, places, root)
    if len(beside) == len(files):
        why = "; " * bool(passed) + summarize_passed_over(passed) + LISTED * bool(beside)
        raise UserError(f"data folder: {root} holds no pictures ({SHOWN}) in class folders{why}")
    pictures = tuple(PlacedImage(file, *meanings[p[:-1]]) for p, file in files.items() if p[:-1] in meanings)
    folders = [(*place, name) for place, split in places for name in _classes(tree, place, split)]
    empty = tuple("/".join(folder) for folder in folders if not tree.holds_images(folder))
    classes = tuple(sorted({folder[-1] for folder in folders}))
    _require_text(classes, root)
    return ClassFolders(root, pictures, classes, empty, passed, "/".join(base))


def _places(tree: FolderTree, root: Path, named: frozenset[str]) -> tuple[Parts, list[Place]]:
    """The folder that everything lies in, and the folders that hold class folders, each with its split."""
    base: Parts = ()
    while (inner := _wrapped(tree, base, named)) is not None:
        base = inner
    splits = [name for name in tree.subfolders_with_images(base) if split_of(name) and name not in named]
    if not splits:
        return (base, [(base, None)]) if len(tree.subfolders_with_images(base)) > 1 else ((), [((), None)])
    _require_one_each(splits, root.joinpath(*base))
    _require_no_classes_beside(tree, base, splits, root)
    empty = [name for name in tree.subfolders(base) if split_of(name) and name not in (*splits, *named)]
    places: list[Place] = [(_same_split(tree, (*base, name), root), split_of(name)) for name in (*splits, *empty)]
    return base, _unwrapped(tree, places, named)


def _wrapped(tree: FolderTree, base: Parts, named: frozenset[str]) -> Parts | None:
    """The one folder in `base` that everything lies in, where it can mean neither a class nor a split."""
    full = tree.subfolders_with_images(base)
    if len(full) != 1 or full[0] in named or split_of(full[0]):
        return None
    inner = (*base, full[0])
    splits = [(*inner, name) for name in tree.subfolders_with_images(inner) if split_of(name)]
    class_like = inner in tree.image_folders or any(split in tree.image_folders for split in splits)
    return None if class_like else inner


def _same_split(tree: FolderTree, place: Parts, root: Path) -> Parts:
    """Look through `train/train`; refuse `train/test`."""
    inner = [name for name in tree.subfolders_with_images(place) if split_of(name)]
    if not inner:
        return place
    here = root.joinpath(*place)
    if (
        len(tree.subfolders_with_images(place)) > 1
        or place in tree.image_folders
        or split_of(inner[0]) != split_of(place[-1])
    ):
        raise UserError(
            f"data folder: the split folder {here} holds the split folder {inner[0]!r} itself; give {here}, or move "
            f"{here / inner[0]} beside it"
        )
    return _same_split(tree, (*place, inner[0]), root)


def _unwrapped(tree: FolderTree, places: list[Place], named: frozenset[str]) -> list[Place]:
    """Look through a folder such as `images` that all class folders of all splits lie in."""
    full = [place for place, _ in places if tree.holds_images(place)]
    names = {name for place in full for name in tree.subfolders_with_images(place)}
    inner = [(*place, name) for place in full for name in names]
    classes = {name for place in inner for name in tree.subfolders_with_images(place)}
    if len(names) != 1 or names & named or set(inner) & tree.image_folders or len(classes) < 2:
        return places
    return [((*place, *names), split) for place, split in places]


def _classes(tree: FolderTree, place: Parts, split: str | None) -> list[str]:
    """Class folders of a place, with images or without; an empty split folder is none."""
    return [n for n in tree.subfolders(place) if split or not split_of(n) or tree.holds_images((*place, n))]


def _meanings(tree: FolderTree, places: Sequence[Place], root: Path) -> dict[Parts, Meaning]:
    """Class and split of every folder that holds images in a class folder."""
    meanings = {}
    for folder in tree.image_folders:
        for place, split in places:
            if folder[: len(place)] == place and len(folder) > len(place):
                meanings[folder] = _meaning(folder, place, split, root)
    _require_all_split_or_none(meanings, root)
    return meanings


def _meaning(folder: Parts, place: Parts, split: str | None, root: Path) -> Meaning:
    label, below = folder[len(place)], folder[len(place) + 1 :]
    split = split or (split_of(below[0]) if below else None)
    for depth, name in enumerate(below):
        if split_of(name) not in (None, split):
            where = root.joinpath(*folder[: len(place) + 2 + depth])
            raise UserError(
                f"data folder: {where} may mean the split {split_of(name)} or be a part of the class {label!r}"
                f"{f' in {split}' if split else ''}; lay out ROOT/SPLIT/CLASS or ROOT/CLASS/SPLIT, or rename the folder"
            )
    return label, split


def _require_all_split_or_none(meanings: dict[Parts, Meaning], root: Path) -> None:
    by_split = defaultdict[str | None, list[Parts]](list)
    for folder, (_, split) in sorted(meanings.items()):
        by_split[split].append(folder)
    if None in by_split and len(by_split) > 1:
        given = next(folder for split, folders in by_split.items() if split for folder in folders)
        raise UserError(
            f"data folder: pictures in {root.joinpath(*given)} are given a split by their folder, those in "
            f"{root.joinpath(*by_split[None][0])} are not; give all of them one, or none"
        )


def _require_one_each(splits: Sequence[str], where: Path) -> None:
    """Refuse `val` beside `valid`."""
    by_meaning = defaultdict[str | None, list[str]](list)
    for name in splits:
        by_meaning[split_of(name)].append(name)
    for meaning, names in by_meaning.items():
        if len(names) > 1:
            both = ", ".join(map(repr, names))
            raise UserError(f"data folder: {where} has {both}, which all mean {meaning}; keep one")


def _require_no_classes_beside(tree: FolderTree, base: Parts, splits: Sequence[str], root: Path) -> None:
    """Refuse `glass`, `paper` and `test/glass`: those beside would be left out."""
    classes = {name for split in splits for name in tree.subfolders_with_images((*base, split))}
    beside = [name for name in tree.subfolders_with_images(base) if name in classes and name not in splits]
    if beside:
        where = root.joinpath(*base)
        raise UserError(
            f"data folder: {where} has the class folder {beside[0]!r} beside the split folder {splits[0]!r}, "
            f"which has one of that name, too; move the class folders into a split folder, such as {where / 'train'}"
        )


def _require_text(names: Iterable[str], root: Path) -> None:
    """Refuse names that cannot be stored as a class."""
    for name in names:
        spelled = note_passed_over("", name).name
        if spelled != name:
            raise UserError(f"data folder: the name of the class folder {spelled!r} in {root} is not UTF-8; rename it")


def _require_readable(passed: Iterable[PassedOverFile], places: Sequence[Place], root: Path) -> None:
    """Refuse to go on without a whole class or split."""
    parents = {place for place, _ in places} | {place[:-1] for place, split in places if split}
    for item in passed:
        if item.kind == UNREADABLE and tuple(item.name.split("/"))[:-1] in parents:
            raise UserError(f"data folder: {root / item.name} may not be read")

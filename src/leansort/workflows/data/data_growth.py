"""`leansort data add|diff`: a data set that grows by newly labelled photos, and what two data sets differ in."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leansort.core import manifest as manifests
from leansort.core.damage.watch import DamagedImage, watch_images
from leansort.core.errors import UserError, not_one_of
from leansort.core.files.typed_result import TypedResult
from leansort.core.labels import normalize_name
from leansort.core.manifest import SPLITS, Manifest, Row
from leansort.core.preprocess import UnreadableImage
from leansort.core.process.console import bar, say
from leansort.core.run_folder import DataFolder
from leansort.core.text.table_files import is_csv
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import printable
from leansort.recipe.data_section import data_source
from leansort.workflows.data.import_data import warn

ADD, DIFF = "data add", "data diff"
_NAMED = 5


class AddResult(TypedResult):
    """A manifest that grew.

    Attributes:
        manifest: the new file.
        before: number of crops in the old one, all of which are kept.
        added: crops added by split and class.
        duplicates: new photos that are there already, by their bytes, with the same label; left out.
        conflicts: new photos that are there already with another label, as `NEW: LABEL, there OLD: LABEL`; left out.
        unreadable: new photos that cannot be read, and why; left out.
        followed: new photos whose group is there already, and that went where it is, whatever was asked for.
    """

    manifest: Path
    before: int
    added: dict[str, dict[str, int]]
    duplicates: tuple[str, ...]
    conflicts: tuple[str, ...]
    unreadable: tuple[str, ...]
    followed: int

    def headline(self) -> dict[str, str]:
        """Return how many crops there are and were added, and what was left out."""
        added = {split: sum(of.values()) for split, of in self.added.items()}
        return {
            "manifest": str(self.manifest),
            "before": f"{self.before:,} crops",
            "added": ", ".join(f"{split} {count:,}" for split, count in added.items()) or "nothing",
            "left out": f"{len(self.duplicates):,} there already, {len(self.conflicts):,} there with another label, "
            f"{len(self.unreadable):,} unreadable",
        }


@dataclass(frozen=True)
class ChangedRow:
    """A crop that two manifests both have, differently.

    Attributes:
        image: its name in the second one.
        before: label or split in the first one.
        after: label or split in the second one.
    """

    image: str
    before: str
    after: str


class DiffResult(TypedResult):
    """What a second manifest has differently from a first one; crops are told by the bytes of their files.

    Attributes:
        same: crops that are alike in both.
        added: crops of the second one alone.
        removed: crops of the first one alone.
        relabelled: crops with another label.
        moved: crops in another split.
        classes_added: classes of the second one alone.
        classes_removed: classes of the first one alone.
        reordered: whether the classes that both have stand in another order.
    """

    same: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    relabelled: tuple[ChangedRow, ...]
    moved: tuple[ChangedRow, ...]
    classes_added: tuple[str, ...]
    classes_removed: tuple[str, ...]
    reordered: bool

    def headline(self) -> dict[str, str]:
        """Return the counts."""
        return {
            "same": f"{self.same:,}",
            "added": f"{len(self.added):,}",
            "removed": f"{len(self.removed):,}",
            "relabelled": f"{len(self.relabelled):,}",
            "moved": f"{len(self.moved):,}",
        }


@dataclass(frozen=True)
class _NewPhoto:
    """A labelled photo to be added; `split` is empty where its source gives none."""

    path: Path
    label: str
    split: str
    group: str
    source: str
    box: tuple[float, float, float, float] | None


def add_photos(manifest: Path, new: Sequence[Path], out: Path, *, split: str = "") -> AddResult:
    """Make a manifest of an old one and newly labelled photos; old crops stay as they are, in their splits.

    Args:
        manifest: the old one.
        new: manifests, class folders, or lists in CSV with the columns image and label.
        out: new or empty folder for the manifest.
        split: of all new photos; where empty, the one that their source gives, else train: mined photos are no fair
            sample, by which nothing should be chosen or judged.

    Raises:
        UserError: a source cannot be used, has a class that the old manifest has not, or nothing is left to add.
    """
    if split and split not in SPLITS:
        raise not_one_of("--split", split, SPLITS)
    atomic_io.require_free(out, ADD)
    old = manifests.load(manifest)
    photos = [photo for path in new for photo in _photos(path, old)]
    root = Path(os.path.commonpath([old.root.resolve(), *(photo.path.resolve().parent for photo in photos)]))
    rows = [replace(row, image=_below(old.path(row), root)) for row in old.rows]
    grown = _Growth(rows, old.labels.names)
    with bar("reading photos") as advance, watch_images() as watch:
        for done, photo in enumerate(photos, 1):
            try:
                data = atomic_io.read_file(photo.path)
                watch.decode(data, target=64)
            except (OSError, DamagedImage, UnreadableImage) as error:
                grown.unreadable.append(f"{photo.path}: {getattr(error, 'strerror', None) or error}")
            else:
                digest = hashlib.sha256(data).hexdigest()[:32]
                grown.take(replace(photo, split=split or photo.split or "train"), digest, root)
            advance(done, len(photos))
    _say_left_out(grown)
    if not grown.added:
        raise UserError(f"{ADD}: nothing is left to add: all {len(photos):,} photos are there already or unreadable")
    notes = {**old.notes, "added": len(grown.added)}
    made = Manifest((*rows, *grown.added), old.labels, root, notes)
    made.save(DataFolder(out).manifest)
    warn(made)
    counted = Counter((row.split, row.label) for row in grown.added)
    names = old.labels.names
    return AddResult(
        manifest=DataFolder(out).manifest,
        before=len(rows),
        added={
            name: {label: counted[name, at] for at, label in enumerate(names) if counted[name, at]}
            for name in SPLITS
            if any(row.split == name for row in grown.added)
        },
        duplicates=tuple(grown.duplicates),
        conflicts=tuple(grown.conflicts),
        unreadable=tuple(grown.unreadable),
        followed=grown.followed,
    )


class _Growth:
    """Rows that are added to others, and what is left out."""

    def __init__(self, rows: Sequence[Row], labels: Sequence[str]) -> None:
        self.labels = labels
        self.known = {row.hash: row for row in rows}
        self.sides = {row.group: row.split for row in rows}
        self.added: list[Row] = []
        self.duplicates: list[str] = []
        self.conflicts: list[str] = []
        self.unreadable: list[str] = []
        self.followed = 0

    def take(self, photo: _NewPhoto, digest: str, root: Path) -> None:
        """Add a photo, unless it is there."""
        there, label = self.known.get(digest), self.labels.index(photo.label)
        if there is not None and there.label == label:
            self.duplicates.append(str(photo.path))
        elif there is not None:
            self.conflicts.append(f"{photo.path}: {photo.label}, there {there.image}: {self.labels[there.label]}")
        else:
            image = _below(photo.path, root)
            split = self.sides.setdefault(photo.group, photo.split)  # a group never straddles
            self.followed += split != photo.split
            row = Row(image, label, split, photo.group, digest, photo.source, photo.box)
            self.known[digest] = row
            self.added.append(row)


def _say_left_out(grown: _Growth) -> None:
    kinds = {
        "are there already": grown.duplicates,
        "are there with another label, which stays": grown.conflicts,
        "cannot be read": grown.unreadable,
    }
    for what, names in kinds.items():
        if names:
            more = "; …" * (len(names) > _NAMED)
            say(printable(f"{ADD}: left out {len(names):,} that {what}: {'; '.join(names[:_NAMED])}{more}"))
    if grown.followed:
        say(f"{ADD}: {grown.followed:,} photos go where their group is already, which never straddles two splits")


def _below(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path.resolve(), root)).as_posix()


def _photos(path: Path, old: Manifest) -> list[_NewPhoto]:
    """The labelled photos of a source.

    Raises:
        UserError: it cannot be used, or has a class that the old manifest has not.
    """
    if (path.is_dir() and DataFolder(path).manifest.exists()) or path.suffix == ".parquet":
        given = manifests.load(path)
        names = given.labels.names
        _require_known(names, old, path)
        return [
            _NewPhoto(given.path(row), names[row.label], row.split, row.group, row.source, row.box)
            for row in given.rows
        ]
    if not path.exists():
        raise UserError(f"{ADD}: {path} is not there")
    kind = "folder" if path.is_dir() else "table" if is_csv(path) else ""
    if not kind:
        raise UserError(f"{ADD}: {path} is no manifest, no folder of class folders and no CSV image,label")
    items = data_source({"source": kind, "path": path, "labels": tuple(old.labels.names)}).items()
    return [
        _NewPhoto(item.image, normalize_name(item.label), item.split or "", item.group, item.source, item.box)
        for item in items.items
    ]


def _require_known(names: Iterable[str], old: Manifest, path: Path) -> None:
    for name in names:
        old.labels.index(name, f"{ADD}: class of {path}")


def diff_manifests(first: Path, second: Path) -> DiffResult:
    """Compare two manifests crop by crop.

    Args:
        first: a manifest or its folder.
        second: another one.

    Raises:
        UserError: one of them cannot be read.
    """
    a, b = manifests.load(first), manifests.load(second)
    rest: dict[str, list[Row]] = defaultdict(list)
    for row in a.rows:
        rest[row.hash].append(row)
    added: list[str] = []
    relabelled: list[ChangedRow] = []
    moved: list[ChangedRow] = []
    same = 0
    for row in b.rows:
        if not rest[row.hash]:
            added.append(row.image)
            continue
        # Of several crops with the same bytes the one that is most alike.
        was = min(
            rest[row.hash],
            key=lambda old: (a.labels.names[old.label] != b.labels.names[row.label], old.split != row.split),
        )
        rest[row.hash].remove(was)
        before, after = a.labels.names[was.label], b.labels.names[row.label]
        if before != after:
            relabelled.append(ChangedRow(row.image, before, after))
        if was.split != row.split:
            moved.append(ChangedRow(row.image, was.split, row.split))
        same += before == after and was.split == row.split
    shared_a = [name for name in a.labels.names if name in b.labels.names]
    shared_b = [name for name in b.labels.names if name in a.labels.names]
    return DiffResult(
        same=same,
        added=tuple(added),
        removed=tuple(row.image for rows in rest.values() for row in rows),
        relabelled=tuple(relabelled),
        moved=tuple(moved),
        classes_added=tuple(name for name in b.labels.names if name not in shared_b),
        classes_removed=tuple(name for name in a.labels.names if name not in shared_a),
        reordered=shared_a != shared_b,
    )


def diff_text(result: DiffResult, most: int = 20) -> str:
    """Return what differs as lines of text, `most` names of each kind."""
    lines = [f"{result.same:,} crops are alike"]
    lists = {
        "added": list(result.added),
        "removed": list(result.removed),
        "relabelled": [f"{item.image}: {item.before} -> {item.after}" for item in result.relabelled],
        "moved": [f"{item.image}: {item.before} -> {item.after}" for item in result.moved],
        "classes added": list(result.classes_added),
        "classes removed": list(result.classes_removed),
    }
    for kind, names in lists.items():
        if names:
            lines += [f"{kind}: {len(names):,}", *(f"  {printable(name)}" for name in names[:most])]
            lines += [f"  and {len(names) - most:,} more"] * (len(names) > most)
    return "\n".join([*lines, "the order of the classes differs"] if result.reordered else lines)

"""From a source's items to a manifest: hashes, splits, and the count of what cannot be used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from leansort.core.damage.watch import DamagedImage, Watch, watch_images
from leansort.core.errors import UserError
from leansort.core.manifest import Manifest, Row, duplicates
from leansort.core.preprocess import UnreadableImage
from leansort.core.writing import atomic_io
from leansort.data.importing.class_selection import drop_empty_classes, normalize_labels, require_learnable
from leansort.data.importing.items import Item, Items
from leansort.data.quality.issues import Issues
from leansort.data.splits import SplitConfig, assign_splits, groups_across_splits

MAX_UNREADABLE = 0.01
UNREADABLE, DAMAGED = "picture cannot be read", "picture is damaged"
ProgressCallback = Callable[[int, int], None]


def build_manifest(
    items: Items,
    *,
    seed: int = 0,
    split: SplitConfig | None = None,
    tolerate: float = MAX_UNREADABLE,
    verify: bool = True,
    progress: ProgressCallback | None = None,
    keep: Collection[str] = (),
) -> tuple[Manifest, Issues]:
    """Make the manifest of a source.

    Args:
        items: what the source listed.
        seed: of the splits, where the source gives none.
        split: how to split, where the source gives no splits.
        tolerate: share of the images that may be unreadable or damaged; they are left out and named.
        verify: decode every image once, so that a corrupt one is named now and not in mid-training.
        progress: called with (done, all).
        keep: classes that stay although no crop shows them, or none in train.

    Returns:
        The manifest, whose classes have crops or are kept by name, and everything that was found wrong, by name.

    Raises:
        UserError: more images than tolerated cannot be read, one file is listed twice, no crop is left, two classes
            differ in case only, or no crop in train shows a class.
    """
    items = normalize_labels(items)
    doubled = duplicates([str(item.image) for item in items.items])
    if doubled:
        raise UserError(f"data: {len(doubled)} pictures are listed twice, first {doubled[0]}")
    rows: list[Row] = []
    faults = Issues()
    with watch_images() as watch, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        read = pool.map(lambda item: _hashed(item, watch if verify else None), items.items)
        for done, (item, (digest, kind, why)) in enumerate(zip(items.items, read, strict=True), 1):
            if kind:
                faults.add(kind, f"{item.image} {why}")
            else:
                rows.append(_row(item, digest, items))
            if progress:
                progress(done, len(items.items))
    _refuse_many(faults, len(items.items), tolerate)
    if not rows:
        raise UserError(f"data: no crop is left; counted: {items.notes or 'nothing'}")
    unreadable = faults.counts.total()
    left, labels, told = drop_empty_classes(rows, items.labels, keep, faults)
    notes = {**items.notes, **told, "unreadable": unreadable}
    faults.merge(items.faults)
    manifest = Manifest(_split(left, split or SplitConfig(), seed), labels, items.root, notes)
    torn = groups_across_splits(manifest.rows)
    if torn:
        raise UserError(f"data: {len(torn)} groups are given to more than one split, first {torn[0]!r}; that leaks")
    require_learnable(manifest)
    return manifest, faults


def _hashed(item: Item, watch: Watch | None) -> tuple[str, str, str]:
    """An image's hash, or the kind of its fault and what it is."""
    try:
        data = atomic_io.read_file(item.image)
        if watch:
            watch.decode(data, target=64)
    except OSError as error:
        return "", UNREADABLE, f"cannot be read ({error.strerror or error})"
    except DamagedImage as error:
        return "", DAMAGED, f"({error.why})"
    except UnreadableImage as error:
        return "", UNREADABLE, str(error)
    return hashlib.sha256(data).hexdigest()[:32], "", ""


def _row(item: Item, digest: str, items: Items) -> Row:
    image = Path(os.path.relpath(item.image, items.root)).as_posix()
    return Row(image, items.labels.index(item.label), item.split or "", item.group, digest, item.source, item.box)


def _refuse_many(faults: Issues, pictures: int, tolerate: float) -> None:
    count = faults.counts.total()
    if count > tolerate * pictures:
        raise UserError(
            f"data: {count} of {pictures} pictures cannot be read, at most {100 * tolerate:g} % are left out "
            f"(--tolerate); first: {faults.lines()[0]}"
        )


def _split(rows: Sequence[Row], config: SplitConfig, seed: int) -> tuple[Row, ...]:
    """Split what the source left open; where it gives train but no val, val is taken out of train, never of test."""
    given = {row.split for row in rows}
    if "" in given:
        fixed = {row.group: row.split for row in rows if row.split}
        open_ones = assign_splits([row for row in rows if row.group not in fixed], config, seed)
        sides = fixed | {row.group: row.split for row in open_ones}
        return tuple(replace(row, split=row.split or sides[row.group]) for row in rows)
    if "val" in given or "train" not in given:
        return tuple(rows)
    train = [row for row in rows if row.split == "train"]
    share = SplitConfig(method=config.method, train=0.85, val=0.15, test=0.0)
    sides = {row.group: row.split for row in assign_splits(train, share, seed)}
    return tuple(replace(row, split=sides[row.group]) if row.split == "train" else row for row in rows)

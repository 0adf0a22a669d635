"""From a source's items to a manifest: hashes, splits, and the count of what cannot be used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.manifest import Manifest, Row, duplicates
from leansort.core.preprocess import UnreadableImage, decode
from leansort.data.items import Item, Items
from leansort.data.splits import split_of

MAX_UNREADABLE = 0.01
Progress = Callable[[int, int], None]


def to_manifest(
    found: Items, *, seed: int = 0, verify: bool = True, progress: Progress | None = None
) -> tuple[Manifest, list[str]]:
    """Make the manifest of a source.

    Args:
        found: what the source listed.
        seed: of the splits, where the source gives none.
        verify: decode every picture once, so that a corrupt one is named now and not in mid-training.
        progress: called with (done, all).

    Returns:
        The manifest and one line for each picture that was left out, with the reason.

    Raises:
        UserError: more than 1 % of the pictures cannot be read, or one file is listed twice.
    """
    doubled = duplicates([str(item.image) for item in found.items])
    if doubled:
        raise UserError(f"data: {len(doubled)} pictures are listed twice, first {doubled[0]}")
    rows: list[Row] = []
    skipped: list[str] = []
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        read = pool.map(lambda item: _hashed(item, verify), found.items)
        for done, (item, (digest, fault)) in enumerate(zip(found.items, read, strict=True), 1):
            if fault:
                skipped.append(f"{item.image}: {fault}")
            else:
                rows.append(_row(item, digest, found, seed))
            if progress:
                progress(done, len(found.items))
    _refuse_many(skipped, len(found.items))
    notes = {**found.notes, "unreadable": len(skipped)}
    return _with_val(Manifest(tuple(rows), found.labels, found.root, notes), seed), skipped


def _hashed(item: Item, verify: bool) -> tuple[str, str]:
    try:
        data = item.image.read_bytes()
        if verify:
            decode(data, target=64)
    except OSError as error:
        return "", f"cannot be read ({error.strerror or error})"
    except UnreadableImage as error:
        return "", str(error)
    return hashlib.sha256(data).hexdigest()[:32], ""


def _row(item: Item, digest: str, found: Items, seed: int) -> Row:
    image = Path(os.path.relpath(item.image, found.root)).as_posix()
    split = item.split or split_of(item.group, seed)
    return Row(image, found.labels.index(item.label), split, item.group, digest, item.source, item.box)


def _refuse_many(skipped: list[str], all_items: int) -> None:
    if len(skipped) > MAX_UNREADABLE * all_items:
        raise UserError(
            f"data: {len(skipped)} of {all_items} pictures cannot be read, at most "
            f"{MAX_UNREADABLE:.0%} are skipped; first: {skipped[0]}"
        )


def _with_val(manifest: Manifest, seed: int) -> Manifest:
    """Where a source gives train but no val, take val out of train: choosing on test would spoil it."""
    if {row.split for row in manifest.rows} & {"val"}:
        return manifest
    ratios = {"train": 0.85, "val": 0.15}
    rows = (
        replace(row, split=split_of(row.group, seed, ratios)) if row.split == "train" else row for row in manifest.rows
    )
    return replace(manifest, rows=tuple(rows))

"""`leansort data split`: give the crops of a manifest new splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from leansort.core import manifest as manifests
from leansort.core.errors import UserError
from leansort.core.manifest import SPLITS, Manifest, Row
from leansort.core.process.console import bar
from leansort.core.run_folder import DataFolder
from leansort.core.text.name_lists import read_names
from leansort.core.writing import atomic_io
from leansort.data.quality import near_duplicates
from leansort.data.quality.dataset_check import check_dataset
from leansort.data.splits import SplitConfig, assign_folds, assign_splits, split_by_lists
from leansort.workflows.data.data_results import SplitResult
from leansort.workflows.data.import_data import warn


def parse_fractions(text: str, method: str) -> SplitConfig:
    """Read fractions such as `0.7,0.15,0.15`: train, val, test.

    Raises:
        UserError: not three numbers from 0 to 1 that add up to 1, or an unknown method.
    """
    try:
        values = [float(part) for part in text.split(",")]
        return SplitConfig.model_validate({"method": method, **dict(zip(SPLITS, values, strict=True))})
    except ValueError as error:  # pydantic's errors are among these
        reason = str(error.errors()[0]["msg"]) if hasattr(error, "errors") else "need three numbers"
        raise UserError(f"split: got {method!r} {text!r}: {reason}; e.g. 0.7,0.15,0.15 for train, val, test") from None


def group_duplicates(manifest: Manifest) -> Manifest:
    """Put pictures that show the same, and the groups that they are in, into one group."""
    with bar("looking at pictures") as advance:
        pairs = check_dataset(manifest.rows, manifest.labels, manifest.root, progress=advance).pairs
    names = sorted({row.group for row in manifest.rows})
    number = {name: index for index, name in enumerate(names)}
    joined = [(number[manifest.rows[p.first].group], number[manifest.rows[p.second].group]) for p in pairs]
    cluster = near_duplicates.clusters(len(names), joined)
    rows = tuple(replace(row, group=names[cluster[number[row.group]]]) for row in manifest.rows)
    return replace(manifest, rows=rows)


def read_name_lists(paths: dict[str, Path], rows: Sequence[Row], where: str) -> dict[str, Sequence[str]]:
    """Read the lists of names of each split, one a line: of the crops' files, or of the photos they were cut from.

    Args:
        paths: the list of each split.
        rows: the crops.
        where: names them in the error.

    Raises:
        UserError: a list cannot be read, or has a name that no crop has.
    """
    known = {row.image for row in rows} | {row.source for row in rows}
    return {split: read_names(path, f"split lists: {split} list", known, where) for split, path in paths.items()}


def split_manifest(
    path: Path,
    out: Path,
    *,
    config: SplitConfig,
    seed: int,
    by_duplicates: bool = False,
    fold: tuple[int, int] | None = None,
    lists: dict[str, Path] | None = None,
    keep: Path | None = None,
) -> SplitResult:
    """Split a manifest anew and write it to `out`; the old one stays.

    Args:
        path: the manifest.
        out: the folder for the new one.
        config: method and fractions.
        seed: of the hash.
        by_duplicates: also keep near-duplicates on one side.
        fold: (fold, folds): this fold becomes val, the others train, test stays.
        lists: names of each split, one a line.
        keep: a manifest whose groups stay in the splits that they have there.

    Raises:
        UserError: the fractions, fold or lists cannot be used.
    """
    atomic_io.require_free(out, "data split")
    manifest = manifests.load(path)
    before = {row.image: row.split for row in manifest.rows}
    manifest = group_duplicates(manifest) if by_duplicates else manifest
    rows = _rows(manifest.rows, config, seed, fold, lists, keep)
    made = replace(manifest, rows=rows)
    made.save(DataFolder(out).manifest)
    warn(made)
    counts = {name: dict(zip(made.labels.names, made.counts(name), strict=True)) for name in SPLITS}
    return SplitResult(
        splits={name: of for name, of in counts.items() if any(of.values())},
        groups=len({row.group for row in rows}),
        moved=sum(before[row.image] != row.split for row in rows),
    )


def _rows(
    rows: tuple[Row, ...],
    config: SplitConfig,
    seed: int,
    fold: tuple[int, int] | None,
    lists: dict[str, Path] | None,
    keep: Path | None,
) -> tuple[Row, ...]:
    if lists:
        return split_by_lists(rows, read_name_lists(lists, rows, "the manifest"))
    if fold:
        return assign_folds(rows, fold[1], fold[0], seed)
    kept = {row.group: row.split for row in manifests.load(keep).rows} if keep else None
    return assign_splits(rows, config, seed, kept)

"""`leansort data check`: what is wrong with a data set, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from leansort.core import manifest as manifests
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.locations.location import is_remote, location
from leansort.core.manifest import Row
from leansort.core.pixels import Image
from leansort.core.preprocess import UnreadableImage, decode
from leansort.core.process.console import bar
from leansort.core.run_folder import DataFolder
from leansort.core.writing.escaping import printable
from leansort.data.download.store_copies import bring
from leansort.data.quality.dataset_check import DatasetCheck, DuplicatePair, check_dataset
from leansort.data.quality.issues import Issues
from leansort.data.sources import folder
from leansort.report.sheets import Section, Sheet, Tile, to_html
from leansort.workflows.data.data_results import CheckResult, DuplicateImages
from leansort.workflows.data.import_data import issue_counts

MOST_PAIRS = 200
PICTURE = 200  # px, longer side of a picture on a page


def check_data(path: Path, radius: int | None = None) -> tuple[DatasetCheck, Path]:
    """Check a manifest, or class folders that were not imported yet.

    Returns:
        What was found, and the folder that the pictures' names are relative to.

    Raises:
        UserError: there is neither a manifest nor class folders.
        MachineError: they lie in a store that refuses or does not answer.
    """
    given, path = location(path), bring(location(path))
    rows, labels, root, faults = open_dataset(path)
    if is_remote(given) and not root.resolve().is_relative_to(path.resolve() if path.is_dir() else path.parent):
        raise UserError(f"data check: the photos of {given} lie outside of its folder; name the folder that holds both")
    with bar("looking at pictures") as advance:
        checked = check_dataset(rows, labels, root, radius=radius, progress=advance)
    checked.faults.merge(faults)
    return checked, root


def open_dataset(path: Path) -> tuple[Sequence[Row], LabelSet, Path, Issues]:
    """Rows, classes and root of a manifest or of class folders, and what was wrong on the way.

    Rows without a split carry an empty one.
    """
    if path.is_file() or DataFolder(path).manifest.is_file():
        manifest = manifests.load(path)
        return manifest.rows, manifest.labels, manifest.root, Issues()
    result = folder.FolderSource(folder.FolderConfig(path=path)).items()
    names = [item.image.relative_to(result.root).as_posix() for item in result.items]
    rows = [
        Row(name, result.labels.index(item.label), item.split or "", item.group, "", item.source)
        for name, item in zip(names, result.items, strict=True)
    ]
    return rows, result.labels, result.root, result.faults


def summarize_check(checked: DatasetCheck) -> CheckResult:
    """The check as a result, with the pictures' names in the place of their numbers."""
    pairs = tuple(
        DuplicateImages(
            checked.rows[pair.first].image,
            checked.rows[pair.second].image,
            pair.kind,
            round(pair.likeness, 4),
            pair.across,
            pair.conflict,
        )
        for pair in checked.pairs
    )
    return CheckResult(
        pictures=len(checked.rows),
        leaks=checked.leaks,
        unusable=checked.unusable,
        pairs=pairs,
        findings=issue_counts(checked.faults),
        counts=checked.counts,
        imbalance=checked.imbalance,
        longer_sides=checked.longer_sides,
        aspects=checked.aspects,
    )


def table(checked: DatasetCheck) -> str:
    """What was found, as text: counts, findings, and one line a pair."""
    splits = ", ".join(f"{name or 'no split'} {sum(of.values()):,}" for name, of in checked.counts.items())
    lines = [f"pictures: {len(checked.rows):,} ({splits})"]
    for split, of in checked.counts.items():
        ratio = checked.imbalance[split]
        lines.append(f"  {split or 'no split'}: {of}  most to fewest {ratio:g}")
    for title, histogram in _histograms(checked).items():
        lines.append(f"{title}: " + ", ".join(f"{k}: {n:,}" for k, n in histogram.items() if n))
    lines += [printable(f"{kind}: {count:,}") for kind, count in checked.faults.counts.items()]
    lines += [f"  {line}" for line in checked.faults.lines()]
    lines += [_line(checked, pair) for pair in checked.pairs]
    return "\n".join([*lines, _summary(checked)])


def _summary(checked: DatasetCheck) -> str:
    pairs = checked.pairs
    return (
        f"{len(pairs)} pairs show the same: {sum(p.kind == 'exact' for p in pairs)} exact, "
        f"{sum(p.across for p in pairs)} across splits, {sum(p.conflict for p in pairs)} under two labels"
    )


def _line(checked: DatasetCheck, pair: DuplicatePair) -> str:
    names = checked.labels.names
    first, second = checked.rows[pair.first], checked.rows[pair.second]
    marks = " ACROSS SPLITS" * pair.across
    marks += f" TWO LABELS ({names[first.label]}, {names[second.label]})" if pair.conflict else ""
    return printable(f"  {pair.kind} {pair.likeness:.3f}  {first.image}  {second.image}{marks}")


def page(checked: DatasetCheck, root: Path, title: str) -> str:
    """The check as a page with the pictures."""
    across = [pair for pair in checked.pairs if pair.across]
    within = [pair for pair in checked.pairs if not pair.across]
    parts = (("Pairs across splits", across), ("Pairs within a split", within))
    sections = [_pairs(checked, root, name, pairs) for name, pairs in parts if pairs]
    counts = checked.faults.counts
    cards = [
        ("pictures", f"{len(checked.rows):,}", f"{len(checked.labels)} classes"),
        ("pairs across splits", str(len(across)), "the same picture to learn from and to be judged by"),
        ("under two labels", str(sum(pair.conflict for pair in checked.pairs)), "one of the two is wrong"),
        ("unreadable or damaged", str(checked.unusable), "left out by an import"),
    ]
    result = [(kind, count, checked.faults.examples[kind]) for kind, count in counts.most_common()]
    sheet = Sheet(title, _summary(checked) + ".", sections, cards, result, checked.counts, _histograms(checked))
    return to_html(sheet)


def _histograms(checked: DatasetCheck) -> dict[str, dict[str, int]]:
    return {"longer side, px": checked.longer_sides, "aspect": checked.aspects}


def _pairs(checked: DatasetCheck, root: Path, title: str, pairs: Sequence[DuplicatePair]) -> Section:
    shown = pairs[:MOST_PAIRS]
    names = checked.labels.names
    tiles = [
        Tile(small_picture(root / row.image), f"{row.image} ({names[row.label]})")
        for pair in shown
        for row in (checked.rows[pair.first], checked.rows[pair.second])
    ]
    notes = [f"{pair.kind} {pair.likeness:.3f}{', two labels' * pair.conflict}" for pair in shown]
    hint = f"The first {MOST_PAIRS} of {len(pairs)}." if len(pairs) > MOST_PAIRS else ""
    return Section(title, tiles, hint, across=2, notes=notes)


def small_picture(path: Path) -> Image | None:
    """An image as a page shows it, (h, w, 3) RGB; None where it cannot be read."""
    try:
        bgr = decode(path.read_bytes(), PICTURE)
    except (OSError, UnreadableImage):
        return None
    scale = min(1.0, PICTURE / max(bgr.shape[:2]))
    size = (max(1, round(bgr.shape[1] * scale)), max(1, round(bgr.shape[0] * scale)))
    small = cv2.cvtColor(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    return np.asarray(small, np.uint8)

"""What a run's data is like: crops by split and class, and what its import found wrong."""

from __future__ import annotations

from leansort.core.files.typed_result import JsonObject
from leansort.core.manifest import Manifest
from leansort.core.run_folder import RunFolder
from leansort.report.parts.evidence_content import DataHealth
from leansort.workflows.data.data_results import CorrectionRecord, ImportRecord

SPLITS = ("train", "val", "test")


def data_health(folder: RunFolder, manifest: Manifest) -> DataHealth:
    """Sum up a manifest and, where it was imported into the same folder, the record of its import.

    Raises:
        IntegrityError: the record is not what was written.
    """
    names = manifest.labels.names
    there = {row.split for row in manifest.rows}
    splits = {
        split: dict(zip(names, map(int, manifest.counts(split)), strict=True)) for split in SPLITS if split in there
    }
    record = folder.import_record.read_if_there(ImportRecord, "report")
    groups = len({row.group for row in manifest.rows})
    notes = [f"{len(manifest.rows):,} crops in {groups:,} groups, each of which lies on one side of the split."]
    notes += _balance(splits)
    if record is None:
        return DataHealth(splits, (), tuple(notes))
    findings = tuple(
        (what.replace("_", " "), issue.count, issue.examples)
        for what, issue in sorted(record.faults.items(), key=lambda item: -item[1].count)
        if issue.count
    )
    notes += [*record.warnings, *_corrections(record.corrections), *_counted(record.notes)]
    if not findings:
        notes.append("The import found no faulty photo or box.")
    return DataHealth(splits, findings, tuple(notes))


def _balance(splits: dict[str, dict[str, int]]) -> list[str]:
    """How uneven the classes of the training crops are."""
    counts = {name: count for name, count in splits.get("train", {}).items() if count}
    if len(counts) < 2:
        return []
    most, least = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    times = counts[most] / counts[least]
    return [f"In train the largest class, {most}, has {times:.1f} times the crops of the smallest, {least}."]


def _corrections(record: CorrectionRecord | None) -> list[str]:
    if record is None:
        return []
    changed, dropped = len(record.relabelled), len(record.dropped)
    return [f"A corrections file gave {changed:,} photos another class and dropped {dropped:,}."]


def _counted(notes: JsonObject) -> list[str]:
    """What else an import counted, where it is plain numbers."""
    counted = [f"{what.replace('_', ' ')} {n:,}" for what, n in notes.items() if isinstance(n, int) and n]
    return [f"Counted by the import: {', '.join(counted)}."] if counted else []

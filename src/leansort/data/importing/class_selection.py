"""Which classes a data set has: each in one spelling, none without a crop, and none that no network could learn.

Sources list labels as they are written; `to_manifest` hands everything through here, so that order and digest of the
labels are those of the classes that remain, whatever the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from leansort.core.errors import UserError
from leansort.core.labels import LabelSet, count_respelled, normalize_name, require_distinct
from leansort.core.manifest import SPLITS, Manifest, Row
from leansort.data.importing.items import Items
from leansort.data.quality.issues import Issues

EMPTY = "class without a crop, left out (--keep-classes keeps it)"
KEPT_EMPTY = "class without a crop, kept as asked"
RESPELLED = "label in another spelling"
LEFT_OUT, KEPT = "classes left out", "classes kept by name"  # notes of a manifest
FEWEST = 5  # crops in train, under which a class hangs on luck


def normalize_labels(result: Items) -> Items:
    """Give every class one spelling; what was spelled otherwise is counted and named.

    Raises:
        UserError: two classes differ in case or Unicode form only.
    """
    names = tuple(dict.fromkeys(map(normalize_name, result.labels.names)))
    told = count_respelled(item.label for item in result.items)
    if not told and names == result.labels.names:
        return result
    faults = Issues()
    for entry, times in told.items():
        faults.add(RESPELLED, f"{entry}, {times} crop{'s' * (times > 1)}")
    faults.merge(result.faults)
    items = [replace(item, label=normalize_name(item.label)) for item in result.items] if told else result.items
    return replace(result, items=items, labels=LabelSet.of(names, "data"), faults=faults)


def find_kept_classes(labels: LabelSet, keep: Iterable[str]) -> tuple[str, ...]:
    """The classes that the user keeps by name.

    Raises:
        UserError: there is no such class in the data.
    """
    return tuple(labels.names[labels.index(name, "data.keep_classes")] for name in keep)


def drop_empty_classes(
    rows: Sequence[Row], labels: LabelSet, keep: Collection[str], faults: Issues
) -> tuple[list[Row], LabelSet, dict[str, list[str]]]:
    """Leave out the classes without a crop, except those that are kept by name.

    Args:
        rows: crops, labelled by index in `labels`.
        labels: all classes that the source names.
        keep: the classes that stay, crops or none.
        faults: gets each class without a crop.

    Returns:
        The rows and classes that remain, and notes for the manifest.

    Raises:
        UserError: two classes differ in case or Unicode form only, or fewer than two remain.
    """
    kept, counted = find_kept_classes(labels, keep), Counter(row.label for row in rows)
    empty = [name for at, name in enumerate(labels.names) if not counted[at]]
    gone = [name for name in empty if name not in kept]
    for name in empty:
        faults.add(EMPTY if name in gone else KEPT_EMPTY, name)
    remaining = [name for name in labels.names if name not in gone]
    require_distinct(remaining, "data")
    if len(remaining) < 2:
        raise UserError(
            f"data: only {', '.join(remaining)} has crops, a classifier needs two classes or more; {_few(gone)}"
        )
    index = {at: remaining.index(name) for at, name in enumerate(labels.names) if name in remaining}
    notes = {LEFT_OUT: gone} if gone else {}
    notes |= {KEPT: list(kept)} if kept else {}
    return [replace(row, label=index[row.label]) for row in rows], LabelSet.of(remaining), notes


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"without a crop: {', '.join(names[:12]) or 'none'}{more}"


def require_learnable(manifest: Manifest, keep: Collection[str] = ()) -> None:
    """Refuse classes that no crop in train shows: no network can learn them.

    Args:
        manifest: the data; without a train split they are for scoring, and nothing is refused.
        keep: classes that the user asks for by name, beside those that the import was asked for.

    Raises:
        UserError: with the crops of each such class in the other splits.
    """
    train, val, test = (manifest.counts(split) for split in ("train", "val", "test"))
    asked = {*find_kept_classes(manifest.labels, keep), *manifest.notes.get(KEPT, ())}
    lost = [at for at, name in enumerate(manifest.labels.names) if not train[at] and name not in asked]
    if not any(train) or not lost:
        return
    names = [manifest.labels.names[at] for at in lost]
    told = ", ".join(f"{manifest.labels.names[at]} (val {val[at]}, test {test[at]})" for at in lost[:12])
    raise UserError(
        f"data: {len(lost)} of {len(train)} classes have no crop in train, so that no network can learn them: {told}; "
        "add crops to train, split by class (data.split.method=class, --split class), leave the class out of the "
        f"data, or keep it by name (data.keep_classes, --keep-classes {','.join(names[:3])})"
    )


def scarce_class_warnings(manifest: Manifest) -> list[str]:
    """What the crops of each class and split do to the score, a sentence for each class that is short of them."""
    counts = {split: of for split in SPLITS if any(of := manifest.counts(split))}
    result = []
    for at, name in enumerate(manifest.labels.names):
        if not any(of[at] for of in counts.values()):
            result.append(f"class '{name}' has no crop at all: no network will learn it, and macro-F1 leaves it out")
            continue
        if "train" in counts and counts["train"][at] < FEWEST:
            result.append(_short(name, counts["train"][at], len(manifest.labels)))
        for split, use in (("val", "which chooses the best epoch and fits thresholds"), ("test", "the final score")):
            if split in counts and not counts[split][at]:
                result.append(f"class '{name}' has no crop in {split}: {split} macro-F1, {use}, leaves it out")
    return result


def _short(name: str, crops: int, classes: int) -> str:
    if not crops:
        return f"class '{name}' has no crop in train: it is never right, which takes 1/{classes} off macro-F1"
    return (
        f"class '{name}' has {crops} crop{'s' * (crops > 1)} in train, fewer than {FEWEST}: its F1, 1/{classes} of "
        "macro-F1, hangs on luck"
    )

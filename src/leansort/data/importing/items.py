"""What a source yields: a labelled image on disk, before splits and hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from leansort.core.labels import LabelSet
from leansort.data.quality.issues import Issues

PHOTO, MAP, CORRECTIONS = "photo", "category map", "corrections file"  # kinds of files that an import reads
WITHOUT = "classes without a crop"  # in a survey; the import leaves them out


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled crop as a source found it.

    Attributes:
        image: the crop's file.
        label: class name.
        split: given by the source, or None where the import has to decide.
        group: what must not straddle a split.
        source: the photo that the crop was cut from, as the data set names it.
        box: x, y, width, height in pixels of `source`, or None for a whole image.
    """

    image: Path
    label: str
    split: str | None
    group: str
    source: str
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Items:
    """All crops of a source.

    Attributes:
        items: in a fixed order.
        labels: the classes, in the order that the network will have.
        root: the folder that holds the images.
        notes: what was counted on the way (clipped, dropped, skipped …).
        faults: the same by name.
        inputs: the files that were read, each with what it is, which a resumed run compares; None where the source does
            not say. A source that does also has `inputs()`, which lists them without importing anything.
    """

    items: Sequence[Item]
    labels: LabelSet
    root: Path
    notes: dict[str, Any] = field(default_factory=dict)
    faults: Issues = field(default_factory=Issues)
    inputs: Mapping[Path, str] | None = None

    def having_read(self, files: Mapping[Path | None, str]) -> Items:
        """The same with the images and these further files as what was read; None stands for a file not given."""
        more = {path: kind for path, kind in files.items() if path is not None}
        return replace(self, inputs={**{item.image: PHOTO for item in self.items}, **more})


def count_items(items: Items) -> dict[str, Any]:
    """Items by split and class, and what the source counted."""
    counted = Counter((item.split or "not split yet", item.label) for item in items.items)
    splits = {split: {name: counted[split, name] for name in items.labels.names} for split, _ in counted}
    shown = {item.label for item in items.items}
    empty = [name for name in items.labels.names if name not in shown]
    return {"splits": splits, "notes": items.notes, **({WITHOUT: empty} if empty else {})}

"""What the commands of `leansort data` return."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, JsonValue

from leansort.core.errors import IntegrityError
from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.data.importing.corrections import AppliedCorrection

SplitCounts = dict[str, dict[str, int]]  # crops by split and class


class SampleResult(TypedResult):
    """A sample data set that was drawn.

    Attributes:
        annotations: its COCO file; of a video the lines of what is where in each frame.
        scenes: number of photos by split; empty of a video.
        boxes: number of objects in them; of a video number of boxes in all frames.
        video: the video, where one was drawn.
        frames: number of its frames.
        objects: number of objects that are seen in it.
    """

    annotations: Path
    scenes: dict[str, int]
    boxes: int
    video: Path | None = None
    frames: int = 0
    objects: int = 0


class ImportResult(TypedResult):
    """What an import gave.

    Attributes:
        splits: crops by split and class.
        notes: what else was counted, by what it is.
    """

    splits: SplitCounts
    notes: JsonObject

    def headline(self) -> dict[str, str]:
        """Return the crops of each split and class."""
        return {split: ", ".join(f"{name} {n:,}" for name, n in of.items()) for split, of in self.splits.items()}


@dataclass(frozen=True)
class IssueCount:
    """How often something was wrong.

    Attributes:
        count: of the pictures or boxes.
        examples: the first of them by name.
    """

    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class CorrectionRecord:
    """What an import took from a corrections file, each photo by name.

    Attributes:
        file: the corrections file, absolute.
        relabelled: photos that got another class.
        dropped: photos that were left out.
        confirmed: photos whose row has the class that they have anyway.
        undecided: number of rows with an empty label.
    """

    file: str
    relabelled: tuple[AppliedCorrection, ...] = ()
    dropped: tuple[AppliedCorrection, ...] = ()
    confirmed: tuple[str, ...] = ()
    undecided: int = 0


class ImportRecord(ImportResult):
    """What an import gave, and what it was made of: `import.json`.

    Attributes:
        faults: what was wrong, by kind.
        warnings: classes that are short of crops, a sentence each.
        corrections: what a corrections file changed; None where none was given.
        data: the recipe's `data` section with absolute paths; None in files from before it was kept.
        seed: of the splits; None likewise.
    """

    faults: dict[str, IssueCount] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    corrections: CorrectionRecord | None = None
    data: JsonObject | None = None
    seed: int | None = None


class SurveyResult(TypedResult):
    """What an import would give; its JSON has the parts themselves.

    Attributes:
        parts: a count, or counts by name, by what was counted.
    """

    parts: dict[str, JsonValue]

    def to_json(self) -> JsonObject:
        """Return the parts and the version."""
        return {"version": self.VERSION, **self.parts}

    @classmethod
    def from_json(cls, tree: object, where: str) -> Self:
        """Read what `to_json` gave; see `TypedResult.from_json`."""
        if not isinstance(tree, dict):
            raise IntegrityError(f"{where}: the whole: need an object")
        parts = {name: value for name, value in tree.items() if name != "version"}
        version = {name: value for name, value in tree.items() if name == "version"}
        return super().from_json({**version, "parts": parts}, where)

    def headline(self) -> dict[str, str]:
        """Return each part in a line."""
        named = {k: v for k, v in self.parts.items() if not isinstance(v, dict)}
        counted = {k: ", ".join(f"{n} {c}" for n, c in v.items()) for k, v in self.parts.items() if isinstance(v, dict)}
        return {**{name: str(value) for name, value in named.items()}, **counted}


class SplitResult(TypedResult):
    """A manifest that was split anew.

    Attributes:
        splits: crops by split and class.
        groups: number of groups, which stay on one side.
        moved: number of crops that changed sides.
    """

    splits: SplitCounts
    groups: int
    moved: int


@dataclass(frozen=True)
class CachedSplit:
    """The decoded crops of a split.

    Attributes:
        crops: number of them.
        size: side in pixels.
        bytes: of the file.
    """

    crops: int
    size: int
    bytes: int


class CacheResult(TypedResult):
    """Decoded crops that were written, by split; None where a split has no crops.

    Attributes:
        train: crops to train on, larger than the network's input.
        val: crops to choose on.
        test: crops to score on.
    """

    train: CachedSplit | None = None
    val: CachedSplit | None = None
    test: CachedSplit | None = None

    @property
    def splits(self) -> dict[str, CachedSplit]:
        """The splits that have crops, by name."""
        listed = {"train": self.train, "val": self.val, "test": self.test}
        return {name: split for name, split in listed.items() if split}

    def to_json(self) -> JsonObject:
        """Return the splits that have crops, and the version."""
        return {name: value for name, value in super().to_json().items() if value is not None}


@dataclass(frozen=True)
class DuplicateImages:
    """Two pictures that show the same.

    Attributes:
        first: path of one of them, relative to the data's folder.
        second: path of the other.
        kind: `exact` (equal files) or `near`.
        likeness: correlation after alignment, 0-1.
        across: whether they are in different splits.
        conflict: whether they have different labels.
    """

    first: str
    second: str
    kind: str
    likeness: float
    across: bool
    conflict: bool


class CheckResult(TypedResult):
    """What is wrong with a data set.

    Attributes:
        pictures: number of them.
        leaks: pairs across splits, and groups on both sides of one.
        unusable: pictures that cannot be read or are damaged.
        pairs: exact and near duplicates, across splits first.
        findings: what was met in single pictures and groups, by kind.
        counts: pictures by split and class.
        imbalance: crops of the most frequent class over those of the rarest, by split.
        longer_sides: histogram of the longer side in pixels.
        aspects: histogram of width over height.
    """

    pictures: int
    leaks: int
    unusable: int = 0
    pairs: tuple[DuplicateImages, ...]
    findings: dict[str, IssueCount]
    counts: SplitCounts
    imbalance: dict[str, float]
    longer_sides: dict[str, int] = Field(alias="longer side, px")
    aspects: dict[str, int] = Field(alias="aspect")

    def headline(self) -> dict[str, str]:
        """Return counts of pictures, leaks, pairs and of each kind of finding."""
        kinds = {kind: f"{item.count:,}" for kind, item in self.findings.items()}
        return {
            "pictures": f"{self.pictures:,}",
            "leaks": f"{self.leaks:,}",
            "unusable": f"{self.unusable:,}",
            "pairs that show the same": f"{len(self.pairs):,}",
            **kinds,
        }

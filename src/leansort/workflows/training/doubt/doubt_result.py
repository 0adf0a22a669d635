"""What `leansort data doubt` comes to, as a result, as text, and as the CSV files for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from leansort.core.files.typed_result import TypedResult
from leansort.core.text.columns import align_columns
from leansort.core.text.table_files import csv_line
from leansort.core.writing.escaping import printable
from leansort.data.importing.corrections import FILE, LABEL, WAS
from leansort.workflows.training.quick.probe_result import StageTime

SHOWN = 20  # rows of the ranking on a terminal
MOST_PAIRS = 6


@dataclass(frozen=True)
class DoubtfulLabel:
    """A photo with its label, and what the other photos say of it.

    Attributes:
        rank: from 1, the most doubtful first.
        file: the photo, relative to the data's folder.
        split: that it is in.
        label: its class.
        suggested: the class that speaks most against the label.
        label_probability: of the label, by predictions that the photo took no part in.
        suggested_probability: of the suggested class.
        flagged: whether the photo counts as the suggested class rather than as its label.
    """

    rank: int
    file: str
    split: str
    label: str
    suggested: str
    label_probability: float
    suggested_probability: float
    flagged: bool


@dataclass(frozen=True)
class FlaggedPair:
    """Flagged photos of one class that count as another.

    Attributes:
        label: their class.
        suggested: the class that they count as.
        count: number of them.
    """

    label: str
    suggested: str
    count: int

    def __str__(self) -> str:
        """As `glass as plastic 12`."""
        return f"{self.label} as {self.suggested} {self.count}"


class DoubtResult(TypedResult):
    """What `leansort data doubt` comes to; the table has every photo, this the first ones.

    Attributes:
        photos: number of them by split.
        flagged: number of photos that count as another class than their label.
        pairs: flagged photos by label and suggested class, the most frequent first.
        top: the most doubtful labels, as many as were asked for.
        unjudged: photos of classes that are a single group, which nothing else can speak about.
        agreement: fraction of the judged labels that are the most probable class.
        folds: of the cross-validation.
        penalty: of the linear classifiers.
        features: number of features of a photo.
        source: network, weights and size that the features come from.
        note: why the network is not the recipe's own; empty where it is.
        cached: whether all features came from the cache.
        corrections_kept: whether the corrections file held decisions and was left as it is.
        stages: what each stage took.
        data: digest of the manifest.
        table: all photos in order, CSV.
        corrections: the first ones, to be filled in, CSV.
        page: the first ones, to be looked at.
    """

    photos: dict[str, int]
    flagged: int
    pairs: tuple[FlaggedPair, ...]
    top: tuple[DoubtfulLabel, ...]
    unjudged: tuple[str, ...]
    agreement: float
    folds: int
    penalty: float
    features: int
    source: str
    note: str
    cached: bool
    corrections_kept: bool
    stages: tuple[StageTime, ...]
    data: str
    table: Path
    corrections: Path
    page: Path

    def headline(self) -> dict[str, str]:
        """Return how many labels are doubtful, which, by whose features, and where to look."""
        splits = ", ".join(f"{split} {count:,}" for split, count in self.photos.items())
        spent = sum(stage.cpu_seconds for stage in self.stages)
        pairs = ", ".join(map(str, self.pairs[:MOST_PAIRS])) + ", …" * (len(self.pairs) > MOST_PAIRS)
        unjudged = ", ".join(self.unjudged[:3]) + ", …" * (len(self.unjudged) > 3)
        kept = " (kept as it is: it holds decisions)" * self.corrections_kept
        return {
            "photos": f"{sum(self.photos.values()):,} ({splits}), each judged by {self.folds}-fold predictions",
            "agreement": f"{self.agreement:.4f} of the labels are the most probable class",
            "flagged": f"{self.flagged:,} count as another class: {pairs or 'none'}",
            **({"not judged": f"{len(self.unjudged):,}: {unjudged}"} if self.unjudged else {}),
            "features": f"{self.features:,} of {self.source}{', from the cache' if self.cached else ''}",
            "seconds": f"{spent:.1f} of the processor",
            "table": str(self.table),
            "page": str(self.page),
            "corrections": f"{self.corrections}{kept}",
        }


def doubt_text(result: DoubtResult) -> str:
    """Lay a result out as text: the first of the ranking, then the headline."""
    head = ("rank", "label", "suggested", "file", "split", "p(label)", "p(suggested)")
    rows = [head, *(_cells(item) for item in result.top[:SHOWN])]
    more = [f"… {len(result.top) - SHOWN} more on the page"] if len(result.top) > SHOWN else []
    lines = [f"{name:14} {printable(text)}" for name, text in result.headline().items()]
    return "\n".join([align_columns(rows, left=5), *more, *lines])


def _cells(item: DoubtfulLabel) -> tuple[str, ...]:
    own, other = f"{item.label_probability:.3f}", f"{item.suggested_probability:.3f}"
    return (str(item.rank), item.label, item.suggested, item.file, item.split, own, other)


def table_csv(items: Iterable[DoubtfulLabel], unjudged: Sequence[tuple[str, str, str]]) -> str:
    """Every photo in order as CSV; those that are not judged come last, without rank and scores.

    Args:
        items: in order.
        unjudged: file, split and label of the others.
    """
    head = ("rank", FILE, "split", LABEL, "suggested", "label_probability", "suggested_probability", "flagged")
    rows: list[tuple[str, ...]] = [head]
    for item in items:
        scores = (f"{item.label_probability:.6f}", f"{item.suggested_probability:.6f}")
        flagged = "yes" if item.flagged else "no"
        rows.append((str(item.rank), item.file, item.split, item.label, item.suggested, *scores, flagged))
    rows += [("", file, split, label, "", "", "", "") for file, split, label in unjudged]
    return _csv(rows)


def corrections_csv(items: Iterable[DoubtfulLabel]) -> str:
    """A corrections file to be filled in: the column `label` is empty, so that it decides nothing yet."""
    head = (FILE, LABEL, WAS, "suggested", "split", "rank")
    return _csv([head, *((i.file, "", i.label, i.suggested, i.split, str(i.rank)) for i in items)])


def _csv(rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"{csv_line(row)}\r\n" for row in rows)

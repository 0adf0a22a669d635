"""What `leansort score` returns: macro-F1 with its interval, the table of classes, and the contest's scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, model_validator

from leansort.contest.formulas import Baselines, macs_score, time_score
from leansort.core.files.typed_result import TypedResult
from leansort.measure.accuracy.cost_score import CostScore
from leansort.measure.accuracy.metrics import ClassScore, DescribedCoverage, Interval
from leansort.measure.accuracy.unknowns import MethodScore

Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class ContestScore:
    """One score of the contest; lower is better.

    Attributes:
        edition: `time` or `macs`.
        list: of pictures: `all`, `public` or `private`.
        f1: the contest's macro-F1, over all its classes.
        cost: seconds, or multiply-adds, in `unit`.
        unit: `s` or `MACs`.
        score: by the edition's formula.
    """

    edition: str
    list: str
    f1: float
    cost: float
    unit: str
    score: float


@dataclass(frozen=True)
class ListScore:
    """How well the pictures of one list are classified.

    Attributes:
        crops: number of them.
        macro_f1: over the classes that they show, with its 95 % bootstrap interval.
        macro_f1_classes: which classes these are.
        contest_f1: the contest's macro-F1, over all classes.
        accuracy: fraction of the crops that are classified correctly, 0-1.
        classes: precision, recall, F1 and crops of every class, in the order of the labels.
        confusion: counts of crops by true class (row) and predicted class (column).
    """

    crops: Count
    macro_f1: Interval
    macro_f1_classes: DescribedCoverage
    contest_f1: float
    accuracy: float
    classes: Annotated[tuple[ClassScore, ...], Field(min_length=1)]
    confusion: tuple[tuple[Count, ...], ...]

    def __post_init__(self) -> None:
        size = len(self.classes)
        if [len(row) for row in self.confusion] != [size] * size:
            raise ValueError(f"confusion: need {size} rows of {size} counts, one a class")


@dataclass(frozen=True)
class UnknownScore:
    """How well a bundle tells what it knows from what it does not.

    Attributes:
        folder: of the unknown photos.
        known: number of known images.
        unknown: number of unknown ones.
        method: the bundle's own score of novelty; the default one where it has none.
        fitted: whether the bundle has a scale of novelty.
        methods: every score, the best AUROC first.
        notes: what was left out, and what looks odd, a line each.
    """

    folder: str
    known: Count
    unknown: Count
    method: str
    fitted: bool
    methods: tuple[MethodScore, ...]
    notes: tuple[str, ...] = ()

    @property
    def own(self) -> MethodScore:
        """The row of the bundle's own score."""
        return next(row for row in self.methods if row.method == self.method)


class ScoreResult(TypedResult):
    """What a submission file or a bundle scores.

    Attributes:
        split: of the ground truth that was scored.
        truth: where the ground truth was read from.
        seconds: cost in the time edition.
        macs: cost in the MACs edition.
        lists: the scores by list; `all` is always there, `public` and `private` where they were given.
        contest: the contest's scores, both editions of every list.
        faults: a line for each picture that could not be read, of a bundle.
        notes: about labels and files that were passed over, a line each.
        unknown: how well unknown photos are told; None where none were given.
        costs: what a bundle's decisions cost; None where no costs were given.
    """

    split: str
    truth: str = ""
    seconds: float = 0.0
    macs: float = 0.0
    lists: dict[str, ListScore]
    contest: tuple[ContestScore, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...] = ()
    unknown: UnknownScore | None = None
    costs: CostScore | None = None

    @model_validator(mode="after")
    def _require_all(self) -> Self:
        if "all" not in self.lists:
            raise ValueError("lists: 'all' is missing")
        return self

    @property
    def all(self) -> ListScore:
        """The score over all pictures."""
        return self.lists["all"]

    @property
    def time_score(self) -> ContestScore | None:
        """The contest's score in the time edition over all pictures."""
        return next((row for row in self.contest if (row.edition, row.list) == ("time", "all")), None)

    def headline(self) -> dict[str, str]:
        """Return macro-F1, accuracy, crops, and each of the contest's scores."""
        scores = {f"contest, {row.edition} edition, {row.list}": f"{row.score:.4f}" for row in self.contest}
        f1 = {f"macro-F1, {name}": f"{part.macro_f1} {part.macro_f1_classes.over}" for name, part in self.lists.items()}
        told = {"AUROC of unknown photos": f"{self.unknown.own.auroc} by {self.unknown.method}"} if self.unknown else {}
        cost = {"mean cost by least expected cost": str(self.costs.rules[0].cost)} if self.costs else {}
        return {**f1, "accuracy": f"{self.all.accuracy:.4f}", "crops": f"{self.all.crops:,}", **told, **cost, **scores}


def contest_scores(
    name: str, f1: float, seconds: float, macs: float, baselines: Baselines
) -> tuple[ContestScore, ContestScore]:
    """Return the scores of one list in both editions.

    Args:
        name: of the list.
        f1: the contest's macro-F1, 0-1.
        seconds: of the whole run.
        macs: multiply-adds for one picture.
        baselines: the contest's.

    Raises:
        UserError: F1 or a cost is out of range.
    """
    return (
        ContestScore("time", name, f1, seconds, "s", time_score(f1, seconds, baselines)),
        ContestScore("macs", name, f1, macs, "MACs", macs_score(f1, macs, baselines)),
    )

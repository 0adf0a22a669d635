"""What a watch is set to, what it tells, and what it keeps of itself to go on from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import Field

from leansort.core.errors import UserError
from leansort.core.files.typed_result import TypedResult
from leansort.core.strict_model import StrictModel

Level = Literal["green", "yellow", "red"]


@dataclass(frozen=True)
class DriftSettings:
    """What a watch is set to.

    Attributes:
        yellow: largest probability of ever raising a false yellow alarm, above 0, below 1.
        red: the same for red, at most `yellow`.
        window: latest photos that class shares are estimated on, at least 1.
        seed: of the chance by which ranks are placed within their bins.
    """

    yellow: float = 0.01
    red: float = 0.0001
    window: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.red <= self.yellow < 1:
            raise UserError(f"watch: got yellow {self.yellow:g}, red {self.red:g}; need 0 < red <= yellow < 1")
        if self.window < 1:
            raise UserError(f"watch: got a window of {self.window}, need 1 or more photos")


@dataclass(frozen=True)
class DriftAlarm:
    """An alarm.

    Attributes:
        photo: number of the photo that raised it, from 1; photos that could not be classified have no number.
        image: its name.
        level: `yellow` or `red`.
        statistic: that has changed.
        change: how: `lower`, `higher`, `more spread`, `less spread`; of classes the one that changed most, and how.
        since: number of the photo from which on it looks changed.
        evidence: what betting against "nothing has changed" has made of 1.
        bound: largest probability that a watch ever raises a false alarm of this level.
        text: all this in one line.
    """

    photo: int
    image: str
    level: Level
    statistic: str
    change: str
    since: int
    evidence: float
    bound: float
    text: str


class DriftStatistic(StrictModel):
    """Where a statistic stands.

    Attributes:
        name: of the statistic.
        evidence: as of an alarm.
        level: highest alarm so far.
        recent: mean of about the last 100 photos; None before the first value.
        low: 2.5 % of val's photos are below; None of classes, as the next two.
        median: half of them are below.
        high: 2.5 % of them are above.
    """

    name: str
    evidence: float
    level: Level
    recent: float | None = None
    low: float | None = None
    median: float | None = None
    high: float | None = None


class ClassShare(StrictModel):
    """The share of one class, 0 to 1.

    Attributes:
        name: of the class.
        val: among val photos.
        counted: among labels given to the latest photos.
        corrected: the same, corrected for mistakes by expectation maximization.
        by_confusion: corrected by val's confusion matrix.
        margin: by how much `by_confusion` may be off by the numbers of photos alone, at about 95 %.
    """

    name: str
    val: float
    counted: float
    corrected: float
    by_confusion: float
    margin: float


class DriftStatus(TypedResult):
    """Where a watch stands.

    Attributes:
        photos: number of photos watched.
        unreadable: number of photos that could not be classified.
        level: highest alarm so far.
        statistics: one after the other, `classes` last.
        shares: class by class, over the latest photos; empty before the first one.
        window: number of photos that the shares are of.
    """

    photos: int
    unreadable: int
    level: Level
    statistics: tuple[DriftStatistic, ...]
    shares: tuple[ClassShare, ...]
    window: int

    def headline(self) -> dict[str, str]:
        """Return the level, the number of photos, and what has changed."""
        changed = [f"{item.name} ({item.level})" for item in self.statistics if item.level != "green"]
        return {
            "level": self.level,
            "photos": f"{self.photos:,}",
            "unreadable": f"{self.unreadable:,}",
            "changed": ", ".join(changed) or "nothing",
        }


class DriftState(StrictModel):
    """All that a watch knows, to go on from.

    Attributes:
        photos: watched.
        unreadable: not classified.
        counts_sb: see `ConformalRanks`.
        counts_c: likewise.
        capital_rb: see `DriftEvidence`.
        photos_r: likewise.
        gain_rb: likewise.
        since_rb: likewise.
        recent: recent mean of each statistic that has one, with the number of its values.
        levels: highest alarm of each statistic that has one.
        window: probabilities of the latest photos.
    """

    photos: int = Field(ge=0)
    unreadable: int = Field(ge=0)
    counts_sb: list[list[int]]
    counts_c: list[int]
    capital_rb: list[list[float]]
    photos_r: list[int]
    gain_rb: list[list[float]]
    since_rb: list[list[int]]
    recent: dict[str, tuple[float, int]]
    levels: dict[str, Level]
    window: list[list[float]]


def alarm_record(alarm: DriftAlarm) -> dict[str, str | int | float]:
    """Return an alarm as the plain data of a line."""
    return asdict(alarm)

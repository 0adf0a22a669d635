"""What a search can look at: what a network costs, known before it is trained, and what it scores, known after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from leansort.contest import formulas
from leansort.contest.formulas import Baselines
from leansort.core.errors import UserError, not_one_of

Values = Mapping[str, float]
F1, STRESSED = "macro_f1", "stressed_macro_f1"
MORE_IS_BETTER = (F1, STRESSED)
COSTS = {
    "model_p50_ms": "median latency of the model alone, one picture a call",
    "model_p99_ms": "its 99th percentile",
    "label_p50_ms": "median latency from encoded picture to label",
    "label_p99_ms": "its 99th percentile",
    "size_mb": "size of the bundle in MB",
    "macs": "multiply-adds for one picture",
    "parameters": "weights",
    "stride": "input pixels a step of the coarsest feature map",
}
TIMED = tuple(name for name in COSTS if name.endswith("_ms"))
COUNTED = ("macs", "parameters", "stride")
CONTEST_PICTURES = 5217  # of the contest's test set
SCORES = {
    F1: "macro-F1 on val, more is better",
    STRESSED: "mean macro-F1 of val crops under stress, more is better; all else less",
    "contest_time": f"the contest's score by time: {CONTEST_PICTURES:,} pictures at label_p50_ms, one after the other",
    "contest_macs": "the contest's score by MACs",
}
_READS: dict[str, tuple[str, ...]] = {
    F1: (),
    STRESSED: (),
    "contest_time": ("label_p50_ms",),
    "contest_macs": ("macs",),
}
NAMES = (*SCORES, *COSTS)


@dataclass(frozen=True)
class Objectives:
    """What is wanted of a network.

    Attributes:
        names: of the objectives, from `NAMES`.
        limits: the worst that is allowed, by name: of both macro-F1 the least, of all others the most.
        baselines: of the contest's scores.
    """

    names: tuple[str, ...]
    limits: Mapping[str, float]
    baselines: Baselines = field(default_factory=Baselines)

    def __post_init__(self) -> None:
        """Refuse names that are none.

        Raises:
            UserError: naming what there is.
        """
        for what, names in (("objectives", self.names), ("constraints", tuple(self.limits))):
            for name in names:
                if name not in NAMES:
                    raise not_one_of(what, name, NAMES)
        if not self.names or len(set(self.names)) < len(self.names):
            raise UserError(f"objectives: got {', '.join(self.names) or 'none'}, need one or more different ones")
        if not set(self.names) & set(SCORES):
            raise UserError(f"objectives: none needs training; name one of {', '.join(SCORES)}")

    @property
    def costs(self) -> tuple[str, ...]:
        """The costs that the objectives depend on."""
        return _read_by(self.names)

    @property
    def needed(self) -> frozenset[str]:
        """Every cost that has to be known: of objectives and limits."""
        return frozenset((*self.costs, *_read_by(self.limits)))

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        """Of each objective, in Optuna's words."""
        return ["maximize" if name in MORE_IS_BETTER else "minimize" for name in self.names]

    @property
    def needs_stress(self) -> bool:
        """Whether an objective or a limit is about macro-F1 under stress."""
        return STRESSED in (*self.names, *self.limits)

    def values(self, costs: Values, f1: float, stressed_f1: float = 0.0) -> list[float]:
        """Of each objective."""
        return [self._value(name, costs, f1, stressed_f1) for name in self.names]

    def points(self, values: Sequence[float]) -> tuple[float, ...]:
        """The same with less better everywhere."""
        return tuple(
            -value if name in MORE_IS_BETTER else value for name, value in zip(self.names, values, strict=True)
        )

    def violations(self, costs: Values, f1: float | None = None, stressed_f1: float | None = None) -> dict[str, float]:
        """How far beyond each limit, as a fraction of it, over 0 where it is broken; only of what is known.

        Args:
            costs: that are known.
            f1: macro-F1; None before training.
            stressed_f1: mean macro-F1 under stress; None where it is not known.
        """
        result = {name: costs[name] / limit - 1 for name, limit in self.limits.items() if name in costs}
        if f1 is not None:
            for name in SCORES:
                known = name != STRESSED or stressed_f1 is not None
                if known and name in self.limits and all(cost in costs for cost in _READS[name]):
                    limit, value = self.limits[name], self._value(name, costs, f1, stressed_f1 or 0.0)
                    result[name] = (limit - value if name in MORE_IS_BETTER else value - limit) / limit
        return result

    def _value(self, name: str, costs: Values, f1: float, stressed_f1: float) -> float:
        if name in MORE_IS_BETTER:
            return f1 if name == F1 else stressed_f1
        if name == "contest_time":
            return formulas.time_score(f1, CONTEST_PICTURES * costs["label_p50_ms"] / 1e3, self.baselines)
        if name == "contest_macs":
            return formulas.macs_score(f1, costs["macs"], self.baselines)
        return costs[name]


def _read_by(names: Iterable[str]) -> tuple[str, ...]:
    """The costs that objectives or limits depend on, each once."""
    return tuple(dict.fromkeys(cost for name in names for cost in _READS.get(name, (name,))))

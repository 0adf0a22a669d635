"""What a search found, as text and as a page: the Pareto front, every trial, what mattered, how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leansort.report.charts import plots
from leansort.report.charts.scatter import Dot, scatter
from leansort.report.tables import Table, as_text, render_page
from leansort.search import pareto
from leansort.search.objectives import COSTS, MORE_IS_BETTER, Objectives
from leansort.search.search_config import SearchConfig
from leansort.search.study_result import StudyResult
from leansort.search.trials.trial_outcome import KINDS
from leansort.search.trials.trial_records import TrialRecord, pareto_front

MOST_TRIALS = 200  # in the page's table; tune.json has all
_UNITS = {"macs": 1e6, "parameters": 1e3}
_NAMES = {"macs": "MMACs", "parameters": "thousand weights", "size_mb": "MB"}


@dataclass(frozen=True)
class SearchReport:
    """All that a search's report is built from.

    Attributes:
        config: of the search.
        objectives: and limits.
        records: of every finished trial.
        importances: fraction of each parameter in the differences of each objective, by objective and parameter.
    """

    config: SearchConfig
    objectives: Objectives
    records: Sequence[TrialRecord]
    importances: Mapping[str, Mapping[str, float]]

    @property
    def front(self) -> list[TrialRecord]:
        """What no other result beats."""
        return pareto_front(self.records, self.objectives)

    @property
    def is_stressed(self) -> bool:
        """Whether candidates were measured under stress."""
        return self.config.stress_setting is not None

    @property
    def result(self) -> StudyResult:
        """What `tune.json` holds."""
        return StudyResult(
            search=self.config,
            front=tuple(record.number for record in self.front),
            hypervolume=tuple((round(seconds, 1), volume) for seconds, volume in hypervolumes(self)),
            reference=reference(self),
            importances={name: dict(fractions) for name, fractions in self.importances.items()},
            trials=tuple(self.records),
        )


def reference(search_report: SearchReport) -> tuple[float, ...]:
    """The worst that counts in the hypervolume: both macro-F1 0, a limit where one is set, else the worst result."""
    counted = [search_report.objectives.points(record.values) for record in search_report.records if record.counts]
    worst = [max((point[at] for point in counted), default=0.0) for at in range(len(search_report.objectives.names))]
    return tuple(
        0.0 if name in MORE_IS_BETTER else search_report.objectives.limits.get(name, value + abs(value) * 1e-6)
        for name, value in zip(search_report.objectives.names, worst, strict=True)
    )


def hypervolumes(search_report: SearchReport) -> list[tuple[float, float]]:
    """(seconds, hypervolume) after each result."""
    ordered = sorted((record for record in search_report.records if record.counts), key=lambda record: record.ended_s)
    points = [search_report.objectives.points(record.values) for record in ordered]
    worst = reference(search_report)
    return [(record.ended_s, pareto.hypervolume(points[: at + 1], worst)) for at, record in enumerate(ordered)]


def text(search_report: SearchReport) -> str:
    """Counts and the front as Markdown."""
    counts = ", ".join(f"{count} {kind}" for kind, count in _counts(search_report).items() if count)
    return "\n\n".join(
        [
            f"{len(search_report.records)} trials: {counts}",
            as_text([_front(search_report)] if search_report.front else []),
        ]
    ).strip()


def page(search_report: SearchReport) -> str:
    """The whole report."""
    front = search_report.front
    cards = [
        ("best macro-F1 on val", f"{front[0].outcome.f1:.4f}" if front else "–", "of one seed: no claim yet"),
        ("trials", str(len(search_report.records)), f"{_counts(search_report)['trained']} trained to their end"),
        (
            "not trained",
            str(sum(_counts(search_report)[kind] for kind in ("over budget", "unfit", "duplicate"))),
            "over budget, unfit or done before",
        ),
        ("on the front", str(len(front)), "beaten by no other in everything"),
    ]
    limits = ", ".join(
        f"{name} {'≥' if name in MORE_IS_BETTER else '≤'} {limit:g}"
        for name, limit in search_report.objectives.limits.items()
    )
    lead = f"Searched for {', '.join(search_report.objectives.names)}" + (f" within {limits}." if limits else ".")
    lead += _stress_sentence(search_report)
    tables = [
        item
        for item in (_front(search_report), _importances(search_report), _kinds(search_report), _trials(search_report))
        if item.rows
    ]
    return render_page("tune", search_report.config.name, lead, cards, tables, drawings=drawings(search_report))


def drawings(search_report: SearchReport) -> list[tuple[str, str]]:
    """Macro-F1 against each cost that matters, and the hypervolume over time."""
    front = {record.number for record in search_report.front}
    shown = [record for record in search_report.records if record.outcome.kind in ("trained", "stopped")]
    made = []
    for name in _costs(search_report):
        dots = [_dot(record, name, record.number in front) for record in shown if name in record.outcome.costs]
        if dots and name != "stride":  # of a few whole numbers a table says all
            limit = search_report.objectives.limits.get(name)
            made.append(
                (
                    f"macro-F1 against {_named(name)}",
                    scatter(
                        dots, _named(name), limit and _scaled(name, limit), line=name in search_report.objectives.costs
                    ),
                )
            )
    over_time = [(seconds / 60, volume) for seconds, volume in hypervolumes(search_report)]
    if len(over_time) > 1:
        made.append(("hypervolume of the front", plots.curve("hypervolume", over_time, axis="minutes")))
    return made


def _dot(record: TrialRecord, cost: str, on_front: bool) -> Dot:
    outcome = record.outcome
    timed = {f"{measurement.name}_p50_ms": (measurement.low, measurement.high) for measurement in outcome.measurements}
    style = "front" if on_front else "trained" if record.counts else "stopped"
    x = _scaled(cost, outcome.costs[cost])
    return Dot(
        x,
        outcome.f1,
        f"trial {record.number}: macro-F1 {outcome.f1:.4f}, {_named(cost)} {x:.4g}, {outcome.kind}",
        style,
        timed.get(cost),
        outcome.f1_interval,
    )


def _front(search_report: SearchReport) -> Table:
    costs = _costs(search_report)
    rows = [
        [
            f"trial {record.number}",
            f"{record.outcome.f1:.4f}",
            _interval(record.outcome.f1_interval),
            *(_stressed(record) if search_report.is_stressed else []),
            *(f"{_scaled(name, record.outcome.costs[name]):.4g}" for name in costs),
            ", ".join(f"{name}={_short(value)}" for name, value in record.params.items()),
        ]
        for record in search_report.front
    ]
    hint = "What no other result beats in everything. One seed each: train the winner anew by leansort tune best."
    under_stress = ["under stress", "95 %"] if search_report.is_stressed else []
    head = ["", "macro-F1", "95 %", *under_stress, *(_named(name) for name in costs), "parameters"]
    return Table("The front", hint, head, rows, words=(len(head) - 1,))


def _importances(search_report: SearchReport) -> Table:
    names = list(search_report.importances)
    params = sorted(
        {param for fractions in search_report.importances.values() for param in fractions},
        key=lambda param: -max(fractions.get(param, 0.0) for fractions in search_report.importances.values()),
    )
    rows = [
        [param, *(f"{100 * search_report.importances[name].get(param, 0.0):.0f} %" for name in names)]
        for param in params
    ]
    hint = "Fraction of each hyperparameter in what sets the better trials apart (PED-ANOVA, arXiv:2304.10255)."
    return Table("What mattered", hint, ["parameter", *names], rows[:30])


def _kinds(search_report: SearchReport) -> Table:
    counts = _counts(search_report)
    rows = [[kind, str(counts[kind]), KIND] for kind, KIND in KINDS.items() if counts[kind]]
    return Table("What became of them", "", ["outcome", "trials", "meaning"], rows, words=(2,))


def _trials(search_report: SearchReport) -> Table:
    costs = search_report.objectives.costs
    rows = [
        [
            str(record.number),
            record.outcome.kind,
            f"{record.outcome.f1:.4f}" if record.outcome.epochs else "",
            *(_stressed(record)[:1] if search_report.is_stressed else []),
            *(f"{_scaled(n, record.outcome.costs[n]):.4g}" if n in record.outcome.costs else "" for n in costs),
            str(record.outcome.epochs or ""),
            f"{record.outcome.seconds:.1f}",
            record.outcome.note,
        ]
        for record in search_report.records[-MOST_TRIALS:]
    ]
    under_stress = ["under stress"] if search_report.is_stressed else []
    head = ["trial", "outcome", "macro-F1", *under_stress, *(_named(name) for name in costs), "epochs", "s", "note"]
    return Table(
        "Trials",
        "Each can be run again alone: leansort tune best FOLDER --trial N.",
        head,
        rows,
        words=(1, len(head) - 1),
    )


def _stressed(record: TrialRecord) -> list[str]:
    """Mean macro-F1 under stress and its interval; empty where it was not measured."""
    stress = record.outcome.stress
    if stress is None:
        return ["", ""]
    return [f"{stress.macro_f1.value:.4f}", _interval((stress.macro_f1.low, stress.macro_f1.high))]


def _stress_sentence(search_report: SearchReport) -> str:
    setting = search_report.config.stress_setting
    if setting is None:
        return ""
    return f" Under stress: mean macro-F1 of val crops over {', '.join(setting.all_kinds)} at level {setting.level}."


def _costs(search_report: SearchReport) -> list[str]:
    """The costs that matter: of objectives, then of limits."""
    return list(
        dict.fromkeys(
            (*search_report.objectives.costs, *(name for name in search_report.objectives.limits if name in COSTS))
        )
    )


def _counts(search_report: SearchReport) -> dict[str, int]:
    return {kind: sum(record.outcome.kind == kind for record in search_report.records) for kind in KINDS}


def _interval(ends: tuple[float, float] | None) -> str:
    return f"{ends[0]:.3f}–{ends[1]:.3f}" if ends else ""


def _scaled(name: str, value: float) -> float:
    return value / _UNITS.get(name, 1.0)


def _named(name: str) -> str:
    return _NAMES.get(name, name.removesuffix("_ms").replace("_", " ") + (", ms" if name.endswith("_ms") else ""))


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

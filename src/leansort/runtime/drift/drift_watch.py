"""Drift, told without labels: yellow and red alarms whose rate of false ones is stated, and class shares corrected.

    watch = DriftWatch(bundle.meta.reference, bundle.meta.labels)
    for path in photos:
        for alarm in watch.observe(classifier.predict(path), path.name):
            print(alarm.text)

Of each statistic the evidence against "nothing has changed" is an e-process (`drift_evidence`), all of which are held
against a limit that corrects for their number: the probability that a watch of photos like val's ever raises a yellow
alarm is at most `yellow`, however long it lasts, and likewise for red. Like val's means drawn one by one from the same
distribution. An alarm is raised once for a statistic and level.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from leansort.core.errors import UserError
from leansort.core.files.bundle_reference import BundleReference
from leansort.runtime.drift.conformal_ranks import ConformalRanks
from leansort.runtime.drift.drift_evidence import DriftEvidence
from leansort.runtime.drift.drift_status import (
    ClassShare,
    DriftAlarm,
    DriftSettings,
    DriftState,
    DriftStatistic,
    DriftStatus,
    Level,
)
from leansort.runtime.drift.drift_values import most_probable, values_of
from leansort.runtime.drift.prior_shift import estimate_shares, scaled_rows, share_margins, val_shares
from leansort.runtime.predictor import Prediction

CLASSES = "classes"  # the statistic that labels make
RECENT = 100  # photos that a recent mean looks back on, about
# By bet, see `drift_evidence.bets_on`: how values have changed.
_CHANGES = ("lower", "higher", "lower", "higher", "higher", "lower", "more spread", "less spread")


class DriftWatch:
    """Watches predictions, one after the other. Not for several threads at once; `drift_journal` is."""

    def __init__(
        self, reference: BundleReference, labels: Sequence[str], settings: DriftSettings | None = None
    ) -> None:
        self.reference, self.labels, self.settings = reference, tuple(labels), settings or DriftSettings()
        if reference.classes != len(self.labels):
            raise UserError(f"watch: got a reference of {reference.classes} classes and {len(self.labels)} labels")
        self.names = (*(item.name for item in reference.statistics), CLASSES)
        self._ranks = ConformalRanks(reference, self.settings.seed)
        self._evidence = DriftEvidence(len(reference.statistics) + len(self.labels))
        self._recent: dict[str, tuple[float, int]] = {}
        self._levels: dict[str, Level] = {}
        self._window = deque[list[float]](maxlen=self.settings.window)
        self.unreadable = 0

    @property
    def photos(self) -> int:
        """Number of photos watched, without those that could not be classified."""
        return self._ranks.photos

    @property
    def level(self) -> Level:
        """The highest alarm so far."""
        levels = set(self._levels.values())
        return "red" if "red" in levels else "yellow" if levels else "green"

    def observe(self, prediction: Prediction, image: str = "") -> list[DriftAlarm]:
        """Take in the prediction for one photo.

        Args:
            prediction: with its `statistics`, where those of the photo are to be watched too.
            image: the photo's name, for alarms.

        Returns:
            The alarms that this photo raises.
        """
        if prediction.error:
            self.unreadable += 1
            return []
        values = values_of(prediction)
        for name, value in values.items():
            if value is not None:
                mean, count = self._recent.get(name, (0.0, 0))
                self._recent[name] = (mean + (value - mean) / min(count + 1, RECENT), count + 1)
        taken = (values.get(item.name) for item in self.reference.statistics)
        values_s = np.array([math.nan if value is None else value for value in taken], np.float64)
        self._evidence.update(self._ranks.rank(values_s, most_probable(prediction)))
        self._window.append([round(p, 6) for p in prediction.probabilities])
        return [
            self._alarm(name, level, image)
            for name, evidence in self.evidence().items()
            if (level := self._risen(name, evidence))
        ]

    def evidence(self) -> dict[str, float]:
        """Return the evidence of each statistic, that of classes as the mean over them."""
        evidence_r = self._evidence.evidence_r
        rows = len(self.reference.statistics)
        return dict(zip(self.names, [*evidence_r[:rows].tolist(), float(evidence_r[rows:].mean())], strict=True))

    def limit(self, bound: float) -> float:
        """Return the evidence that raises an alarm, so that all statistics together do so falsely by a probability."""
        return len(self.names) / bound

    def status(self, *, margins: bool = True) -> DriftStatus:
        """Return where the watch stands; without margins, which take the longest, those of shares are 0."""
        shares = self._shares(margins)
        known = {item.name: item for item in self.reference.statistics}
        statistics = []
        for name, evidence in self.evidence().items():
            of_val = known.get(name)  # type: ignore[call-overload]
            bounds = {} if of_val is None else {"low": of_val.low, "median": of_val.median, "high": of_val.high}
            recent = self._recent[name][0] if name in self._recent else None
            level = self._levels.get(name, "green")
            statistics.append(DriftStatistic(name=name, evidence=evidence, level=level, recent=recent, **bounds))
        return DriftStatus(
            photos=self.photos,
            unreadable=self.unreadable,
            level=self.level,
            statistics=tuple(statistics),
            shares=shares,
            window=len(self._window),
        )

    def corrected(self, prediction: Prediction) -> Prediction:
        """Return a prediction under the class shares of the latest photos in place of val's.

        The label may change; what the prediction says of novelty does not, nor whether it is accepted.
        """
        if prediction.error or not self._window:
            return prediction
        confusion_cc = np.asarray(self.reference.confusion, np.float64)
        shift_c = estimate_shares(self._window, self.reference).corrected_c / val_shares(confusion_cc)
        p_nc = np.array([prediction.probabilities]) * np.asarray(self.reference.weights) * shift_c
        probabilities = scaled_rows(p_nc)[0].tolist()
        best = max(range(len(probabilities)), key=probabilities.__getitem__)
        return replace(
            prediction,
            label=self.labels[best],
            probability=probabilities[best],
            probabilities=tuple(probabilities),
        )

    def state(self) -> DriftState:
        """Return all that the watch knows."""
        return DriftState(
            photos=self.photos,
            unreadable=self.unreadable,
            counts_sb=self._ranks.counts_sb.tolist(),
            counts_c=self._ranks.counts_c.tolist(),
            capital_rb=self._evidence.capital_rb.tolist(),
            photos_r=self._evidence.photos_r.tolist(),
            gain_rb=self._evidence.gain_rb.tolist(),
            since_rb=self._evidence.since_rb.tolist(),
            recent=self._recent,
            levels=self._levels,
            window=list(self._window),
        )

    def restore(self, state: DriftState) -> None:
        """Go on from what a watch of the same reference and settings knew.

        Raises:
            UserError: it is of another reference.
        """
        ranks, evidence = self._ranks, self._evidence
        held = {
            (ranks, "counts_sb"): np.array(state.counts_sb, np.int64),
            (ranks, "counts_c"): np.array(state.counts_c, np.int64),
            (evidence, "capital_rb"): np.array(state.capital_rb, np.float64),
            (evidence, "photos_r"): np.array(state.photos_r, np.int64),
            (evidence, "gain_rb"): np.array(state.gain_rb, np.float64),
            (evidence, "since_rb"): np.array(state.since_rb, np.int64),
        }
        for (owner, name), array in held.items():
            if array.shape != getattr(owner, name).shape:
                raise UserError(
                    f"watch: the kept state does not fit the bundle's reference ({name} is of another shape)"
                )
            setattr(owner, name, array)
        ranks.photos, self.unreadable = state.photos, state.unreadable
        self._recent, self._levels = dict(state.recent), dict(state.levels)
        self._window.extend(state.window)

    def _risen(self, name: str, evidence: float) -> Level | None:
        """The level that evidence reaches, where it is above the one that the statistic has."""
        level: Level = "green"
        if evidence >= self.limit(self.settings.yellow):
            level = "red" if evidence >= self.limit(self.settings.red) else "yellow"
        order = ("green", "yellow", "red")
        if order.index(level) <= order.index(self._levels.get(name, "green")):
            return None
        self._levels[name] = level
        return level

    def _alarm(self, name: str, level: Level, image: str) -> DriftAlarm:
        evidence, since, change = self.evidence()[name], *self._change(name)
        bound = self.settings.red if level == "red" else self.settings.yellow
        text = (
            f"{level}: {name}: {change} since about photo {since:,}{self._now(name)}; seen at photo {self.photos:,}, "
            f"evidence {evidence:.3g}, falsely at most once in {1 / bound:,.0f} watches"
        )
        return DriftAlarm(self.photos, image, level, name, change, since, evidence, bound, text)

    def _change(self, name: str) -> tuple[int, str]:
        """Since when, and how."""
        rows = len(self.reference.statistics)
        row = self.names.index(name)
        if name == CLASSES:
            row = rows + int(self._evidence.evidence_r[rows:].argmax())
        change = _CHANGES[int(self._evidence.capital_rb[row].argmax())]
        if name == CLASSES:  # a low value means that it is this class
            more = {"lower": "more frequent", "higher": "rarer"}.get(change, "more or less frequent")
            change = f"{self.labels[row - rows]} {more}"
        return self._evidence.since(row), change

    def _now(self, name: str) -> str:
        of_val = next((item for item in self.reference.statistics if item.name == name), None)
        if of_val is None or name not in self._recent:
            return ""
        return (
            f", now {self._recent[name][0]:.4g} on average where 95 % of val are {of_val.low:.4g} to {of_val.high:.4g}"
        )

    def _shares(self, margins: bool) -> tuple[ClassShare, ...]:
        if not self._window:
            return ()
        confusion = np.asarray(self.reference.confusion, np.float64)
        shares = estimate_shares(self._window, self.reference)
        columns = {
            "val": confusion.sum(axis=1) / confusion.sum(),
            "counted": shares.counted_c,
            "corrected": shares.corrected_c,
            "by_confusion": shares.by_confusion_c,
            "margin": share_margins(self._window, self.reference) if margins else np.zeros(len(self.labels)),
        }
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        return tuple(
            ClassShare(name=name, **dict(zip(columns, row, strict=True)))
            for name, row in zip(self.labels, rows, strict=True)
        )

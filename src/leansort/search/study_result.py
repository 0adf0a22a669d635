"""What a search came to, as `tune.json` holds it."""

from __future__ import annotations

from leansort.core.files.typed_result import TypedResult
from leansort.search.search_config import SearchConfig
from leansort.search.trials.trial_records import TrialRecord


class StudyResult(TypedResult):
    """All finished trials of a search, and what mattered among them.

    Attributes:
        search: what was searched.
        front: numbers of the trials that no other beats in everything, the highest macro-F1 first.
        hypervolume: (seconds since the first trial began, hypervolume of the front) after each result.
        reference: the worst values of the objectives that count in the hypervolume; less is better.
        importances: fraction of each parameter in the differences of each objective, by objective and parameter.
        trials: every finished trial, in order.
    """

    search: SearchConfig
    front: tuple[int, ...]
    hypervolume: tuple[tuple[float, float], ...]
    reference: tuple[float, ...]
    importances: dict[str, dict[str, float]]
    trials: tuple[TrialRecord, ...]

    def headline(self) -> dict[str, str]:
        """Return the number of trials and the best of the front."""
        best = next((trial for trial in self.trials if self.front and trial.number == self.front[0]), None)
        shown = {"trials": str(len(self.trials)), "on the front": str(len(self.front))}
        return shown if best is None else {**shown, "best macro-F1": f"{best.outcome.f1:.4f}, trial {best.number}"}

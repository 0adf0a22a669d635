"""A study: trials asked for and told, by one worker or many, none lost and none done twice.

Optuna keeps the trials and proposes new ones. Ours is what it leaves open for several objectives and workers: who has a
trial and whether he lives, what becomes of a dead one's trial, and when there are enough.

A trial whose worker is gone is queued again before it is marked as failed, so that a worker that dies in between loses
nothing. Should two workers notice at once and queue it twice, the later of the two steps back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from leansort.core.errors import IntegrityError, LeansortError
from leansort.core.files import json_documents
from leansort.core.seeds import Seeds
from leansort.search import heartbeat, samplers, space, space_parser
from leansort.search.objectives import Objectives
from leansort.search.pareto_pruner import Curve
from leansort.search.search_config import SearchConfig
from leansort.search.trial_records import TrialOutcome, TrialRecord

POLL_S = 0.5
DEATHS = 3  # of workers with the same trial; it may be what they died of


class TrialLost(LeansortError):
    """Another worker has taken this trial, since this one was silent for too long; its result is not needed."""


@dataclass(frozen=True)
class StudyTrial:
    """A candidate that this worker has.

    Attributes:
        number: from 0.
        values: the open part of the recipe, settled.
    """

    number: int
    values: dict[str, Any]
    _trial: Any

    def note(self, key: str, value: Any) -> None:
        """Keep something with the trial, for other workers to see.

        Raises:
            Lost: another worker has taken it.
        """
        try:
            self._trial.set_user_attr(key, value)
        except Exception as error:
            raise _lost(self, error) from error


class Study:
    """A worker's view of a study; of one thread, but for beats."""

    def __init__(
        self, storage: Any, config: SearchConfig, objectives: Objectives, *, patience: float = heartbeat.PATIENCE_S
    ) -> None:
        """Take part in a study.

        Raises:
            IntegrityError: the storage does not hold it, as where its journal was changed.
        """
        import optuna

        self.config, self.objectives = config, objectives
        proposing = samplers.sampler(config.sampler, Seeds(config.seed))
        try:
            self._study = optuna.load_study(study_name=config.name, storage=storage, sampler=proposing)
        except KeyError:
            raise IntegrityError(f"study {config.name}: the storage does not hold it any more") from None
        self._node = space_parser.parse_space(config.space)
        self._worker = heartbeat.identity()
        self._silence = heartbeat.SilenceTracker(patience)

    def ask(self) -> StudyTrial | None:
        """The next candidate; None where there are enough. Raises nothing but the storage's own errors."""
        while True:
            self.bury()
            if self._enough():
                return None
            trial = self._new()
            if why := self._superfluous(trial):
                self._fail(trial.number, why)
                continue
            return StudyTrial(trial.number, space.draw_candidate(self._node, partial(samplers.suggest, trial)), trial)

    def beating(self, trial: StudyTrial) -> heartbeat.Heartbeat:
        """Says in the background that a trial is being worked on."""
        return heartbeat.Heartbeat(lambda beat: trial.note("beat", beat))

    def tell(self, trial: StudyTrial, outcome: TrialOutcome) -> None:
        """Finish a trial.

        Raises:
            Lost: another worker has taken it.
        """
        from optuna.trial import TrialState

        violations = self.objectives.violations(outcome.costs, outcome.f1 if outcome.epochs else None)
        trial.note("outcome", outcome.to_json())
        if outcome.kind == "unfit":
            violations["unfit"] = 1.0
        whole = all(name in outcome.costs for name in self.objectives.costs)
        try:
            for name, over in violations.items():
                trial._trial.set_constraint(name, over)
            if whole:
                self._study.tell(trial._trial, self.objectives.values(outcome.costs, outcome.f1))
            else:  # it has no values to be told; its broken limits tell samplers enough
                self._study.tell(trial._trial, state=TrialState.PRUNED)
        except Exception as error:
            raise _lost(trial, error) from error

    def give_back(self, trial: StudyTrial, why: str) -> None:
        """Leave a trial to whoever asks next, as when this worker is stopped."""
        self._queue_again(self._frozen(trial.number), why, deaths=0)

    def records(self) -> list[TrialRecord]:
        """Every finished trial, in order."""
        return _records(self._trials())

    def curves(self, trial: StudyTrial) -> list[Curve]:
        """What is known of the other trials, those that are being trained included."""
        result = [record.curve(self.objectives) for record in self.records() if record.compares(self.objectives)]
        for item in self._trials():
            if item.state.name == "RUNNING" and item.number != trial.number and "rungs" in item.user_attrs:
                costs = tuple(item.user_attrs["costs"][name] for name in self.objectives.costs)
                scores = {int(rung): score for rung, score in item.user_attrs["rungs"].items()}
                result.append(Curve(item.number, costs, scores))
        return result

    def twin(self, trial: StudyTrial, digest: str) -> TrialRecord | None:
        """Another trial of the same recipe, with its result; waits for an earlier one that another worker has."""
        while True:
            same = [item for item in self._trials() if item.number != trial.number and _digest(item) == digest]
            finished = _records(same)
            if finished:
                return finished[0]
            if not any(item.state.name == "RUNNING" and item.number < trial.number for item in same):
                return None
            self.bury()
            time.sleep(POLL_S)

    def wait(self, say: Callable[[str], None]) -> bool:
        """Wait until no other worker has a trial; returns whether there is something left to do."""
        text = False
        while True:
            self.bury()
            if not self._enough():
                return True
            if not any(trial.state.name == "RUNNING" for trial in self._trials()):
                return False
            if not text:
                say("tune: waiting for the trials of other workers")
                text = True
            time.sleep(POLL_S)

    def bury(self) -> None:
        """Queue the trials of dead workers again."""
        for trial in self._trials():
            worker = trial.user_attrs.get("worker", {})
            if trial.state.name != "RUNNING" or worker.get("id") == self._worker["id"]:
                continue
            beat = [worker.get("id"), trial.user_attrs.get("beat")]
            dead = (
                heartbeat.surely_gone(worker)
                if heartbeat.is_here(worker)
                else self._silence.is_long(trial.number, beat)
            )
            if dead:
                self._queue_again(trial, "its worker died", deaths=1)

    def _queue_again(self, value: Any, why: str, *, deaths: int) -> None:
        """Queue a trial anew, but for one that takes every worker with it."""
        again = {**value.system_attrs.get("fixed_params", {}), **value.params}
        total = value.user_attrs.get("deaths", 0) + deaths
        queued = any(_retries(other) == value.number for other in self._trials())
        if again and not queued and total < DEATHS:
            self._study.enqueue_trial(again, user_attrs={"retry_of": value.number, "deaths": total})
        self._fail(value.number, why if total < DEATHS else f"{DEATHS} workers died with it")

    def _fail(self, number: int, why: str) -> None:
        from optuna.trial import TrialState

        try:
            self._study._storage.set_trial_user_attr(self._frozen(number)._trial_id, "failed", why)
            self._study.tell(number, state=TrialState.FAIL)
        except Exception:
            if self._frozen(number).state.name == "RUNNING":
                raise

    def _new(self) -> Any:
        trial = self._given_back() or self._study.ask()
        trial.set_user_attr("worker", self._worker)
        return trial

    def _given_back(self) -> Any:
        """A trial that was queued again, before those of a grid or of start points that wait for longer."""
        from optuna.trial import Trial as Taken
        from optuna.trial import TrialState

        for trial in self._trials():
            waits = trial.state.name == "WAITING" and _retries(trial) is not None
            if waits and self._study._storage.set_trial_state_values(trial._trial_id, state=TrialState.RUNNING):
                return Taken(self._study, trial._trial_id)
        return None

    def _enough(self) -> bool:
        trials = self._trials()
        if any(trial.state.name == "WAITING" and _retries(trial) is not None for trial in trials):
            return False
        if self.config.sampler.kind == "grid" and not any(trial.state.name == "WAITING" for trial in trials):
            return True
        return sum(_lives(trial) for trial in trials) >= self.config.trials

    def _superfluous(self, trial: Any) -> str:
        """Why a trial that was just begun is not needed; empty where it is."""
        trials = self._trials()
        original = _retries(trial)
        if original is None:
            before = sum(_lives(item) for item in trials if item.number < trial.number)
            drawn = self.config.sampler.kind == "grid" and not self._frozen(trial.number).system_attrs.get(
                "fixed_params"
            )
            return "there were enough" if drawn or before >= self.config.trials else ""
        same = [item for item in trials if _retries(item) == original and item.number < trial.number]
        finished = [item for item in trials if item.number == original and item.state.name in ("COMPLETE", "PRUNED")]
        return "it had been queued twice" if any(map(_lives, same)) or finished else ""

    def _trials(self) -> Sequence[Any]:
        trials: Sequence[Any] = self._study.get_trials(deepcopy=False)
        return trials

    def _frozen(self, number: int) -> Any:
        return self._trials()[number]


def records(storage: Any, name: str) -> list[TrialRecord]:
    """Every finished trial of a study, in order."""
    import optuna

    return _records(optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False))


def _records(trials: Sequence[Any]) -> list[TrialRecord]:
    first = min((trial.datetime_start for trial in trials if trial.datetime_start), default=None)
    return [
        _record(trial, first)
        for trial in trials
        if trial.state.name in ("COMPLETE", "PRUNED") and "outcome" in trial.user_attrs
    ]


def _record(value: Any, first: Any) -> TrialRecord:
    where = f"trial {value.number}"
    params = json_documents.validate(value.params, dict[str, str | int | float | bool | None], f"{where}: parameters")
    values = json_documents.validate(list(value.values or ()), list[float], f"{where}: values")
    recipe = json_documents.validate(value.user_attrs.get("recipe", {}), dict[str, Any], f"{where}: recipe")
    if value.datetime_complete is None or first is None:
        raise IntegrityError(f"{where}: it is finished, but has no time")
    return TrialRecord(
        number=value.number, params=params, recipe=recipe, digest=_digest(value),
        outcome=TrialOutcome.of_json(value.user_attrs["outcome"], where), values=tuple(values),
        feasible=all(over <= 0 for over in value.constraints.values()),
        ended_s=(value.datetime_complete - first).total_seconds(),
    )  # fmt: skip


def _digest(value: Any) -> str:
    return str(value.user_attrs.get("digest", ""))


def _retries(value: Any) -> int | None:
    """The number of the trial that this one does again."""
    number: int | None = value.user_attrs.get("retry_of")
    return number


def _lives(value: Any) -> bool:
    """Whether a trial counts to those wanted: done, being done, or queued again."""
    return value.state.name in ("COMPLETE", "PRUNED", "RUNNING") or (
        value.state.name == "WAITING" and _retries(value) is not None
    )


def _lost(trial: StudyTrial, error: Exception) -> Exception:
    """Optuna says in several ways that a finished trial cannot be changed."""
    from optuna.exceptions import UpdateFinishedTrialError

    told = isinstance(error, UpdateFinishedTrialError) or "Cannot tell" in str(error)
    return TrialLost(f"trial {trial.number}: another worker has taken it") if told else error

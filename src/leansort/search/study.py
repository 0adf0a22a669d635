"""A study: trials asked for and told, by one worker or many, none lost and none done twice.

Optuna keeps the trials and proposes new ones. Ours is what it leaves open for several objectives and workers: which
worker has a trial and whether that worker still runs (`trial_queue`), and when there are enough trials.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from leansort.core.errors import IntegrityError, LeansortError
from leansort.core.files.typed_result import JsonObject
from leansort.core.seeds import Seeds
from leansort.search.objectives import Objectives
from leansort.search.pareto_pruner import Curve
from leansort.search.search_config import SearchConfig
from leansort.search.spaces import samplers, space, space_parser
from leansort.search.trials import heartbeat
from leansort.search.trials.heartbeat import WorkerIdentity
from leansort.search.trials.stored_trial import TrialReader
from leansort.search.trials.trial_attributes import TrialAttributes
from leansort.search.trials.trial_outcome import TrialOutcome
from leansort.search.trials.trial_queue import TrialQueue
from leansort.search.trials.trial_records import TrialRecord, finished_records

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import Trial

POLL_S = 0.5


class TrialLost(LeansortError):
    """Another worker has taken this trial, since this one was silent for too long; its result is not needed."""


@dataclass(frozen=True)
class StudyTrial:
    """A candidate that this worker has.

    Attributes:
        number: from 0.
        values: the open part of the recipe, settled.
        handle: Optuna's trial.
    """

    number: int
    values: JsonObject
    handle: Trial

    def note(self, attributes: TrialAttributes) -> None:
        """Keep those attributes that are given with the trial, for other workers to see.

        Raises:
            TrialLost: another worker has taken it.
        """
        try:
            for key, value in attributes.to_json().items():
                self.handle.set_user_attr(key, value)
        except Exception as error:
            raise _lost(self, error) from error


class Study:
    """A worker's view of a study; of one thread, but for beats."""

    def __init__(
        self,
        storage: BaseStorage,
        config: SearchConfig,
        objectives: Objectives,
        *,
        patience: float = heartbeat.PATIENCE_S,
        worker: WorkerIdentity | None = None,
    ) -> None:
        """Take part in a study.

        Args:
            storage: where the study is kept.
            config: what it searches.
            objectives: and limits.
            patience: seconds of silence after which a worker of another machine counts as dead.
            worker: who takes part; None: this process.

        Raises:
            IntegrityError: the storage does not hold the study, as where its journal was changed.
        """
        import optuna

        from leansort.search.trial_seeded_sampler import TrialSeededSampler

        self.config, self.objectives = config, objectives
        proposing = TrialSeededSampler(config.sampler, Seeds(config.seed))
        try:
            self._study = optuna.load_study(study_name=config.name, storage=storage, sampler=proposing)
        except KeyError:
            raise IntegrityError(f"study {config.name}: the storage does not hold it any more") from None
        self._node = space_parser.parse_space(config.space)
        self._read = TrialReader(partial(self._study.get_trials, deepcopy=False))
        self._queue = TrialQueue(storage, self._study, self._read, worker or heartbeat.identity(), patience)

    def ask(self) -> StudyTrial | None:
        """The next candidate; None where there are enough. Raises nothing but the storage's own errors."""
        while True:
            self._queue.requeue_orphaned()
            if self._enough():
                return None
            handle = self._queue.take() or self._study.ask()
            self._queue.sign(handle)
            if why := self._superfluous(handle.number):
                self._queue.fail(handle.number, why)
                continue
            values = space.draw_candidate(self._node, partial(samplers.suggest, handle))
            return StudyTrial(handle.number, values, handle)

    def beating(self, trial: StudyTrial) -> heartbeat.Heartbeat:
        """Says in the background that a trial is being worked on."""
        return heartbeat.Heartbeat(lambda beat: trial.note(TrialAttributes(beat=beat)))

    def tell(self, trial: StudyTrial, outcome: TrialOutcome) -> None:
        """Finish a trial.

        Raises:
            TrialLost: another worker has taken it.
        """
        f1, stressed_f1 = outcome.f1 if outcome.epochs else None, outcome.stressed_f1
        violations = self.objectives.violations(outcome.costs, f1, stressed_f1)
        trial.note(TrialAttributes(outcome=outcome))
        if outcome.kind == "unfit":
            violations["unfit"] = 1.0
        try:
            self._tell(trial.handle, outcome, violations)
        except Exception as error:
            raise _lost(trial, error) from error

    def _tell(self, handle: Trial, outcome: TrialOutcome, violations: Mapping[str, float]) -> None:
        from optuna.trial import TrialState

        for name, over in violations.items():
            handle.set_constraint(name, over)
        if all(name in outcome.costs for name in self.objectives.costs):
            values = self.objectives.values(outcome.costs, outcome.f1, outcome.stressed_f1 or 0.0)
            self._study.tell(handle, values)
        else:  # it has no values to be told; its broken limits tell samplers enough
            self._study.tell(handle, state=TrialState.PRUNED)

    def give_back(self, trial: StudyTrial, why: str) -> None:
        """Leave a trial to whoever asks next, as when this worker is stopped."""
        self._queue.requeue(trial.number, why, deaths=0)

    def requeue_orphaned(self) -> None:
        """Queue the trials of dead workers again."""
        self._queue.requeue_orphaned()

    def records(self) -> list[TrialRecord]:
        """Every finished trial, in order."""
        return finished_records(self._read())

    def curves(self, trial: StudyTrial) -> list[Curve]:
        """What is known of the other trials, those that are being trained included."""
        result = [record.curve(self.objectives) for record in self.records() if record.compares(self.objectives)]
        for other in self._read():
            if other.state == "RUNNING" and other.number != trial.number and other.attributes.rungs:
                costs = other.attributes.costs
                if all(name in costs for name in self.objectives.costs):
                    known = tuple(costs[name] for name in self.objectives.costs)
                    result.append(Curve(other.number, known, other.attributes.rungs))
        return result

    def twin(self, trial: StudyTrial, digest: str) -> TrialRecord | None:
        """Another trial of the same recipe, with its result; waits for an earlier one that another worker has."""
        while True:
            same = [
                other
                for other in self._read()
                if other.number != trial.number and other.state != "WAITING" and other.attributes.digest == digest
            ]
            if finished := finished_records(same):
                return finished[0]
            if not any(other.state == "RUNNING" and other.number < trial.number for other in same):
                return None
            self.requeue_orphaned()
            time.sleep(POLL_S)

    def wait(self, say: Callable[[str], None]) -> bool:
        """Wait until no other worker has a trial; returns whether there is something left to do."""
        announced = False
        while True:
            self.requeue_orphaned()
            if not self._enough():
                return True
            if not any(trial.state == "RUNNING" for trial in self._read()):
                return False
            if not announced:
                say("tune: waiting for the trials of other workers")
                announced = True
            time.sleep(POLL_S)

    def _enough(self) -> bool:
        trials = self._read()
        if any(trial.is_queued_again for trial in trials):
            return False
        if self.config.sampler.kind == "grid" and not any(trial.state == "WAITING" for trial in trials):
            return True
        return sum(trial.lives for trial in trials) >= self.config.trials

    def _superfluous(self, number: int) -> str:
        """Why a trial that was just begun is not needed; empty where it is."""
        trials = self._read()
        attributes, earlier = trials[number].attributes, trials[:number]
        if attributes.retry_of is None:
            drawn = self.config.sampler.kind == "grid" and attributes.queued is None
            enough = sum(trial.lives for trial in earlier) >= self.config.trials
            return "there were enough" if drawn or enough else ""
        same = [trial for trial in earlier if trial.attributes.retry_of == attributes.retry_of]
        original = [trial for trial in trials if trial.number == attributes.retry_of and trial.is_finished]
        return "it had been queued twice" if any(trial.lives for trial in same) or original else ""


def _lost(trial: StudyTrial, error: Exception) -> Exception:
    """Optuna says in several ways that a finished trial cannot be changed."""
    from optuna.exceptions import UpdateFinishedTrialError

    told = isinstance(error, UpdateFinishedTrialError) or "Cannot tell" in str(error)
    return TrialLost(f"trial {trial.number}: another worker has taken it") if told else error

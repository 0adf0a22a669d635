"""Which worker has a trial of a study, and what becomes of the trial of one that is gone.

A trial whose worker is gone is queued again before it is marked as failed, so that a worker that dies in between loses
nothing. Should two workers notice at once and queue it twice, the later of the two steps back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leansort.search.trials import heartbeat
from leansort.search.trials.heartbeat import WorkerIdentity
from leansort.search.trials.stored_trial import StoredTrial, TrialReader
from leansort.search.trials.trial_attributes import TrialAttributes

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.storages import BaseStorage
    from optuna.trial import Trial

DEATHS = 3  # of workers with the same trial; it may be what they died of


class TrialQueue:
    """A worker's part in handing trials on."""

    def __init__(
        self, storage: BaseStorage, study: OptunaStudy, read: TrialReader, worker: WorkerIdentity, patience: float
    ) -> None:
        """Take a worker's part.

        Args:
            storage: where the study is kept; the study hands out its trials' ids under private names alone, which the
                storage tells by a trial's number.
            study: Optuna's study.
            read: gives its trials.
            worker: who takes part.
            patience: seconds of silence after which a worker of another machine counts as dead.
        """
        self._storage, self._study, self._read, self._worker = storage, study, read, worker
        self._silence = heartbeat.SilenceTracker(patience)

    def sign(self, handle: Trial) -> None:
        """Write this worker's identity into a trial that it has taken."""
        for key, value in TrialAttributes(worker=self._worker).to_json().items():
            handle.set_user_attr(key, value)

    def requeue_orphaned(self) -> None:
        """Queue the trials of dead workers again."""
        for trial in self._read():
            if trial.state == "RUNNING" and self._is_orphaned(trial):
                self.requeue(trial.number, "its worker died", deaths=1)

    def _is_orphaned(self, trial: StoredTrial) -> bool:
        worker = trial.attributes.worker
        if worker is not None and worker.id == self._worker.id:
            return False
        if worker is not None and heartbeat.is_here(worker):
            return heartbeat.surely_gone(worker)
        return self._silence.is_long(trial.number, trial.attributes.sign_of_life)

    def requeue(self, number: int, why: str, *, deaths: int) -> None:
        """Queue a trial anew, save one that takes every worker with it, and end the old one.

        Args:
            number: of the trial.
            why: its worker cannot finish it, for people.
            deaths: workers that died with it just now.
        """
        trials = self._read()
        trial = trials[number]
        params = {**(trial.attributes.queued or {}), **trial.params}
        total = trial.attributes.deaths + deaths
        queued = any(other.attributes.retry_of == number for other in trials)
        if params and not queued and total < DEATHS:
            again = TrialAttributes(queued=params, retry_of=number, deaths=total)
            self._study.enqueue_trial(params, user_attrs=again.to_json())
        self.fail(number, why if total < DEATHS else f"{DEATHS} workers died with it")

    def fail(self, number: int, why: str) -> None:
        """End a trial without an outcome; one that has ended meanwhile is left as it is.

        Args:
            number: of the trial.
            why: for people.
        """
        from optuna.trial import TrialState

        try:
            for key, value in TrialAttributes(failed=why).to_json().items():
                self._storage.set_trial_user_attr(self._id(number), key, value)
            self._study.tell(number, state=TrialState.FAIL)
        except Exception:
            if self._read()[number].state == "RUNNING":
                raise

    def take(self) -> Trial | None:
        """Begin a trial that was queued again, before those of a grid or of start points that wait for longer."""
        from optuna.trial import Trial, TrialState

        for trial in self._read():
            if trial.is_queued_again:
                trial_id = self._id(trial.number)
                if self._storage.set_trial_state_values(trial_id, state=TrialState.RUNNING):
                    return Trial(self._study, trial_id)
        return None

    def _id(self, number: int) -> int:
        """What the storage calls a trial."""
        study = self._storage.get_study_id_from_name(self._study.study_name)
        return self._storage.get_trial_id_from_study_id_trial_number(study, number)

"""What leansort keeps with a trial of a study, beside what Optuna keeps: one type, and the one way in and out of it."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from leansort.core.files import json_documents
from leansort.core.files.typed_result import JsonObject
from leansort.search.spaces.space import Scalar
from leansort.search.trials.heartbeat import Beat, WorkerIdentity
from leansort.search.trials.trial_outcome import TrialOutcome


class TrialAttributes(BaseModel):
    """Attributes of a trial. Each is written when it becomes known, so any of them may be missing.

    They lie in Optuna's user attributes, one by one under the names of the fields, since Optuna and its databases write
    an attribute as a whole and several workers write at once.

    Attributes:
        worker: the worker that has the trial, or had it.
        beat: rises while that worker works on it.
        queued: the parameters that the trial was queued with, by name; None of a trial that a sampler drew.
        retry_of: number of the trial that this one does again; None where it is the first try.
        deaths: workers that died with this trial or with those that it does again.
        recipe: the candidate's whole recipe, resolved.
        digest: of that recipe.
        costs: of the candidate, by name, as soon as they are known.
        rungs: macro-F1 on val, the best epoch so far, by the rungs that were reached.
        outcome: what became of the trial.
        failed: why it was ended without an outcome.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    worker: WorkerIdentity | None = None
    beat: int = 0
    queued: dict[str, Scalar] | None = None
    retry_of: int | None = None
    deaths: int = 0
    recipe: JsonObject = Field(default_factory=dict)
    digest: str = ""
    costs: dict[str, float] = Field(default_factory=dict)
    rungs: dict[int, float] = Field(default_factory=dict)
    outcome: TrialOutcome | None = None
    failed: str = ""

    def to_json(self) -> JsonObject:
        """Those attributes that were given, as plain data by name."""
        return self.model_dump(mode="json", exclude_unset=True)

    @classmethod
    def from_json(cls, tree: object, where: str) -> Self:
        """The inverse.

        Args:
            tree: the user attributes of an Optuna trial; what is not of leansort is passed over.
            where: names the trial in the error.

        Raises:
            IntegrityError: an attribute is not what was written.
        """
        return json_documents.validate(tree, cls, where)

    @property
    def sign_of_life(self) -> Beat:
        """The last sign of its worker."""
        return Beat(self.worker.id if self.worker else "", self.beat)

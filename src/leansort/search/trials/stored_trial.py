"""A trial as the study's storage has it: Optuna's part and ours, both checked as if a stranger had written them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from leansort.core.files import json_documents
from leansort.search.spaces.space import Scalar
from leansort.search.trials.trial_attributes import TrialAttributes

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FINISHED = ("COMPLETE", "PRUNED")
_MOST = 1e15  # of any objective; the hypervolume of all of them is their product, which has to stay a number
_Value = Annotated[float, Field(ge=-_MOST, le=_MOST)]


class StoredTrial:
    """A trial of a study at the moment when it was read.

    Attributes:
        number: from 0.
        state: the name of Optuna's `TrialState`: WAITING, RUNNING, COMPLETE, PRUNED (both are finished here: the one
            has values, of the other not all costs are known) or FAIL.
        name: of the trial, for errors.
    """

    def __init__(self, frozen: FrozenTrial) -> None:
        """Take Optuna's trial; it is checked when it is asked for something."""
        self._frozen = frozen
        self.number, self.state, self.name = frozen.number, frozen.state.name, f"trial {frozen.number}"

    @cached_property
    def attributes(self) -> TrialAttributes:
        """What leansort keeps with it.

        Raises:
            IntegrityError: it is not what was written.
        """
        return TrialAttributes.from_json(self._frozen.user_attrs, self.name)

    @property
    def params(self) -> dict[str, Scalar]:
        """The parameters that are settled so far, by name.

        Raises:
            IntegrityError: they are not what was written.
        """
        return json_documents.validate(self._frozen.params, dict[str, Scalar], f"{self.name}: parameters")

    @property
    def values(self) -> tuple[float, ...]:
        """The values of the objectives, in their order; none where the trial was told without.

        Raises:
            IntegrityError: they are not what was written.
        """
        return tuple(json_documents.validate(list(self._frozen.values or ()), list[_Value], f"{self.name}: values"))

    @property
    def feasible(self) -> bool:
        """Whether every limit holds."""
        return all(over <= 0 for over in self._frozen.constraints.values())

    @property
    def began(self) -> datetime | None:
        """When it was begun; None where it waits."""
        return self._frozen.datetime_start

    @property
    def ended(self) -> datetime | None:
        """When it was finished; None where it is not."""
        return self._frozen.datetime_complete

    @property
    def is_finished(self) -> bool:
        """Whether it has come to its end, with values or without."""
        return self.state in FINISHED

    @property
    def is_queued_again(self) -> bool:
        """Whether it waits to be done again for a worker that is gone."""
        return self.state == "WAITING" and self.attributes.retry_of is not None

    @property
    def lives(self) -> bool:
        """Whether it counts to the trials that are wanted: done, being done, or queued again."""
        return self.is_finished or self.state == "RUNNING" or self.is_queued_again


class TrialReader:
    """Reads all trials of a study again and again; what cannot change any more is checked once."""

    def __init__(self, read: Callable[[], Sequence[FrozenTrial]]) -> None:
        """Take what gives Optuna's trials, in the order of their numbers."""
        self._read = read
        self._kept: dict[int, StoredTrial] = {}

    def __call__(self) -> list[StoredTrial]:
        """Every trial as it is now, in the order of their numbers."""
        return [self._of(frozen) for frozen in self._read()]

    def _of(self, frozen: FrozenTrial) -> StoredTrial:
        trial = StoredTrial(frozen)
        kept = self._kept.get(trial.number)
        if kept is not None and kept.state == trial.state != "RUNNING":
            return kept
        self._kept[trial.number] = trial
        return trial

"""Weights & Biases (extra `wandb`). WANDB_MODE=offline writes into the run's folder, for `wandb sync` later."""

from __future__ import annotations

from typing import Any

from leansort.core.errors import LeansortError, UserError, one_line
from leansort.train.callbacks import EpochRecord, Tracker
from leansort.train.trackers import library, read_run_id, write_run_id

_WANDB = library("wandb", "wandb")


class WandbTracker(Tracker):
    """Sends a run's recipe and metrics to Weights & Biases; a run that is gone on with keeps its id there."""

    _sent: Any  # wandb's run

    def open(self) -> None:
        """Begin a run, or go on with the one that the folder was opened for before.

        Raises:
            UserError: nobody is logged in, or the server cannot be reached.
        """
        before = read_run_id(self.folder, "wandb")
        try:
            self._sent = _WANDB.init(
                project=self.recipe["name"],
                name=self.run,
                dir=str(self.folder.resolve()),
                config=self.recipe,
                id=before,
                resume="allow" if before else None,
                settings=_WANDB.Settings(console="off", save_code=False, silent=True),  # metrics and recipe
            )
        except _WANDB.Error as error:
            raise UserError(f"wandb: {_line(error)} (WANDB_MODE=offline needs neither account nor network)") from None
        write_run_id(self.folder, "wandb", self._sent.id)

    def on_epoch(self, record: EpochRecord) -> None:
        """Log an epoch's numbers.

        Raises:
            LeansortError: they cannot be logged.
        """
        try:
            self._sent.log(record, step=int(record["epoch"]))
        except _WANDB.Error as error:
            raise LeansortError(_line(error)) from None

    def close(self, *, failed: bool) -> None:
        """End the run.

        Raises:
            LeansortError: it cannot be ended.
        """
        try:
            self._sent.finish(exit_code=int(failed))
        except _WANDB.Error as error:
            raise LeansortError(_line(error)) from None


def _line(error: Exception) -> str:
    return one_line(error, 200)

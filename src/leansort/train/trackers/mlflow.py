"""MLflow (extra `mlflow`). MLFLOW_TRACKING_URI says where runs go; MLflow's own default is `mlflow.db` right here."""

from __future__ import annotations

from typing import Any

from leansort.core.errors import LeansortError, UserError, one_line
from leansort.train.callbacks import EpochRecord, Tracker
from leansort.train.trackers import library, read_run_id, write_run_id

_MLFLOW = library("mlflow", "mlflow")
_LONGEST = 500  # characters that every version of MLflow takes as a parameter's value


class MlflowTracker(Tracker):
    """Sends a run's parameters and metrics to MLflow; a run that is gone on with keeps its id there."""

    def open(self) -> None:
        """Begin a run, or go on with the one that the folder was opened for before.

        Raises:
            UserError: the server or file of MLFLOW_TRACKING_URI cannot be used.
        """
        before = read_run_id(self.folder, "mlflow")
        try:
            _MLFLOW.set_experiment(self.recipe["name"])
            begun = _MLFLOW.start_run(run_id=before) if before else _MLFLOW.start_run(run_name=self.run)
            if before is None:  # MLflow's parameters are written once
                _MLFLOW.log_params(flat(self.recipe))
        except _MLFLOW.MlflowException as error:
            raise UserError(f"mlflow: {_line(error)}") from None
        write_run_id(self.folder, "mlflow", begun.info.run_id)

    def on_epoch(self, record: EpochRecord) -> None:
        """Log an epoch's numbers.

        Raises:
            LeansortError: the server is away.
        """
        try:
            _MLFLOW.log_metrics({name: float(value) for name, value in record.items()}, step=int(record["epoch"]))
        except _MLFLOW.MlflowException as error:
            raise LeansortError(_line(error)) from None

    def close(self, *, failed: bool) -> None:
        """End the run.

        Raises:
            LeansortError: the server is away.
        """
        try:
            _MLFLOW.end_run("FAILED" if failed else "FINISHED")
        except _MLFLOW.MlflowException as error:
            raise LeansortError(_line(error)) from None


def flat(tree: dict[str, Any], above: str = "") -> dict[str, str]:
    """A tree as `train.epochs`-like keys with values as text."""
    leaves: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            leaves |= flat(value, f"{above}{key}.")
        else:
            leaves[f"{above}{key}"] = str(value)[:_LONGEST]
    return leaves


def _line(error: Exception) -> str:
    return one_line(error, 200)

"""MLflow (extra `mlflow`). MLFLOW_TRACKING_URI says where runs go; MLflow's own default is `mlflow.db` right here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leansort.core.errors import LeansortError, UserError
from leansort.train.trackers import library, read_run_id, write_run_id

_MLFLOW = library("mlflow", "mlflow")
_LONGEST = 500  # characters that every version of MLflow takes as a parameter's value


class _Run:
    def __call__(self, record: dict[str, Any]) -> None:
        try:
            _MLFLOW.log_metrics({name: float(value) for name, value in record.items()}, step=record["epoch"])
        except _MLFLOW.MlflowException as error:
            raise LeansortError(_line(error)) from None

    def close(self, *, failed: bool) -> None:
        try:
            _MLFLOW.end_run("FAILED" if failed else "FINISHED")
        except _MLFLOW.MlflowException as error:
            raise LeansortError(_line(error)) from None


def open(run: str, folder: Path, recipe: dict[str, Any]) -> _Run:
    """Begin a run, or go on with the one that `folder` was opened for before.

    Raises:
        UserError: the server or file of MLFLOW_TRACKING_URI cannot be used.
    """
    before = read_run_id(folder, "mlflow")
    try:
        _MLFLOW.set_experiment(recipe["name"])
        begun = _MLFLOW.start_run(run_id=before) if before else _MLFLOW.start_run(run_name=run)
        if before is None:  # MLflow's parameters are written once
            _MLFLOW.log_params(flat(recipe))
    except _MLFLOW.MlflowException as error:
        raise UserError(f"mlflow: {_line(error)}") from None
    write_run_id(folder, "mlflow", begun.info.run_id)
    return _Run()


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
    return " ".join(str(error).split())[:200]

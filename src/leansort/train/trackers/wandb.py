"""Weights & Biases (extra `wandb`). WANDB_MODE=offline writes into the run's folder, for `wandb sync` later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leansort.core.errors import LeansortError, UserError
from leansort.train.trackers import library, read_run_id, write_run_id

_WANDB = library("wandb", "wandb")


class _Run:
    def __init__(self, run: Any) -> None:
        self._run = run

    def __call__(self, record: dict[str, Any]) -> None:
        try:
            self._run.log(record, step=record["epoch"])
        except _WANDB.Error as error:
            raise LeansortError(_line(error)) from None

    def close(self, *, failed: bool) -> None:
        try:
            self._run.finish(exit_code=int(failed))
        except _WANDB.Error as error:
            raise LeansortError(_line(error)) from None


def open(run: str, folder: Path, recipe: dict[str, Any]) -> _Run:
    """Begin a run, or go on with the one that `folder` was opened for before.

    Raises:
        UserError: nobody is logged in, or the server cannot be reached.
    """
    before = read_run_id(folder, "wandb")
    try:
        begun = _WANDB.init(
            project=recipe["name"], name=run, dir=str(folder.resolve()), config=recipe, id=before,
            resume="allow" if before else None,
            settings=_WANDB.Settings(console="off", save_code=False, silent=True),  # metrics and the recipe, no more
        )  # fmt: skip
    except _WANDB.Error as error:
        raise UserError(f"wandb: {_line(error)} (WANDB_MODE=offline needs neither account nor network)") from None
    write_run_id(folder, "wandb", begun.id)
    return _Run(begun)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

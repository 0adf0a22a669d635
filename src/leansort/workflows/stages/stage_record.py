"""What is written down of the stages of a job, in `stages.json` of its folder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from leansort.core.files.typed_result import TypedResult

State = Literal["waiting", "running", "done", "skipped", "failed"]
FINISHED: tuple[State, ...] = ("done", "skipped")


class StageRecord(TypedResult):
    """One stage.

    Attributes:
        name: of the stage.
        waits_for: names of the stages that have to be finished before it begins.
        state: `waiting`, `running`, `done`, `skipped` (the note says why) or `failed` (likewise).
        key: digest of all that the stage rests on; with another one it is done anew. Empty where the stage itself
            finds out what of it is done already.
        began: when it was begun last, in seconds since 1970; 0 while it was not.
        seconds: that it took so far, over all its beginnings.
        note: what it came to, or why it was skipped or failed.
        outputs: SHA-256 of the files that it left, by their path from the folder on.
    """

    name: str
    waits_for: tuple[str, ...] = ()
    state: State = "waiting"
    key: str = ""
    began: float = 0.0
    seconds: float = 0.0
    note: str = ""
    outputs: dict[str, str] = Field(default_factory=dict)


class StageList(TypedResult):
    """All stages of a job.

    Attributes:
        command: that does the job, such as `run`.
        stages: in the order in which they were planned.
    """

    command: str
    stages: tuple[StageRecord, ...] = ()

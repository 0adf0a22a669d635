"""The contest's submission file: read and checked, or laid out to be written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject
from leansort.core.text import text_files
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import json_escaped

MOST = 1e300  # of seconds and MACs that a file may state: larger whole numbers are no floats


@dataclass(frozen=True)
class Submission:
    """What a submission file states.

    Attributes:
        labels: class name by what the contest calls the picture.
        seconds: of the whole run, from the start of the process.
        macs: multiply-adds for one picture.
        inference_s: seconds of decoding and inference alone.
        picture_s: seconds from encoded bytes to label, by picture.
    """

    labels: dict[str, str]
    seconds: float
    macs: float
    inference_s: float = 0.0
    picture_s: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """Return the contest's layout; no profiling pass is run, so its profile times are zero."""
        return {
            "inference": cast(JsonObject, self.labels),
            "time": {
                "profile": {"cuda": 0.0, "cpu": 0.0},
                "runtime": {"all": self.seconds, "inference_only": self.inference_s},
                "inference": cast(JsonObject, self.picture_s),
            },
            "macs": self.macs,
        }

    def save(self, path: Path) -> None:
        """Write the file atomically."""
        atomic_io.write_text(path, json_escaped(atomic_io.canonical_json(self.to_json())))


def load(path: Path, what: str = "submission") -> Submission:
    """Read a submission file.

    Args:
        path: the file.
        what: names the work in errors.

    Raises:
        UserError: it cannot be read, is not JSON, or a part is missing or of the wrong kind.
    """
    return read_submission(text_files.read_json(path, what), str(path))


def read_submission(tree: JsonValue, where: str) -> Submission:
    """Check a submission file's content.

    Args:
        tree: the parsed JSON.
        where: its path, for the error.

    Raises:
        UserError: a part is missing or of the wrong kind.
    """
    labels = _part(tree, "inference", where)
    seconds = _part(_part(_part(tree, "time", where), "runtime", where), "all", where)
    macs = _part(tree, "macs", where)
    if not _is_cost(seconds) or not _is_cost(macs) or not _is_labels(labels):
        raise UserError(f"submission: {where} needs class names by file name and finite numbers for time and macs")
    return Submission(cast(dict[str, str], labels), float(cast(float, seconds)), float(cast(float, macs)))


def _part(tree: JsonValue, name: str, where: str) -> JsonValue:
    if not isinstance(tree, dict) or name not in tree:
        raise UserError(f"submission: {where} lacks {name!r}; it needs inference, time.runtime.all and macs")
    return tree[name]


def _is_cost(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < MOST


def _is_labels(value: JsonValue) -> bool:
    return isinstance(value, dict) and all(isinstance(label, str) for label in value.values())

"""The commands that make a run's results again, and those that add what its page does not have yet."""

from __future__ import annotations

import shlex
from pathlib import Path

from leansort.core.run_folder import RunFolder


def run_commands(folder: RunFolder, split: str, engine: str) -> list[tuple[str, str]]:
    """Commands with this run's files in them, as a POSIX shell takes them.

    Args:
        folder: the run's.
        split: that was scored.
        engine: that the target names, with its settings.
    """
    run, recipe, bundle = folder.path, folder.recipe.path, folder.bundle
    stress, unknown, doubt = folder.path / "stress", folder.unknown.path, folder.path / "doubt"
    on = ["--engine", engine] if engine else []
    again = run.with_name(f"{run.name}-again")
    data: list[str | Path] = ["--ground-truth", run, "--split", split]
    return [
        ("The whole run again, into a new folder", _line("run", recipe, "--out", again)),
        ("Score the bundle", _line("score", bundle, *data, *on)),
        ("Time the bundle on the photos of a folder", _line("bench", bundle, "--images", "photos/", *on)),
        ("Classify the photos of a folder", _line("predict", bundle, "photos/", *on)),
        ("Add stress curves", _line("stress", bundle, "--data", run, "--split", split, *on, "--out", stress)),
        (
            "Add photos of none of the classes",
            f"{_line('score', bundle, *data, *on, '--unknown', 'photos/', '--json')} > {shlex.quote(str(unknown))}",
        ),
        ("Add the most doubtful labels", _line("data", "doubt", recipe, "--manifest", run, "--out", doubt)),
        ("This page again, with what was added", _line("report", run)),
    ]


def _line(*words: str | Path) -> str:
    return shlex.join(["leansort", *map(str, words)])

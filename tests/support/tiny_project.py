"""A folder with a finished run of the drawn sample data, for examples that name its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.recipe.load import load_recipe
from leansort.workflows.run import run

# Of the recipe `sample`: a few scenes, one epoch, and a bench that only shows that it works.
QUICK = (
    "data.train=8", "data.val=4", "data.test=4", "train.epochs=1", "train.workers=0", "preprocess.size=32",
    "arch.base=tiny_s",
    "bench.seconds=0.1", "bench.queries=10", "bench.starts=0",
)  # fmt: skip


@dataclass(frozen=True)
class TinyProject:
    """A folder with `runs/first`, a whole run, and `runs/second`, another bundle of its network.

    Attributes:
        folder: of the project; treat what it has as read-only.
    """

    folder: Path


def make_tiny_project(folder: Path) -> TinyProject:
    """Draw, train, export, measure and score; takes some seconds."""
    first = folder / "runs" / "first"
    run(load_recipe("sample", QUICK), first)
    bundle = bundles.load(first / "model.leansort")
    second = Bundle(bundle.meta.model_copy(update={"name": "second", "temperature": 2.0}), bundle.files)
    second.save(folder / "runs" / "second" / "model.leansort")
    return TinyProject(folder)

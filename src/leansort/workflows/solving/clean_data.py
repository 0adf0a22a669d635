"""The data of a solve, checked: photos that two splits show are found before anything is trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leansort.core import manifest as manifests
from leansort.core.errors import UserError
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.run_folder import SolveFolder
from leansort.core.writing.escaping import printable
from leansort.data.importing.class_selection import require_learnable
from leansort.data.quality.dataset_check import DatasetCheck, DuplicatePair
from leansort.workflows.data.check import check_data, summarize_check
from leansort.workflows.data.import_data import data_for
from leansort.workflows.solving.candidate_recipes import data_recipe
from leansort.workflows.solving.solve_settings import SolveSettings
from leansort.workflows.stages.stage_graph import StageGraph

SHOWN = 3
LEAST = 2  # photos of a class to learn from


def clean_data(settings: SolveSettings, folder: SolveFolder, stages: StageGraph) -> Manifest:
    """Import and check the data of a solve, as its stages `import` and `check`.

    Args:
        settings: name the data, and what is done about leaks.
        folder: of the solve.
        stages: of the solve.

    Returns:
        The data without leaks.

    Raises:
        UserError: they cannot be used, or photos to learn from are among those that judge.
    """
    with stages.stage("import"):
        manifest = data_for(data_recipe(settings), folder.path, settings.manifest, resume=True)
        require_splits(manifest)
        counts = ", ".join(f"{name} {sum(manifest.counts(name)):,}" for name in ("train", "val", "test"))
        stages.note("import", f"{len(manifest.labels)} classes; {counts}")
    kept = folder.without_leaks

    def check() -> None:
        source = settings.manifest or folder.manifest
        checked, _ = check_data(source)
        folder.check.write(summarize_check(checked))
        lines = [pair_text(checked, pair) for pair in checked.pairs if pair.across]
        dropped = leaking_rows(checked)
        if lines and not settings.drop_leaks:
            raise UserError(
                f"solve: {len(lines)} pairs of photos show the same in two splits, so that val or test would judge by "
                f"what was learned by heart: {'; '.join(lines[:SHOWN])}{'; …' if len(lines) > SHOWN else ''}; mend the "
                f"data, or leave out {len(dropped)} of their photos with --drop-leaks"
            )
        rows = tuple(row for at, row in enumerate(manifest.rows) if at not in dropped)
        replace(manifest, rows=rows).save(kept.manifest)
        for at in sorted(dropped):
            say(printable(f"check: left out, as another split shows it: {manifest.rows[at].image}"))
        conflicts = sum(pair.conflict for pair in checked.pairs)
        stages.note("check", f"{len(dropped)} photos left out; {conflicts} pairs show the same under two labels")

    kept.path.mkdir(exist_ok=True)
    stages.do("check", [manifest.digest, settings.drop_leaks], [folder.check.path, kept.manifest], check)
    clean = manifests.load(kept.manifest)
    require_splits(clean)
    return clean


def require_splits(manifest: Manifest) -> None:
    """Refuse data that nothing can be learned from or judged by.

    Raises:
        UserError: naming what is short.
    """
    names, train = manifest.labels.names, manifest.counts("train")
    if len(names) < 2:
        raise UserError(f"solve: got photos of {len(names)} class ({', '.join(names)}), need two classes or more")
    require_learnable(manifest, ())
    few = [f"{name} {count}" for name, count in zip(names, train, strict=True) if count < LEAST]
    if few:
        raise UserError(
            f"solve: need {LEAST} photos or more of each class to learn from, got {', '.join(few)}; add photos"
        )
    if not sum(manifest.counts("val")):
        raise UserError("solve: no photo is in val, which chooses the network; add photos, or a folder val/<class>/")


def leaking_rows(checked: DatasetCheck) -> set[int]:
    """Numbers of the rows to leave out so that no photo is in two splits: of train first, then of val."""
    rank = {"train": 0, "val": 1, "test": 2}
    return {
        min(pair.first, pair.second, key=lambda at: (rank.get(checked.rows[at].split, 0), at))
        for pair in checked.pairs
        if pair.across
    }


def pair_text(checked: DatasetCheck, pair: DuplicatePair) -> str:
    """As `train/a.jpg and val/b.jpg`."""
    rows: Sequence[str] = [checked.rows[at].image for at in (pair.first, pair.second)]
    return printable(" and ".join(rows))

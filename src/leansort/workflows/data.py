"""`leansort data`: draw the sample data, import a data set into a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leansort.core.errors import UserError
from leansort.core.manifest import SPLITS, Manifest
from leansort.data.importing import to_manifest
from leansort.workflows import recipe as recipes
from leansort.workflows.progress import bar, say


def sample(out: Path, *, seed: int, train: int, val: int, test: int) -> dict[str, Any]:
    """Draw the sample data set: `annotations.json` and `images/` in `out`; return its counts."""
    from leansort.data.drawing.dataset import draw_dataset

    with bar("drawing scenes") as advance:
        scenes = {"train": train, "val": val, "test": test}
        tree = draw_dataset(out, seed=seed, scenes=scenes, progress=advance)
    return {"annotations": str(out / "annotations.json"), "scenes": scenes, "boxes": len(tree["annotations"])}


def import_data(data: dict[str, Any], out: Path, *, seed: int = 0) -> Manifest:
    """Import a data set and write `manifest.parquet` into `out`.

    Args:
        data: as the `data` section of a recipe: `source`, and the keys of that source.
        out: gets the manifest, and crops where the source cuts them.
        seed: of the splits, where the data set gives none.

    Raises:
        UserError: the data set cannot be used, or over 1 % of its pictures cannot be read.
    """
    module, config = recipes.source_config(data, out=out, path=out / "data")
    say(f"data: reading {data['source']} {config.path}")
    found = module.items(config)
    with bar("checking pictures") as advance:
        manifest, skipped = to_manifest(found, seed=seed, progress=advance)
    for line in skipped:
        say(f"skipped {line}")
    manifest.save(out / "manifest.parquet")
    return manifest


def counts(manifest: Manifest) -> dict[str, Any]:
    """Crops by split and class, and what the import counted."""
    by_split = {split: dict(zip(manifest.labels.names, manifest.counts(split), strict=True)) for split in SPLITS}
    return {"splits": {k: v for k, v in by_split.items() if any(v.values())}, "notes": manifest.notes}


def checked_source(settings: dict[str, Any], out: Path) -> dict[str, Any]:
    """Check what the command line said of a source, before anything is made.

    Raises:
        UserError: no such source, or it has no such setting.
    """
    faults = recipes.data_faults(settings, out)
    if faults:
        raise UserError("; ".join(faults))
    return settings

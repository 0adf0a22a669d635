"""Resuming on the same data: what a run began with is written down, and compared before it goes on."""

from __future__ import annotations

from pathlib import Path

from leansort.core import manifest as manifests
from leansort.core.errors import UserError
from leansort.core.folders.image_files import list_image_files
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.process.distributed import is_first_process
from leansort.core.run_folder import DataFolder
from leansort.data import inputs
from leansort.data.importing.data_source import DataSource
from leansort.data.importing.items import CORRECTIONS, PHOTO, Items
from leansort.data.inputs import InputFiles
from leansort.recipe.data_section import corrections_file, data_source

WAY_OUT = "start anew with another --out, or put the data back"


def keep_import(items: Items, manifest: Manifest, out: Path) -> None:
    """Write down the files that an import read, where its source says which they are."""
    if items.inputs is None:
        DataFolder(out).inputs.unlink(missing_ok=True)
        return
    hashes = {item.path: item.hash for item in inputs.describe_manifest(manifest)}
    InputFiles(inputs.describe_files(items.inputs, hashes)).save(DataFolder(out).inputs)


def require_same_import(data: dict[str, object], out: Path) -> None:
    """Refuse to go on where the files that the import in `out` read are others now.

    Raises:
        UserError: with what was added, removed and changed.
    """
    source = data_source(data, out=out, path=DataFolder(out).imported)
    if type(source).inputs is DataSource.inputs:
        return
    if not DataFolder(out).inputs.exists():
        say(f"resume: {out} does not tell which files its import read; whether they changed is not checked")
        return
    corrections = corrections_file(data)
    now = {**(source.inputs() or {}), **({corrections: CORRECTIONS} if corrections else {})}
    _refuse(inputs.differences(inputs.load(DataFolder(out).inputs).files, now), out)


def same_manifest(path: Path, out: Path, *, resume: bool) -> Manifest:
    """The manifest that a run is given; on resuming it must be the one that the run began with.

    Raises:
        UserError: it was made anew with other crops, classes or splits, its files changed, or the run in `out` began
            with data of its own.
    """
    given = manifests.load(path)
    now, known = inputs.describe_manifest(given), DataFolder(out).inputs
    if resume and DataFolder(out).manifest.exists():
        if manifests.load(out).digest != given.digest:
            raise UserError(f"resume: {out} was begun with data of its own, {path} holds others; {WAY_OUT}")
    elif resume and known.exists():
        _refuse(inputs.differences(inputs.load(known).files, now), out)
    elif is_first_process():
        InputFiles(now, str(path.absolute())).save(known)
    return given


def require_same_photos(source: Path, what: str, known: Path, out: Path) -> None:
    """Refuse to go on where a folder of photos holds others than those that were written down.

    Args:
        source: the folder.
        what: names it in the error.
        known: the file that says what it held.
        out: the run's folder.

    Raises:
        UserError: with what was added, removed and changed, or the folder is not there.
    """
    if not source.is_dir():
        raise UserError(f"{what}: {source} is not there any more; {WAY_OUT}")
    now = dict.fromkeys(list_image_files(source).files, PHOTO)
    _refuse(inputs.differences(inputs.load(known).files, now), out)


def require_own(out: Path) -> None:
    """Refuse to import data into a folder whose run began with a manifest that was given.

    Raises:
        UserError: with that manifest.
    """
    if DataFolder(out).inputs.exists() and (begun := inputs.load(DataFolder(out).inputs).manifest):
        raise UserError(f"resume: {out} was begun with --manifest {begun}; name it again")


def _refuse(told: str, out: Path) -> None:
    if told:
        raise UserError(f"resume: the data are not those that {out} was begun with: {told}; {WAY_OUT}")

"""Data sets whose files lie in a store: the settings of a source with local copies in the place of addresses."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from leansort.core.locations.location import is_remote, location
from leansort.data.download.store_copies import bring

SMALL = ("map", "corrections")  # files beside the data, which are checked before anything is made
PHOTOS = "photos"  # folder of an import for photos that are used where they lie


def bring_small(settings: Mapping[str, object]) -> dict[str, object]:
    """Return the settings with local copies of the files beside the data; see `store_copies.bring`."""
    return {key: _brought(value) if key in SMALL else value for key, value in settings.items()}


def bring_data(settings: Mapping[str, object], out: Path | None = None) -> dict[str, object]:
    """Return the settings with local copies of data and photos.

    A list or annotation file without a folder of photos has them beside itself: its whole folder is brought.

    Args:
        settings: of a source, as a recipe's `data` section has them.
        out: the import's folder, where photos are linked that the manifest leads to; None where they are only read.

    Raises:
        UserError: it is not there.
        MachineError: the store refuses or does not answer, or files could not be fetched; what was is kept.
    """
    made = bring_small(settings)
    beside = settings.get("images") is None and settings.get("source") in ("coco", "table")
    for key in ("path", "images"):
        if key in made:
            made[key] = _brought(made[key], beside=beside and key == "path", out=out)
    return made


def has_remote(value: object) -> bool:
    """Whether a setting, or a part of it, is an address."""
    if isinstance(value, Mapping):
        return any(has_remote(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_remote(item) for item in value)
    return isinstance(value, str | Path) and is_remote(location(value))


def _brought(value: object, *, beside: bool = False, out: Path | None = None) -> object:
    if not has_remote(value):
        return value
    if isinstance(value, Mapping):
        return {key: _brought(item, beside=beside, out=out) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_brought(item, beside=beside, out=out) for item in value)
    path = location(value if isinstance(value, Path) else str(value))
    whole = beside and not path.is_dir()
    local = bring(path.parent if whole else path)
    if out is not None and local.is_dir():
        local = _linked(local, out / PHOTOS / (path.parent if whole else path).name)
    return local / path.name if whole else local


def _linked(source: Path, target: Path) -> Path:
    """The files of a copy once more, for who keeps them: links where that can be, which take no space."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=_link)
    return target


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)

"""What the arguments of `leansort predict` mean: a bundle and pictures, or pictures alone for the default model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from leansort.core.errors import UserError, did_you_mean
from leansort.core.locations.location import is_named, is_remote, location
from leansort.core.run_folder import ModelFolder
from leansort.runtime import shipped_models
from leansort.runtime.shipped_models import SUFFIX

STDIN = "-"
_ZIP = b"PK\x03\x04"  # how a bundle begins, whatever it is called


def split_arguments(given: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Return the bundle and the pictures that arguments name.

    The first argument is the bundle if it ends in `.leansort`, is the name of a model, or is a file that begins as a
    bundle does. All others are pictures, folders, or `-`; what is there goes before a model's name.

    Args:
        given: the arguments, at least one.

    Returns:
        The bundle, None for the default model, and the arguments that name pictures, each of which is there.

    Raises:
        UserError: a bundle or picture is not there, a bundle stands elsewhere than first, or no picture is named.
    """
    first, *others = given
    bundle = _bundle(first)
    pictures = list(given) if bundle is None else others
    if not pictures:
        raise UserError(f"predict: {first} is a bundle; name pictures behind it, or - for a list of paths")
    for name in pictures:
        _require_picture(name, is_second=bundle is not None)
    return bundle, pictures


def _bundle(name: str) -> Path | None:
    path = location(name)
    if path.suffix == SUFFIX:
        return shipped_models.find_bundle(path)
    if is_remote(path):  # it is not opened to ask what it is
        return None
    if path.is_dir() and ModelFolder(path).bundle.is_file():
        raise UserError(f"predict: {path} is a model's folder; name its bundle: {ModelFolder(path).bundle}")
    if name == STDIN or os.path.lexists(path):
        return path if name != STDIN and _begins_as_bundle(path) else None
    model = shipped_models.find_model(name)
    return model.path if model else None


def _begins_as_bundle(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe would wait for whoever writes to it
            return False
        with path.open("rb") as file:
            return file.read(len(_ZIP)) == _ZIP
    except OSError:
        return False


def _require_picture(name: str, *, is_second: bool) -> None:
    """Refuse what can be no picture, before anything is loaded."""
    path = location(name)
    if path.suffix == SUFFIX:
        why = "there is one before it" if is_second else "name it first"
        raise UserError(f"predict: {path} is a bundle, not a picture; {why}")
    if name == STDIN or is_named(path):
        return
    models = [] if is_second else shipped_models.list_models()
    hint = did_you_mean(name, models).replace("did you mean", "did you mean the model")
    raise UserError(f"predict: {path} is not there{hint or did_you_mean(path.name, _beside(path))}")


def _beside(path: Path) -> list[str]:
    """Names of the files in the folder where a missing one was looked for."""
    try:
        return [other.name for other in islice(path.parent.iterdir(), 10_000)]
    except OSError:
        return []

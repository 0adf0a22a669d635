"""Bundles that are known by name: those of the package, of plugin folders and of installed distributions.

A model is a folder with a bundle and its card, and the folder's name is the model's. It is found in three ways, as
every plugin is (`core.plugins`): in `models/` of a folder named in `LEANSORT_PLUGINS`, in `models/` of this package,
and by an entry point in the group `leansort.models`, whose value is the importable package that is such a folder;
nothing of it is imported. A file of the user's goes before a name.

The default model, which sorts where no bundle is named, is always one of the package's own: the one with the best
recorded macro-F1. So a model is shipped, or replaced, by its folder alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leansort.core import bundle as bundles
from leansort.core import plugins
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError, did_you_mean
from leansort.core.files.bundle_card import BundleCard
from leansort.core.locations.location import is_remote, location
from leansort.core.run_folder import ModelFolder

if TYPE_CHECKING:
    import os
    from importlib.metadata import EntryPoint

FOLDER = Path(__file__).parents[1] / "models"
GROUP = "models"
SUFFIX = ".leansort"


@dataclass(frozen=True)
class ShippedModel:
    """A bundle that is known by name; it was not opened yet.

    Attributes:
        name: the name.
        path: the bundle file.
        origin: where it comes from, for people: `leansort`, a folder, or a distribution with its version.
    """

    name: str
    path: Path
    origin: str


def list_models() -> dict[str, ShippedModel]:
    """Return every model by name, those of plugin folders first; what is hidden is said once."""
    models: dict[str, ShippedModel] = {}
    for model in _all_found():
        first = models.setdefault(model.name, model)
        if first is not model:
            plugins.say_once(f"warning: model {model.name!r} of {model.origin} is hidden by that of {first.origin}")
    return models


def find_model(name: str) -> ShippedModel | None:
    """Return the model of a name, None where there is none. Distributions are looked through where no folder has it."""
    first = next((model for model in _in_folders() if model.name == name), None)
    return first or list_models().get(name)


def find_bundle(given: str | os.PathLike[str]) -> Path:
    """Return the path of what was given as a bundle, where a model's name may stand.

    Args:
        given: a path or a name. A file goes before a name.

    Returns:
        The path, which may be that of another kind of file, for commands that take those too; it may not exist, and
        whoever reads it says so.

    Raises:
        UserError: there is no such bundle, or a model may be meant whose name is spelled otherwise.
    """
    path = location(given)
    if is_remote(path) or path.is_file():
        return path
    if model := find_model(str(given)):
        return model.path
    hint = did_you_mean(path.name.removesuffix(SUFFIX), list_models())
    if path.suffix == SUFFIX or (hint and not path.exists() and path.name == str(given)):
        told = hint.replace("did you mean", "did you mean the model")
        raise UserError(f"bundle: {path} is not there{told}")
    return path


def default_model() -> ShippedModel:
    """Return the model that sorts where no bundle is named.

    Raises:
        UserError: this installation has none.
    """
    own = {model.name: model for model in _in_folder(FOLDER, "leansort")}
    if not own:
        raise UserError("no model lies in this installation of leansort; name a bundle (a .leansort file)")
    if len(own) == 1:
        return next(iter(own.values()))
    return max(own.values(), key=lambda model: (bundles.recorded_macro_f1(model.path), model.name))


def open_default() -> Bundle:
    """Open the default model, and say once in this process what it was trained on.

    Raises:
        UserError: this installation has none.
        IntegrityError: it is damaged.
    """
    bundle = bundles.load(default_model().path)
    plugins.say_once(describe_default(bundle))
    return bundle


def describe_default(bundle: Bundle) -> str:
    """Return the line that says what the default model was trained on, and what it does not know.

    Args:
        bundle: the default model's, opened.
    """
    meta, card = bundle.meta, bundle.meta.card or BundleCard()
    photos = f" (photos of {card.photos})" if card.photos else ""
    data = f"trained on {card.data}{photos}" if card.data else "its training data are not recorded"
    names = ", ".join(meta.labels)
    return (
        f"model {meta.name}: {data}; it knows {names}, and gives anything else one of these names, too; "
        f"more: leansort models {default_model().name}"
    )


def _all_found() -> Iterator[ShippedModel]:
    """Every model, those that win first."""
    yield from _in_folders()
    for point in plugins.entry_points_of(GROUP):
        if model := _of_distribution(point):
            yield model


def _in_folders() -> Iterator[ShippedModel]:
    for folder in plugins.plugin_folders(GROUP):
        yield from _in_folder(folder, str(folder))
    yield from _in_folder(FOLDER, "leansort")


def _in_folder(folder: Path, origin: str) -> Iterator[ShippedModel]:
    for inner in sorted(folder.iterdir()) if folder.is_dir() else []:
        bundle = ModelFolder(inner).bundle
        if bundle.is_file():
            yield ShippedModel(inner.name, bundle, origin)


def _of_distribution(point: EntryPoint) -> ShippedModel | None:
    """The model of an entry point; one that cannot be used is left out, which is said once."""
    origin, package = plugins.distribution_of(point), point.module.replace(".", "/")
    bundle = ModelFolder(Path(str(point.dist.locate_file(package)))).bundle if point.dist else Path(package)
    if not bundle.is_file():
        plugins.say_once(f"warning: left out: model {point.name!r} of {origin}: {bundle} is not there")
        return None
    return ShippedModel(point.name, bundle, origin)

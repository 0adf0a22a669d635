"""Names that a shell offers for an argument. Where none of them fits what was typed, the shell offers files.

Each function takes the parsed command or what was typed so far, and imports nothing that takes long: a shell asks anew
for every Tab.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from leansort.core.text.packaged_configs import ConfigKind


def offer_recipes(command: typer.Context) -> list[tuple[str, str]]:
    """Return the recipes of the package by the names that the command takes, each with what it is for."""
    from leansort.core.text.packaged_configs import COMPRESSION_RECIPE, RECIPE

    return _files_of(COMPRESSION_RECIPE if command.info_name == "compress" else RECIPE)


def offer_searches() -> list[tuple[str, str]]:
    """Return the searches of the package, each with what it is for."""
    from leansort.core.text.packaged_configs import SEARCH

    return _files_of(SEARCH)


def offer_ablations() -> list[tuple[str, str]]:
    """Return the ablations of the package, each with what it is for."""
    from leansort.core.text.packaged_configs import ABLATION

    return _files_of(ABLATION)


def _files_of(kind: ConfigKind) -> list[tuple[str, str]]:
    from leansort.core.text.packaged_configs import describe_config, list_configs

    names: dict[str, str] = {}
    for folder in kind.folders:  # in the order in which a name is looked for, so that the first file of a name counts
        for full, path in list_configs().items():
            if full.rpartition("/")[0] == folder:
                names.setdefault(path.stem, describe_config(path))
    return list(names.items())


def offer_models() -> list[tuple[str, str]]:
    """Return the models that are known by name, each with where it comes from."""
    from leansort.runtime.shipped_models import list_models

    return [(name, f"from {model.origin}") for name, model in list_models().items()]


def offer_engines() -> list[tuple[str, str]]:
    """Return the engines, and `auto`, each with where it comes from."""
    from leansort.core import plugins

    found = plugins.list_plugins("engines")
    return [("auto", "the fastest that runs the bundle"), *((name, found[name].origin) for name in sorted(found))]


def offer_packaged() -> list[tuple[str, str]]:
    """Return every file of the package that `leansort recipes` knows, each with what it is for."""
    from leansort.core.text.packaged_configs import describe_config, list_configs

    return [(name, describe_config(path)) for name, path in list_configs().items()]

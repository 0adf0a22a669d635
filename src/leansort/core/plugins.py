"""How a backbone, engine, pack, pass, source or tracker is found by its name, and its class imported and checked.

A kind is found in three ways, and there is no second list of them:

1. **a plugin folder**: each folder named in `LEANSORT_PLUGINS` (joined by the path separator) may hold `backbones/`,
   `engines/`, `packs/`, `passes/`, `sources/` and `trackers/`; a file's name in there is the kind's name;
2. **a file of this package**, in the folders of `PACKAGES`;
3. **an entry point** of an installed distribution, in the group `leansort.backbones`, `leansort.engines`,
   `leansort.packs`, `leansort.passes`, `leansort.sources` or `leansort.trackers`; its name is the kind's name, and it
   points to a class; a pack of weights is a file, and its entry point names the package that it lies in.

Where a name exists twice, the way further up wins, and it is said. A folder is named for this very run, so it may put
another kind in the place of one of ours. A distribution may not: it is often installed for the sake of something else,
and recipes and models that name our kind must mean it on every machine. Two distributions with one name are refused
where that name is used, since the order of installed distributions means nothing.

Names are listed without importing anything. A file or distribution that is broken harms only who uses it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar, cast

from leansort.core import plugin_checks
from leansort.core.errors import LeansortError, UserError, not_one_of, one_line
from leansort.core.process.console import say

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# Engines stand on two floors: those of a robot, and those that import torch.
PACKAGES = {
    "backbones": ("arch.backbones",),
    "engines": ("runtime.engines", "arch.engines"),
    "packs": ("arch.pretrained.packs",),
    "passes": ("compress.passes",),
    "sources": ("data.sources",),
    "trackers": ("train.trackers",),
}
SINGULAR = {"passes": "pass"}
_HERE = Path(__file__).parent.parent
_said: set[str] = set()
T = TypeVar("T")


@dataclass(frozen=True)
class Plugin:
    """A kind that was found by its name and not imported yet.

    Attributes:
        group: `backbones`, `engines`, `packs`, `passes`, `sources` or `trackers`.
        name: of the kind.
        path: its file; None for an entry point.
        entry_points: those of this name, of one distribution each; empty for a file.
    """

    group: str
    name: str
    path: Path | None = None
    entry_points: tuple[EntryPoint, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether it is a file of this package."""
        return self.path is not None and self.path.is_relative_to(_HERE)

    @property
    def suffix(self) -> str:
        """`.py`, `.yaml`, or empty for an entry point."""
        return self.path.suffix if self.path else ""

    @property
    def origin(self) -> str:
        """Where it comes from, for people: `leansort`, a file, or a distribution with its version."""
        if self.is_own:
            return "leansort"
        return str(self.path) if self.path else " and ".join(map(distribution_of, self.entry_points))

    @property
    def what(self) -> str:
        """How errors name it: `pass 'prune'`."""
        return f"{singular(self.group)} {self.name!r}"


def singular(group: str) -> str:
    """One of a group: `pass` of `passes`."""
    return SINGULAR.get(group, group.removesuffix("s"))


def list_plugins(group: str) -> dict[str, Plugin]:
    """Return every kind of a group by name, without importing any; what is hidden is said once."""
    kinds: dict[str, Plugin] = {}
    for plugin in _all_found(group):
        first = kinds.setdefault(plugin.name, plugin)
        if first is not plugin:
            say_once(f"warning: {plugin.what} of {plugin.origin} is hidden by that of {first.origin}")
    return kinds


def find(group: str, name: str) -> Plugin:
    """Return one kind. Installed distributions are looked through only where no file has the name.

    Raises:
        UserError: there is no such kind; the message lists those found.
    """
    files = [plugin for plugin in _files(group) if plugin.name == name]
    if not files:
        kinds = list_plugins(group)
        if name not in kinds:
            raise not_one_of(singular(group), name, kinds)
        return kinds[name]
    for hidden in files[1:]:
        say_once(f"warning: {hidden.what} of {hidden.origin} is hidden by that of {files[0].origin}")
    return files[0]


def load(group: str, name: str, base: type[T]) -> type[T]:
    """Import the class of one kind and hold it to what its base class asks for.

    Args:
        group: `backbones`, `engines`, `passes`, `sources` or `trackers`.
        name: of the kind.
        base: that the class derives from.

    Raises:
        UserError: there is no such kind, it cannot be imported, its file has no class or several, or the class lacks
            an attribute or has one of a wrong type. The message names the file, what is wrong and what is allowed.
        MissingExtraError: a library that it needs is not installed.
    """
    return load_class(find(group, name), base)


def load_class(plugin: Plugin, base: type[T]) -> type[T]:
    """Import the class of a kind that was found; see `load`."""
    if len(plugin.entry_points) > 1:
        raise UserError(f"{plugin.what} is in several distributions, {plugin.origin}; uninstall all but one of them")
    try:
        value = plugin.entry_points[0].load() if plugin.entry_points else _module(plugin)
    except LeansortError:
        raise
    except Exception as error:  # whatever a plugin's own code raises
        text = f"{type(error).__name__}: {one_line(error)}"
        raise UserError(f"{plugin.what} of {plugin.origin} cannot be imported: {text}") from error
    found = plugin_checks.only_class(value, base) if isinstance(value, ModuleType) else value
    if isinstance(found, str):
        raise UserError(f"{plugin.what} of {plugin.origin}: {found}")
    if not plugin.is_own and (fault := plugin_checks.fault(found, base)):
        raise UserError(f"{plugin.what} of {plugin.origin}: {fault}")
    return cast("type[T]", found)  # which `fault` has seen


def load_all(group: str, base: type[T]) -> dict[str, type[T]]:
    """Return the class of every kind of a group; those that cannot be used are left out, which is said once."""
    classes: dict[str, type[T]] = {}
    for name, plugin in sorted(list_plugins(group).items()):
        try:
            classes[name] = load_class(plugin, base)
        except LeansortError as error:
            say_once(f"warning: left out: {error}")
    return classes


def forget() -> None:
    """Look through installed distributions anew, and give warnings again; for programs that install while they run."""
    entry_points_of.cache_clear()
    _said.clear()


def _all_found(group: str) -> Iterator[Plugin]:
    """Every kind, those that win first."""
    yield from _files(group)
    by_name: dict[str, list[EntryPoint]] = {}
    for point in entry_points_of(group):
        by_name.setdefault(point.name, []).append(point)
    for name, points in by_name.items():
        yield Plugin(group, name, entry_points=tuple(points))


def plugin_folders(group: str) -> list[Path]:
    """Return the folders of a group in the folders that `LEANSORT_PLUGINS` names; they may not be there."""
    return [Path(folder) / group for folder in os.environ.get("LEANSORT_PLUGINS", "").split(os.pathsep) if folder]


def _files(group: str) -> Iterator[Plugin]:
    own = [_HERE.joinpath(*package.split(".")) for package in PACKAGES[group]]
    for folder in (*plugin_folders(group), *own):
        for path in sorted(folder.glob("*")) if folder.is_dir() else []:
            if path.suffix in (".py", ".yaml") and not path.name.startswith(("_", ".")):
                yield Plugin(group, path.stem, path)


@cache
def entry_points_of(group: str) -> tuple[EntryPoint, ...]:
    """Return all entry points of a group; a distribution that lies on the path twice counts once."""
    from importlib.metadata import entry_points  # here, since a robot that runs our engines never needs it

    points = entry_points(group=f"leansort.{group}")
    return tuple({(point.name, point.value, distribution_of(point)): point for point in points}.values())


def distribution_of(point: EntryPoint) -> str:
    """Return where an entry point comes from, for people: the distribution with its version."""
    dist = point.dist
    return f"the distribution {dist.name} {dist.version}" if dist else f"the entry point {point.value}"


def _module(plugin: Plugin) -> ModuleType:
    path = plugin.path
    assert path is not None
    if plugin.is_own:
        return importlib.import_module(".".join(["leansort", *path.relative_to(_HERE).with_suffix("").parts]))
    return _from_file(f"leansort_plugins.{plugin.group}.{plugin.name}", path)


def _from_file(module_name: str, path: Path) -> ModuleType:
    if module_name in sys.modules and sys.modules[module_name].__file__ == str(path):
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]  # a broken file is broken the next time as well
        raise
    return module


def say_once(line: str) -> None:
    """Say a line, but not a second time in this process."""
    if line not in _said:
        _said.add(line)
        say(line)

"""A file's name is its kind: `backbones/mnasnet.yaml` is the backbone `mnasnet`; there is no second list.

Further folders are searched first: each folder named in `LEANSORT_PLUGINS` (joined by the path separator)
may hold `backbones/`, `engines/`, `passes/`, `sources/` and `trackers/`, so one new file adds one new kind.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from leansort.core.errors import not_one_of

# Engines stand on two floors: those of a robot, and those that import torch.
PACKAGES = {
    "backbones": ("arch.backbones",),
    "engines": ("runtime.engines", "arch.engines"),
    "passes": ("compress.passes",),
    "sources": ("data.sources",),
    "trackers": ("train.trackers",),
}
_HERE = Path(__file__).parent.parent


def _folders(group: str) -> list[Path]:
    own = [_HERE.joinpath(*package.split(".")) for package in PACKAGES[group]]
    extra = os.environ.get("LEANSORT_PLUGINS", "")
    return [Path(folder) / group for folder in extra.split(os.pathsep) if folder] + own


def list_plugins(group: str) -> dict[str, Path]:
    """Return every kind of a group by name, the user's folders taking precedence."""
    kinds: dict[str, Path] = {}
    for folder in _folders(group):
        for path in sorted(folder.glob("*")) if folder.is_dir() else []:
            if path.suffix in (".py", ".yaml") and not path.name.startswith(("_", ".")):
                kinds.setdefault(path.stem, path)
    return kinds


def path_of(group: str, name: str) -> Path:
    """Return the file of one kind.

    Raises:
        UserError: there is no such kind; the message lists those found.
    """
    kinds = list_plugins(group)
    if name not in kinds:
        raise not_one_of(group.removesuffix("s"), name, kinds)
    return kinds[name]


def load(group: str, name: str) -> ModuleType:
    """Import the module of one kind.

    Raises:
        UserError: there is no such kind.
    """
    path = path_of(group, name)
    if path.is_relative_to(_HERE):
        return importlib.import_module(".".join(["leansort", *path.relative_to(_HERE).with_suffix("").parts]))
    return _from_file(f"leansort_plugins.{group}.{name}", path)


def _from_file(module_name: str, path: Path) -> ModuleType:
    if module_name in sys.modules and sys.modules[module_name].__file__ == str(path):
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module

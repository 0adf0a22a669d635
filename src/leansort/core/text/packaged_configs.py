"""Recipes, searches, ablations and category maps: found by path, or by name among those that the package brings.

A name is the path below `leansort/configs` without its suffix: `sample`, `compress/trashnet`, `data/taco6`. Where the
kind of file is known its folder may be left out: a search may be called `quick` as well as `search/quick`. A file of
the user's wins over a name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from leansort.core.errors import UserError, did_you_mean, not_one_of
from leansort.core.writing import atomic_io

FOLDER = Path(__file__).parents[2] / "configs"
SUFFIX = ".yaml"


@dataclass(frozen=True)
class ConfigKind:
    """A kind of configuration file.

    Attributes:
        noun: what the file is called in messages.
        folders: folders below `configs` that are looked in for a bare name, in this order.
    """

    noun: str
    folders: tuple[str, ...]


RECIPE = ConfigKind("recipe", ("",))
COMPRESSION_RECIPE = ConfigKind("recipe", ("compress", ""))
SEARCH = ConfigKind("search", ("search",))
ABLATION = ConfigKind("variants", ("ablations",))
CATEGORY_MAP = ConfigKind("category map", ("data",))


def list_configs() -> dict[str, Path]:
    """Return every file that the package brings, by name: recipes first, then folder by folder."""
    paths = {path.relative_to(FOLDER).with_suffix("").as_posix(): path for path in FOLDER.rglob(f"*{SUFFIX}")}
    return {name: paths[name] for name in sorted(paths, key=lambda name: (_folder_of(name), name))}


def find_config(given: str | Path, kind: ConfigKind, beside: Path | None = None) -> Path:
    """Return the path of a configuration file.

    Args:
        given: a path or a name.
        kind: which kind of file is wanted.
        beside: a folder that a relative path is looked for in, in place of the working directory.

    Returns:
        The path, which may not exist where `given` is written as a path: whoever reads it says so.

    Raises:
        UserError: `given` is neither a file nor a name; the message says which name may be meant.
    """
    path = Path(given) if beside is None else beside / given
    if _is_file(path):
        return path
    known, name = list_configs(), str(given)
    full = _full_name(name, kind, known)
    if full is not None:
        return known[full]
    if path.suffix == SUFFIX and is_name(path.stem, kind):
        raise UserError(f"{kind.noun}: cannot read {path} (No such file or directory); did you mean {path.stem!r}?")
    if path.is_absolute() or path.suffix:
        return path
    names = list(dict.fromkeys(Path(full).name for full in known if _folder_of(full) in kind.folders))
    raise UserError(
        f"{kind.noun}: {name!r} is neither a file nor a name{did_you_mean(name, names)}; names: {', '.join(names)}"
    )


def _is_file(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()
    except OSError:  # too long a name, a folder that may not be entered: reading it says why
        return True


def is_name(name: str, kind: ConfigKind) -> bool:
    """Return whether the package has a file of a kind under a name."""
    return _full_name(name, kind, list_configs()) is not None


def _full_name(name: str, kind: ConfigKind, known: Collection[str]) -> str | None:
    below = (f"{folder}/{name}".lstrip("/") for folder in kind.folders)
    return next((full for full in (*below, name) if full in known), None)


def find_packaged(name: str) -> Path:
    """Return a file of the package by its full name, or by its last part where only one file has it.

    Raises:
        UserError: there is none, or several have that last part; the message lists names.
    """
    known = list_configs()
    if name in known:
        return known[name]
    alike = [full for full in known if full.rpartition("/")[2] == name]
    if len(alike) > 1:
        raise UserError(f"recipes: {name!r} stands for several: {', '.join(alike)}; give one of these")
    if not alike:
        raise not_one_of("recipes", name, known)
    return known[alike[0]]


def _folder_of(full: str) -> str:
    return full.rpartition("/")[0]


def describe_config(path: Path) -> str:
    """Return what a file of the package is for: the sentence in its first line."""
    with path.open(encoding="utf-8") as file:
        return file.readline().lstrip("# ").rstrip()


def copy_packaged(name: str, to: Path, *, overwrite: bool) -> Path:
    """Copy a file of the package.

    Args:
        name: as `find_packaged` takes it.
        to: the file to write, or a folder.
        overwrite: whether a file that is there may be replaced.

    Returns:
        The written file.

    Raises:
        UserError: there is no such name, or the file is there already.
    """
    source = find_packaged(name)
    path = to / source.name if to.is_dir() else to
    if path.exists() and not overwrite:
        raise UserError(f"recipes copy: {path} is there already; name another file with --to, or give --force")
    atomic_io.write_text(path, source.read_text(encoding="utf-8"))
    return path

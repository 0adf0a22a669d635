"""What the tensors of pretrained weights are called here: wrappers' prefixes taken off, a map of names applied."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from leansort.core.errors import UserError, did_you_mean
from leansort.core.text import yaml_config

_WRAPPERS = ("module.", "model.", "state_dict.", "backbone.", "_orig_mod.")


def read_key_map(path: Path) -> dict[str, str]:
    """Read a map of names, YAML or JSON: `their name or beginning of names: our own`.

    Raises:
        UserError: the file is not that.
    """
    tree = yaml_config.read_yaml(path, "names", "features.0: '0'")
    for key, value in tree.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise UserError(f"names: {path}: got {key!r}: {value!r}, need text on both sides; put numbers in quotes")
    return tree


def map_keys(own: Collection[str], theirs: Collection[str], names: Mapping[str, str]) -> dict[str, str]:
    """The tensors that a map of names speaks of: their name by what it becomes here.

    Raises:
        UserError: a name is on neither side, or two tensors become one.
    """
    _check(theirs, names.keys(), "the weights have")
    _check(own, names.values(), "this network has")
    texts: dict[str, str] = {}
    for name in theirs:
        key = max((key for key in names if f"{name}.".startswith(f"{key}.")), key=len, default=None)
        if key is not None:
            new = names[key] + name[len(key) :]
            if new in texts:
                raise UserError(f"names: {texts[new]!r} and {name!r} both become {new!r}")
            texts[new] = name
    return texts


def _check(sides: Collection[str], given: Collection[str], who: str) -> None:
    known = {name[:end] for name in sides for end in [*(k for k, c in enumerate(name) if c == "."), len(name)]}
    for name in given:
        if name not in known:
            raise UserError(f"names: {who} nothing called {name!r}{did_you_mean(name, known)}")


def rename_keys(own: Collection[str], theirs: Collection[str], renamed: Mapping[str, str]) -> dict[str, str]:
    """Their tensors by what they become here: a name of ours where one is found, else their own."""
    bare = {_bare(name): name for name in own}
    result = {old: new for new, old in renamed.items()}
    taken = set(renamed)
    for name in sorted(theirs, key=lambda name: name not in own):  # equal names first
        new = name if name in own else bare.get(_bare(name), name)
        if name not in result and not {name, new} <= taken:
            result[name] = name if new in taken else new
            taken.add(result[name])
    return {new: old for old, new in result.items()}


def _bare(name: str) -> str:
    while name.startswith(_WRAPPERS):
        name = name.partition(".")[2]
    return name

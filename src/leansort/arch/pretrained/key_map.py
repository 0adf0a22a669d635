"""What the tensors of pretrained weights are called here: wrappers' prefixes taken off, a map of names applied.

A map holds `their name or beginning of names: our own`, on both sides perhaps with `{n}`, which stands for a number.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from leansort.core.errors import UserError, did_you_mean
from leansort.core.text import yaml_config

_WRAPPERS = ("module.", "model.", "state_dict.", "backbone.", "_orig_mod.")
_PLACE = re.compile(r"\{n(?:([+-])(\d{1,4}))?\}")
_ANY = re.compile(r"\{[^}]*\}")


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


def write_out(rules: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Turn rules into a map of beginnings of names without places.

    Args:
        rules: such as `_blocks.{n}._conv: "{n+1}.0"`, or without a place; what a rule without a place names, others
            leave alone.
        names: of the file's tensors.

    Returns:
        Beginnings of the file's names, each with what it is called here.

    Raises:
        UserError: a rule cannot be read, or nothing in the file fits it.
    """
    written = {theirs: own for theirs, own in rules.items() if not _has_place(theirs, own)}
    for theirs, own in rules.items():
        if theirs in written:
            continue
        fitting = {match[0]: match for name in names if (match := _pattern(theirs).match(name))}
        if not fitting:
            raise UserError(f"names: the weights have nothing called {theirs!r}")
        for beginning, match in fitting.items():
            written.setdefault(beginning, _filled(own, int(match[1])))
    return written


def _has_place(theirs: str, own: str) -> bool:
    places = [_ANY.findall(side) for side in (theirs, own)]
    if places[0] not in ([], ["{n}"]) or bool(places[0]) != bool(places[1]):
        raise UserError(f"names: {theirs!r}: {own!r}: need '{{n}}' once on the left, and again on the right")
    if not all(_PLACE.fullmatch(place) for place in places[1]):
        raise UserError(f"names: {own!r}: need '{{n}}', '{{n+1}}' or '{{n-1}}'")
    return bool(places[0])


def _pattern(theirs: str) -> re.Pattern[str]:
    before, _, after = theirs.partition("{n}")
    return re.compile(rf"{re.escape(before)}(\d{{1,9}}){re.escape(after)}(?=\.|$)")


def _filled(own: str, number: int) -> str:
    def shifted(place: re.Match[str]) -> str:
        return str(number + int(f"{place[1] or '+'}{place[2] or 0}"))

    return _PLACE.sub(shifted, own)


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

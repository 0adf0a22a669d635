"""Rules of a pack's map of names, in which `{n}` stands for a number, written out name by name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from leansort.core.errors import UserError

_PLACE = re.compile(r"\{n(?:([+-])(\d{1,4}))?\}")
_ANY = re.compile(r"\{[^}]*\}")


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
            raise UserError(f"key_map: the weights have nothing called {theirs!r}")
        for beginning, match in fitting.items():
            written.setdefault(beginning, _filled(own, int(match[1])))
    return written


def _has_place(theirs: str, own: str) -> bool:
    places = [_ANY.findall(side) for side in (theirs, own)]
    if places[0] not in ([], ["{n}"]) or bool(places[0]) != bool(places[1]):
        raise UserError(f"key_map: {theirs!r}: {own!r}: need '{{n}}' once on the left, and again on the right")
    if not all(_PLACE.fullmatch(place) for place in places[1]):
        raise UserError(f"key_map: {own!r}: need '{{n}}', '{{n+1}}' or '{{n-1}}'")
    return bool(places[0])


def _pattern(theirs: str) -> re.Pattern[str]:
    before, _, after = theirs.partition("{n}")
    return re.compile(rf"{re.escape(before)}(\d{{1,9}}){re.escape(after)}(?=\.|$)")


def _filled(own: str, number: int) -> str:
    def shifted(place: re.Match[str]) -> str:
        return str(number + int(f"{place[1] or '+'}{place[2] or 0}"))

    return _PLACE.sub(shifted, own)

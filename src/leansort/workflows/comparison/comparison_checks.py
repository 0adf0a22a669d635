"""What is refused before anything is run: a file given twice, other classes, an engine that could run nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from leansort.core.errors import UserError
from leansort.core.text.word_lists import listed
from leansort.workflows.comparison.answer_files import AnswerFile


def require_different(files: Sequence[AnswerFile], engines: Sequence[str]) -> None:
    """Refuse a classifier that is given twice; one bundle on two engines is two classifiers.

    Args:
        files: at least two.
        engines: that each is run by.

    Raises:
        UserError: with both names and the file.
    """
    for (a, on_a), (b, on_b) in itertools.combinations(zip(files, engines, strict=True), 2):
        if on_a != on_b and a.bundle and b.bundle:
            continue
        if a.path.samefile(b.path):
            raise UserError(f"compare: {a.side} and {b.side} are the same file, {a.path}")
        if a.bundle and b.bundle and a.bundle.digest == b.bundle.digest:
            raise UserError(
                f"compare: {a.side} ({a.path}) and {b.side} ({b.path}) are the same bundle, {a.bundle.digest}"
            )


def require_bundle(files: Sequence[AnswerFile], engine: str) -> None:
    """Refuse an engine where there is nothing that it could run.

    Raises:
        UserError: no file is a bundle.
    """
    if engine and not any(file.bundle for file in files):
        raise UserError(f"compare: --engine has no effect, as {_none_of([file.side for file in files])} is a bundle")


def _none_of(sides: Sequence[str]) -> str:
    return f"neither {sides[0]} nor {sides[1]}" if len(sides) == 2 else f"none of {listed(sides)}"


def require_same_classes(names: Iterable[str], others: Iterable[str], mine: str, theirs: str) -> None:
    """Refuse to compare what knows other classes; their order may differ.

    Raises:
        UserError: with the classes that only one of the two has.
    """
    own, other = set(names), set(others)
    if own != other:
        only = [
            f"only {who} has {', '.join(sorted(more))}"
            for who, more in ((mine, own - other), (theirs, other - own))
            if more
        ]
        raise UserError(f"compare: {mine} and {theirs} have different classes: {'; '.join(only)}")

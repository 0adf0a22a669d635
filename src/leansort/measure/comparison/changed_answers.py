"""Crops to which two classifiers give different labels: what is won and what is lost by taking one for the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ChangedAnswer:
    """A crop to which two classifiers give different labels.

    Attributes:
        image: its name.
        truth: its class.
        a: the label that A gives.
        b: the label that B gives.
    """

    image: str
    truth: str
    a: str
    b: str


def changed_answers(
    images: Sequence[str], truth: Mapping[str, str], a: Mapping[str, str], b: Mapping[str, str]
) -> tuple[ChangedAnswer, ...]:
    """Every crop that the two do not agree on: first what only A gets right, then what only B does, then the others.

    Args:
        images: names of the crops that both have an answer for.
        truth: class by name.
        a: label of A by name.
        b: label of B by name.
    """
    changed = [ChangedAnswer(name, truth[name], a[name], b[name]) for name in images if a[name] != b[name]]
    return tuple(sorted(changed, key=lambda item: (item.a != item.truth, item.b != item.truth, item.image)))

"""What a stranger may have done to a file: each field dropped, and given every odd value."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from leansort.core.errors import LeansortError

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 2**70, 10**400, 1e308, float("nan"), float("inf"), "", "x" * (1 << 21), [], {}, [[]], {"a": {}},
    "<script>alert(1)</script>", "../../etc/passwd", "/etc/passwd", "\x1b[31m\n\u202e", "\ud800",
)  # fmt: skip
Case = tuple[str, Any]


def mutated(tree: Any) -> Iterator[Case]:
    """Yield (what was done, the tree with it done) for every field, of a list the first three items."""
    for place in _places(tree):
        if place:
            yield f"{place} dropped", _put(tree, place, None, drop=True)
        for value in ODD:
            yield f"{place} = {str(value)[:24]!r}", _put(tree, place, value)


def sample(cases: Sequence[Case], most: int, seed: int = 0) -> list[Case]:
    """Some of the cases, the same for the same seed."""
    return random.Random(seed).sample(list(cases), min(most, len(cases)))


def survived(call: Callable[[], object], what: str) -> bool:
    """Whether a call took the case; refusing it in one short line is as good, and anything else fails the test."""
    try:
        call()
    except LeansortError:
        return False
    except Exception as error:
        pytest.fail(f"{what}: {type(error).__name__}: {str(error)[:200]}")
    return True


def _places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inner = tree.items() if isinstance(tree, dict) else list(enumerate(tree))[:3] if isinstance(tree, list) else ()
    for key, value in inner:
        yield from _places(value, (*at, key))


def _put(tree: Any, at: tuple[Any, ...], value: Any, *, drop: bool = False) -> Any:
    """The tree with a change; what does not lie on the way to it is shared with the given one."""
    if not at:
        return value
    made = copy.copy(tree)
    if len(at) > 1:
        made[at[0]] = _put(tree[at[0]], at[1:], value, drop=drop)
    elif drop:
        del made[at[0]]
    else:
        made[at[0]] = value
    return made

"""Copies of a data set beside or inside each other, which would pass for classes: `original/` beside `resized/`."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.folders.folder_tree import FolderTree, Parts, split_of

_MOST_NAMED = 4
_VARIANT = re.compile(
    r"(original|resize|raw|(pre)?process|augment|crop|small|large|thumb|copy|copies|backup|compress|scale|enhance)"
    r"|^\d+(x\d+)?$"
)


@dataclass
class _Content:
    """What a folder that may be a class holds, without the split folders on the way.

    Attributes:
        flat: an image lies in it, or in a split folder of it.
        inner: names of the folders that hold images.
        tails: its images' paths below it, without ending, in small letters.
    """

    flat: bool = False
    inner: set[str] = field(default_factory=set)
    tails: set[Parts] = field(default_factory=set)


def require_none(tree: FolderTree, place: Parts, root: Path, named: Collection[str]) -> None:
    """Refuse class folders that look like copies of one data set.

    Args:
        tree: the folders.
        place: the one that holds the class folders.
        root: for the message.
        named: classes that the user names, which are classes then.

    Raises:
        UserError: a class folder holds folders called as the others, or two hold the same folders.
    """
    contents = _contents(tree, place)
    where = root.joinpath(*place)
    for name, content in contents.items():
        same = sorted(content.inner & (contents.keys() - {name}))
        if name not in named and len(same) > 1:
            raise UserError(
                f"data folder: {where / name} holds folders called as those beside it ({_shown(same)}), as a copy of "
                f"the data set does; move it elsewhere, or give {where / name} alone"
            )
    deep = {name: item for name, item in contents.items() if not item.flat and name not in named}
    for (first, combination), (second, other) in itertools.combinations(deep.items(), 2):
        same = sorted(combination.inner & other.inner)
        if len(same) > 1 and (_is_variant(first) or _is_variant(second) or _alike(combination, other)):
            raise UserError(
                f"data folder: {where} has {first!r} and {second!r}, which both hold the folders {_shown(same)}, as "
                f"copies of one data set do; give one of them, such as {where / first}, or, where these two are "
                "classes, name the classes in a category map (--map)"
            )


def _contents(tree: FolderTree, place: Parts) -> dict[str, _Content]:
    contents = defaultdict[str, _Content](_Content)
    for parts in tree.files:
        if parts[: len(place)] != place or len(parts) < len(place) + 2:
            continue
        content, folders = contents[parts[len(place)]], parts[len(place) + 1 : -1]
        inner = tuple(name for name in folders if split_of(name) is None)
        content.flat = content.flat or not inner
        content.inner.update(inner[:1])
        content.tails.add(tuple(part.lower() for part in (*inner, parts[-1].rpartition(".")[0] or parts[-1])))
    return contents


def _alike(content: _Content, other: _Content) -> bool:
    return 2 * len(content.tails & other.tails) >= min(len(content.tails), len(other.tails))


def _is_variant(name: str) -> bool:
    return any(_VARIANT.search(word) for word in re.split(r"[\W_]+", name.lower()))


def _shown(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMED]) + ", …" * (len(names) > _MOST_NAMED)

"""Nested plain data as rows of two columns: deep tables in tables would not fit a narrow screen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from leansort.report.charts import plots

ABSENT = "–"


def provenance_groups(provenance: Mapping[str, object]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Rows (dotted path, text) by group, a group for each key.

    What is one value comes first, else it would seem to belong to the group before it.
    """
    groups = [(str(key), list(flat(value))) for key, value in provenance.items()]
    return sorted(groups, key=lambda group: bool(group[1][0][0]))


def flat(tree: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Rows (dotted path, text) of nested plain data."""
    if isinstance(tree, Mapping) and tree:
        for key, value in tree.items():
            yield from flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, (list, tuple)) and any(isinstance(item, (Mapping, list, tuple)) for item in tree):
        for index, value in enumerate(tree, 1):
            yield from flat(value, f"{path}.{index}" if path else str(index))
    else:
        yield path, _plain(tree)


def _plain(value: object) -> str:
    if isinstance(value, (list, tuple)) and value:
        return ", ".join(_plain(item) for item in value)
    if value is None or (isinstance(value, float) and not plots.finite(value)):
        return ABSENT
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)

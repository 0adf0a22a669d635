"""Measurements that are taken once for a machine: what they were taken of is their key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leansort.core.errors import LeansortError
from leansort.core.folders.user_cache import cache_folder
from leansort.core.text import text_files
from leansort.core.writing import atomic_io


def read(kind: str, key: Any) -> dict[str, Any]:
    """What was kept for a key; empty where nothing was, or it is damaged and has to be measured again."""
    try:
        tree = text_files.read_json(_path(kind, key), kind)
    except LeansortError:
        return {}
    return tree if isinstance(tree, dict) else {}


def write(kind: str, key: Any, tree: dict[str, Any]) -> None:
    """Keep it; on a full or read-only disk it is measured each time, no more."""
    try:
        path = _path(kind, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_io.write_json(path, tree)
    except (OSError, LeansortError):
        return


def _path(kind: str, key: Any) -> Path:
    return cache_folder(kind) / f"{atomic_io.digest(key)}.json"

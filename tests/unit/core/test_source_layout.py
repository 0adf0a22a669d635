"""The source tree: rooms that can be overlooked, one module a name, and a word on every room."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from tests.conftest import ROOT

SOURCE = ROOT / "src" / "leansort"
PLUGINS = {"backbones", "engines", "packs", "passes", "sources", "trackers"}  # users write the names of these files
MOST = 12  # files in a room


def modules() -> list[Path]:
    return [path for path in SOURCE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py")]


def test_no_two_modules_have_one_name() -> None:
    names = Counter(path.stem for path in modules() if path.parent.name not in PLUGINS)
    assert [name for name, times in names.items() if times > 1] == []
    assert len(names) > 200


def test_a_room_has_at_most_twelve_files_but_for_plugins_of_which_each_is_one() -> None:
    kept = [path for path in modules() if path.parent.name not in PLUGINS]
    rooms = Counter(path.parent.relative_to(SOURCE).as_posix() for path in kept)
    assert {room: files for room, files in rooms.items() if files > MOST} == {}


def test_every_package_says_what_lives_there() -> None:
    packages = sorted(SOURCE.rglob("__init__.py"))
    assert [path for path in packages if not ast.get_docstring(ast.parse(path.read_text()))] == []
    assert len(packages) > 30


def test_no_public_class_has_a_name_that_tells_nothing() -> None:
    vague = {"Result", "Trial", "Progress", "Record", "Config"}  # the `Config` of a plugin lies in its class
    classes = [
        f"{path.stem}.{node.name}"
        for path in modules()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name in vague
    ]
    assert classes == []

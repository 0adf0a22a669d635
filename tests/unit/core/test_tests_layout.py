"""The tests themselves: unit tests lie as the source tree does, and use public names alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

SOURCE, TESTS = ROOT / "src" / "leansort", ROOT / "tests"


def private_names(path: Path) -> Iterator[str]:
    """Private names of leansort that a file imports, or reads from a module that it imports."""
    tree, modules = ast.parse(path.read_text()), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("leansort"):
            modules |= {alias.asname or alias.name for alias in node.names}
            yield from (alias.name for alias in node.names if is_private(alias.name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield from [node.attr] * is_private(node.attr)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("patch.setattr") and len(node.args) > 1:
            owner, name = node.args[:2]
            known = isinstance(owner, ast.Name) and owner.id in modules
            if known and isinstance(name, ast.Constant) and is_private(str(name.value)):
                yield str(name.value)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_tests_use_no_private_name_of_leansort() -> None:
    found = {path.relative_to(ROOT).as_posix(): list(private_names(path)) for path in TESTS.rglob("*.py")}
    assert {path: names for path, names in found.items() if names} == {}


def test_a_private_name_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "test_x.py"
    file.write_text(
        "from leansort.core import bundle\nfrom leansort.core.seeds import _draw\n\n"
        "def test(monkeypatch):\n    bundle._open()\n    monkeypatch.setattr(bundle, '_read', None)\n"
    )
    assert sorted(private_names(file)) == ["_draw", "_open", "_read"]


def test_folders_of_unit_tests_are_the_floors() -> None:
    floors = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    folders = {path.name for path in (TESTS / "unit").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders - floors == set()
    assert {path.name for path in (TESTS / "unit").glob("test_*.py")} == set()

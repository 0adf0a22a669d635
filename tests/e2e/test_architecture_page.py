"""`docs/architecture.md` and its picture against the code: floors, rooms, imports, and every file that they name."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import pytest
from docs import architecture
from docs.architecture import Floor, House, Room
from docs.floor_plan import draw

from tests.conftest import ROOT

SOURCE = ROOT / "src" / "leansort"
PACKAGES = sorted(path.parent for path in SOURCE.rglob("__init__.py"))
COUNT = re.compile(r"(?:\d+,)?\d+(?= lines| \|\n)")


@pytest.fixture(scope="module")
def floors() -> list[list[Floor]]:
    return House().floors()


def require_current(committed: str, drawn: str) -> None:
    """Equal but for counts of lines, which may be off by a quarter: not every edit needs a new picture."""
    assert COUNT.sub("N", committed) == COUNT.sub("N", drawn), "run: make docs"
    for kept, today in zip_longest(COUNT.findall(committed), COUNT.findall(drawn)):
        before, now = (int(text.replace(",", "")) for text in (kept, today))
        assert abs(before - now) <= 100 + 0.25 * now, f"{kept} lines are {today} now; run: make docs"


def test_the_picture_shows_the_imports_of_today(floors: list[list[Floor]]) -> None:
    require_current(architecture.PICTURE.read_text(), draw(floors))


def test_the_tables_are_of_today(floors: list[list[Floor]]) -> None:
    text = architecture.PAGE.read_text()
    require_current(text, architecture.page(text, floors))
    assert "| **train** | data" in text


def test_a_room_that_is_new_makes_the_picture_old(floors: list[list[Floor]]) -> None:
    [core] = floors[-1]
    more = replace(core, rooms=(*core.rooms, Room("new_room", "What is new.", "", 1, 100)))
    with pytest.raises(AssertionError, match="make docs"):
        require_current(architecture.PICTURE.read_text(), draw([*floors[:-1], [more]]))


def test_arrows_go_down_and_none_follows_from_others(floors: list[list[Floor]]) -> None:
    order = [floor.name for level in floors for floor in level]
    assert all(order.index(other) > order.index(f.name) for level in floors for f in level for other in f.imports)
    arch = next(floor for level in floors for floor in level if floor.name == "arch")
    assert ("spec", "layers") in arch.arrows
    assert ("model_files", "layers") not in arch.arrows  # it follows by way of spec


def test_every_file_that_the_page_names_is_there() -> None:
    names = re.findall(r"`([\w/]+\.py)`", architecture.PAGE.read_text().partition("## Floors and rooms")[0])
    assert len(names) > 30
    assert [name for name in names if not (SOURCE / name).is_file()] == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.relative_to(SOURCE.parent).as_posix())
def test_a_package_says_what_lives_there_and_names_files_that_are_there(package: Path) -> None:
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    assert len(text.split()) > 5
    begin = re.search(r"Begin\s+(?:with|at)\s+`([\w.]+)`", text)
    if begin:
        path = package.joinpath(*begin[1].split("."))
        assert path.with_suffix(".py").is_file() or path.is_dir(), f"{package} says: begin with {begin[1]}"

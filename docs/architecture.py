"""Read the floors and rooms of the code from its imports, and write them into `docs/architecture.md` and its picture.

    python -m docs.architecture

A floor is a package directly below `leansort`, a room a package inside a floor. import-linter's contract in
`pyproject.toml` gives the order of the floors; everything else is what the code imports today.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "leansort"
PAGE, PICTURE = ROOT / "docs" / "architecture.md", ROOT / "docs" / "architecture.svg"
ROUNDED = 100  # lines: counts are rounded, so that the page does not change with every edit


@dataclass(frozen=True)
class Room:
    """A package inside a floor; `lines` counts every line of its Python files, in hundreds."""

    name: str
    purpose: str
    begin: str
    files: int
    lines: int


@dataclass(frozen=True)
class Floor:
    """A package directly below `leansort`.

    Attributes:
        name: of the package.
        purpose: the first sentence of its docstring.
        begin: the module that its docstring names first.
        rooms: its packages, in alphabetical order.
        modules: names of its files that lie in no room.
        imports: the floors that it imports, from the nearest to the ground.
        arrows: pairs of rooms of this floor, the first of which imports the second, directly or through files that
            lie in no room; without pairs that follow from others.
        lines: of all its Python files, in hundreds.
    """

    name: str
    purpose: str
    begin: str
    rooms: tuple[Room, ...]
    modules: tuple[str, ...]
    imports: tuple[str, ...]
    arrows: frozenset[tuple[str, str]]
    lines: int


class House:
    """The floors of the code as it lies in `src/`."""

    def __init__(self) -> None:
        self._graph = grimp.build_graph("leansort", cache_dir=None)

    @cached_property
    def levels(self) -> list[list[str]]:
        """Names of the floors from the roof to the ground; floors of one level never import each other."""
        with (ROOT / "pyproject.toml").open("rb") as file:
            contract = tomllib.load(file)["tool"]["importlinter"]["contracts"][0]
        return [[name.strip() for name in level.split("|")] for level in contract["layers"]]

    def floors(self) -> list[list[Floor]]:
        """All floors, level by level from the roof to the ground."""
        return [[self._floor(name) for name in level] for level in self.levels]

    def _floor(self, name: str) -> Floor:
        folder = SOURCE / name
        packages = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
        rooms = tuple(Room(item, *_described(folder / item), *_size(folder / item)) for item in packages)
        modules = tuple(sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__"))
        order = [floor for level in self.levels for floor in level]
        imported = {other for other in order if other != name and self._imports(name, other)}
        return Floor(
            name, *_described(folder), rooms, modules, tuple(sorted(imported, key=order.index)),
            self._arrows(name, packages), _size(folder)[1],
        )  # fmt: skip

    def _imports(self, floor: str, other: str) -> bool:
        return self._graph.direct_import_exists(
            importer=f"leansort.{floor}", imported=f"leansort.{other}", as_packages=True
        )

    def _arrows(self, floor: str, rooms: list[str]) -> frozenset[tuple[str, str]]:
        """Imports between rooms, also through loose files of the floor; the transitive reduction of them."""
        reached = {room: self._reached(floor, room, rooms) for room in rooms}
        pairs = {(a, b) for a, others in reached.items() for b in others}
        return frozenset(
            (a, b)
            for a, b in pairs
            if (b, a) in pairs or not any((a, c) in pairs and (c, b) in pairs for c in rooms if c not in (a, b))
        )

    def _reached(self, floor: str, room: str, rooms: list[str]) -> set[str]:
        """The rooms that a room imports, directly or through files that lie in no room."""
        prefix = f"leansort.{floor}."
        waiting = [module for module in self._graph.modules if f"{module}.".startswith(f"{prefix}{room}.")]
        seen, result = set(waiting), set[str]()
        while waiting:
            for module in self._graph.find_modules_directly_imported_by(waiting.pop()):
                unit = module.removeprefix(prefix).split(".")[0]
                if not module.startswith(prefix) or unit == room or module in seen:
                    continue
                seen.add(module)
                if unit in rooms:
                    result.add(unit)
                else:
                    waiting.append(module)
        return result


def _described(package: Path) -> tuple[str, str]:
    """The first sentence of a package's docstring, and the module that it names as the place to begin."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    first = re.split(r"\.(?:\s|$)", " ".join(text.split()))[0]
    begin = re.search(r"Begin\s+(?:with|at)\s+`([\w.]+)`", text)
    return first, begin[1] if begin else ""


def _size(package: Path) -> tuple[int, int]:
    """How many Python files a package has beside `__init__.py`, those of its rooms included, and their lines."""
    files = list(package.rglob("*.py"))
    lines = sum(len(path.read_text().splitlines()) for path in files)
    return sum(path.stem != "__init__" for path in files), max(ROUNDED, round(lines, -2))


def rooms_table(floors: list[list[Floor]]) -> str:
    """Every floor and room with what it holds, where to begin and its lines, as a Markdown table."""
    rows = ["| floor, room | what lives there | begin with | lines |", "|---|---|---|---:|"]
    for floor in (floor for level in floors for floor in level):
        rows.append(f"| **{floor.name}** | {floor.purpose} | {_code(floor.begin)} | {floor.lines:,} |")
        rows += [f"| · {room.name} | {room.purpose} | {_code(room.begin)} | {room.lines:,} |" for room in floor.rooms]
    return "\n".join(rows)


def imports_table(floors: list[list[Floor]]) -> str:
    """Which floors each floor imports today, as a Markdown table."""
    rows = ["| floor | imports |", "|---|---|"]
    rows += [f"| **{f.name}** | {', '.join(f.imports) or 'nothing'} |" for level in floors for f in level]
    return "\n".join(rows)


def _code(name: str) -> str:
    return f"`{name}`" if name else ""


def page(text: str, floors: list[list[Floor]]) -> str:
    """The page with its tables as they are today; the rest of it is written by hand."""
    for name, table in (("rooms", rooms_table(floors)), ("imports", imports_table(floors))):
        begin, end = f"<!-- {name}: written by python -m docs.architecture -->\n", "\n<!-- end -->"
        before, _, rest = text.partition(begin)
        text = before + begin + table + end + rest.partition(end)[2]
    return text


def main() -> None:
    """Write the picture and the tables of the page."""
    from docs.floor_plan import draw

    floors = House().floors()
    PICTURE.write_text(draw(floors))
    PAGE.write_text(page(PAGE.read_text(), floors))


if __name__ == "__main__":
    main()

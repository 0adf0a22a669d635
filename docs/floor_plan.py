"""Draw the floors and rooms of the code as an SVG: floors are layers, rooms are boxes, imports between rooms arrows."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

from docs.architecture import Floor

WIDTH, MARGIN, GAP = 1200, 16, 10
LABEL, IMPORTS = 250, 190  # widths of the floor's name on the left and of what it imports on the right
BOX, HIGH, BETWEEN, ROW = 122, 36, 26, 8  # a room's width and height, the space to the next column and to the next row
LINE = 15  # height of a line of small text
ROBOT = ("core", "runtime", "measure", "contest")
FILLS = {"robot": ("#e9f5ec", "#7db38b"), "torch": ("#e8f0fa", "#7c9cc4"), "top": ("#faf3e3", "#c9ae6a")}
STYLE = """
text { font-family: "DejaVu Sans", Verdana, Helvetica, Arial, sans-serif; fill: #24292f }
.floor { font-size: 18px; font-weight: bold } .room { font-size: 13px } .small { font-size: 11px; fill: #57606a }
.lines { font-size: 10px; font-weight: normal; fill: #57606a } .arrow { fill: none; stroke: #57606a; stroke-width: 1.2 }
""".strip()
HEAD = (
    '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto-start-reverse">'
    '<path d="M0,0 L8,4 L0,8 z" fill="#57606a"/></marker>'
)


def draw(floors: Sequence[Sequence[Floor]]) -> str:
    """The picture as SVG text.

    Args:
        floors: level by level, from the roof to the ground.
    """
    parts, top = [], MARGIN
    for level in floors:
        if len(level) == 1:
            part, height = _wide(level[0], top)
        else:
            part, height = _side_by_side(level, top)
        parts.append(part)
        top += height + GAP
    parts.append(_legend(top))
    height = top + 34
    title = "leansort: floors and rooms. A floor imports only floors below it."
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n<defs>{HEAD}</defs>\n"
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _kind(floor: Floor) -> str:
    if floor.name in ROBOT:
        return "robot"
    return "top" if floor.name in ("cli", "api", "workflows", "report", "recipe") else "torch"


def _wide(floor: Floor, top: int) -> tuple[str, int]:
    """A floor over the whole width: its name, its rooms in columns, and what it imports."""
    columns = _columns(floor)
    note = _wrapped(_loose(floor), (WIDTH - LABEL - IMPORTS - 3 * MARGIN) // 6)
    purpose = _wrapped(floor.purpose, 36)
    imports = _wrapped("imports " + ", ".join(floor.imports) if floor.imports else "imports no other floor", 27)
    rooms = max(map(len, columns), default=0)
    middle = rooms * (HIGH + ROW) + len(note) * LINE
    height = max(middle, 26 + len(purpose) * LINE, len(imports) * LINE) + 20
    left = MARGIN + LABEL
    return _layer(floor, MARGIN, top, WIDTH - 2 * MARGIN, height) + "".join([
        _head(floor, MARGIN, top),
        *_lines(MARGIN + 12, top + 44, purpose),
        _rooms(floor, columns, left, top + 12),
        *_lines(left, top + 12 + rooms * (HIGH + ROW) + 10, note),
        *_lines(WIDTH - MARGIN - IMPORTS + 8, top + 22, imports),
    ]), height  # fmt: skip


def _side_by_side(level: Sequence[Floor], top: int) -> tuple[str, int]:
    """Floors of one level, which never import each other: each with its rooms below its name."""
    wide = (WIDTH - 2 * MARGIN - (len(level) - 1) * GAP) // len(level)
    letters = wide // 6 - 3
    texts = {
        f.name: (_wrapped(f.purpose, letters), _wrapped(_loose(f), letters),
                 _wrapped("imports " + ", ".join(f.imports), letters))
        for f in level
    }  # fmt: skip
    grid = {f.name: [[room] for room in _by_depth(f)] for f in level}
    rows = {name: -(-len(items) // 2) for name, items in grid.items()}
    heads = max(len(purpose) for purpose, _, _ in texts.values()) * LINE + 40
    height = heads + max(
        rows[name] * (HIGH + ROW) + (len(note) + len(imports)) * LINE + 16 for name, (_, note, imports) in texts.items()
    )
    parts = []
    for at, floor in enumerate(level):
        left = MARGIN + at * (wide + GAP)
        purpose, note, imports = texts[floor.name]
        parts += [
            _layer(floor, left, top, wide, height),
            _head(floor, left, top),
            *_lines(left + 12, top + 44, purpose),
        ]
        for index, [room] in enumerate(grid[floor.name]):
            x, y = left + 12 + index % 2 * (BOX + ROW), top + heads + index // 2 * (HIGH + ROW)
            parts.append(_room(floor, room, x, y))
        end = top + heads + rows[floor.name] * (HIGH + ROW) + 10
        parts += _lines(left + 12, end, note)
        parts += _lines(left + 12, top + height - 10 - (len(imports) - 1) * LINE, imports)
    return "".join(parts), height


def _depths(floor: Floor) -> dict[str, int]:
    """The column of each room: one further right than all that import it; rooms in a circle share one.

    A room that no other imports stands directly before what it imports.
    """
    depths = {room.name: 0 for room in floor.rooms}
    forward = [(above, below) for above, below in floor.arrows if (below, above) not in floor.arrows]
    circles = [arrow for arrow in floor.arrows if arrow not in forward]
    for _ in floor.rooms:
        for above, below in forward:
            depths[below] = max(depths[below], depths[above] + 1)
        for above, below in circles:
            depths[below] = max(depths[below], depths[above])
    for name in depths.keys() - {below for _, below in (*forward, *circles)}:
        if nearest := [depths[below] for above, below in forward if above == name]:
            depths[name] = min(nearest) - 1
    return depths


def _by_depth(floor: Floor) -> list[str]:
    depths = _depths(floor)
    return sorted(depths, key=lambda name: (depths[name], name))


def _columns(floor: Floor) -> list[list[str]]:
    """Rooms in columns: each imports rooms further right; those that stand alone fill up the last column."""
    depths = _depths(floor)
    joined = {name for arrow in floor.arrows for name in arrow}
    columns = [sorted(n for n in joined if depths[n] == at) for at in range(max(depths.values(), default=0) + 1)]
    for at in range(1, len(columns)):  # nearest to those that import them, so that arrows cross little
        rows = {name: row for column in columns[:at] for row, name in enumerate(column)}
        columns[at].sort(key=lambda name: (_mean([rows[a] for a, b in floor.arrows if b == name and a in rows]), name))
    for first, second in sorted(floor.arrows):  # rooms in a circle lie side by side
        if first < second and (second, first) in floor.arrows:
            column = columns[depths[first]]
            column.remove(second)
            column.insert(column.index(first) + 1, second)
    columns[-1] += sorted(depths.keys() - joined)
    return [column for column in columns if column]


def _mean(rows: Sequence[int]) -> float:
    return sum(rows) / len(rows) if rows else 0.0


def _rooms(floor: Floor, columns: Sequence[Sequence[str]], left: int, top: int) -> str:
    most = max(map(len, columns), default=0)
    place = {
        name: (left + at * (BOX + BETWEEN), top + int((row + (most - len(column)) / 2) * (HIGH + ROW)))
        for at, column in enumerate(columns)
        for row, name in enumerate(column)
    }
    arrows = [_arrow(place[above], place[below]) for above, below in sorted(floor.arrows)]
    return "".join([*arrows, *(_room(floor, name, *at) for name, at in place.items())])


def _arrow(above: tuple[int, int], below: tuple[int, int]) -> str:
    if above[0] == below[0]:  # a circle
        x, y, to = above[0] + BOX // 2, *sorted((above[1] + HIGH, below[1]))
        return f'<path class="arrow" marker-start="url(#head)" marker-end="url(#head)" d="M{x},{y} L{x},{to}"/>\n'
    x, y = above[0] + BOX, above[1] + HIGH // 2
    end, to = below[0], below[1] + HIGH // 2
    bend = BETWEEN // 2
    return (
        f'<path class="arrow" marker-end="url(#head)" d="M{x},{y} C{x + bend},{y} {end - bend},{to} {end - 1},{to}"/>\n'
    )


def _room(floor: Floor, name: str, x: int, y: int) -> str:
    lines = next(room.lines for room in floor.rooms if room.name == name)
    stroke = FILLS[_kind(floor)][1]
    return (
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{HIGH}" rx="5" fill="#ffffff" stroke="{stroke}"/>'
        + _text(x + 8, y + 16, name, "room")
        + _text(x + 8, y + 29, f"{lines:,} lines", "lines")
    )


def _layer(floor: Floor, x: int, y: int, width: int, height: int) -> str:
    fill, stroke = FILLS[_kind(floor)]
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{fill}" stroke="{stroke}"/>\n'


def _head(floor: Floor, left: int, top: int) -> str:
    """The floor's name and its lines."""
    lines = f'<tspan class="lines" dx="8">{floor.lines:,} lines</tspan>'
    return f'<text x="{left + 12}" y="{top + 26}" class="floor">{floor.name}{lines}</text>\n'


def _loose(floor: Floor) -> str:
    """The files of a floor that lie in no room, by name."""
    if not floor.modules:
        return ""
    return ("and the files " if floor.rooms else "files: ") + ", ".join(floor.modules)


def _wrapped(text: str, letters: int) -> list[str]:
    return textwrap.wrap(text, letters, break_long_words=False, break_on_hyphens=False)


def _lines(x: int, y: int, lines: Sequence[str]) -> list[str]:
    return [_text(x, y + at * LINE, line, "small") for at, line in enumerate(lines)]


def _text(x: int, y: int, text: str, kind: str) -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>\n'


def _legend(top: int) -> str:
    texts = {
        "robot": "installed on the robot: never imports PyTorch", "torch": "needs PyTorch (extra: train)",
        "top": "what a user asks for, put together",
    }  # fmt: skip
    parts, x = [], MARGIN
    for kind, text in texts.items():
        fill, stroke = FILLS[kind]
        parts.append(f'<rect x="{x}" y="{top}" width="16" height="16" rx="3" fill="{fill}" stroke="{stroke}"/>')
        parts.append(_text(x + 22, top + 12, text, "small"))
        x += 22 + 7 * len(text) + 20
    parts.append(f'<path class="arrow" marker-end="url(#head)" d="M{x},{top + 8} L{x + 28},{top + 8}"/>')
    parts.append(_text(x + 36, top + 12, "a room imports another", "small"))
    return "".join(parts)

"""Pages and contact sheets of pictures: what `data check` and `data show` lay out."""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType

import cv2
import numpy as np
import numpy.typing as npt

from leansort.core.errors import MissingExtraError
from leansort.core.writing.escaping import printable
from leansort.report import templates

Image = npt.NDArray[np.uint8]
QUALITY = 80
_GAP, _HEAD, _NOTE = 8, 34, 18


@dataclass(frozen=True)
class Tile:
    """One picture.

    Attributes:
        pixels: (h, w, 3) uint8 RGB, or None where there is none to show.
        caption: below it.
    """

    pixels: Image | None
    caption: str


@dataclass(frozen=True)
class Section:
    """Pictures under a title.

    Attributes:
        title: its heading.
        tiles: in order.
        hint: a sentence under the heading.
        across: tiles that stand together in one frame, e.g. 2 for pairs.
        notes: one line a frame, above its tiles; empty for none.
    """

    title: str
    tiles: Sequence[Tile]
    hint: str = ""
    across: int = 1
    notes: Sequence[str] = ()

    @property
    def frames(self) -> list[tuple[str, Sequence[Tile]]]:
        """(note, tiles) of each frame."""
        starts = range(0, len(self.tiles), self.across)
        notes = [*self.notes, *[""] * len(starts)]
        return [(note, self.tiles[at : at + self.across]) for note, at in zip(notes, starts, strict=False)]


@dataclass(frozen=True)
class Sheet:
    """A whole page.

    Attributes:
        title: of the page.
        lead: one sentence under it.
        cards: (name, value, note) figures at the top.
        findings: (what, how often, examples) rows.
        counts: class counts by split.
        bars: histograms by title.
        sections: the pictures.
    """

    title: str
    lead: str
    sections: Sequence[Section]
    cards: Sequence[tuple[str, str, str]] = ()
    findings: Sequence[tuple[str, int, Sequence[str]]] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    bars: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def to_html(sheet: Sheet) -> str:
    """Lay a sheet out as one self-contained page: no script, no request.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    loaded = templates.environment()
    loaded.filters.update(uri=data_uri)
    page: str = loaded.get_template("sheet.html.j2").render(sheet=sheet)
    return templates.writable(page)


def to_png(sheet: Sheet, columns: int = 12) -> bytes:
    """Lay a sheet's pictures out as one PNG: a heading a section, then rows of tiles.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    draw, fonts, images = _pillow()
    side = max((max(t.pixels.shape[:2]) for s in sheet.sections for t in s.tiles if t.pixels is not None), default=64)
    step = side + _GAP
    heights = [_HEAD + -(-len(s.tiles) // columns) * (step + _NOTE) for s in sheet.sections]
    page = images.new("RGB", (columns * step + _GAP, sum(heights) + 2 * _HEAD), "white")
    pen, top = draw.Draw(page), 2 * _HEAD
    pen.text((_GAP, _GAP), printable(sheet.title), "black", fonts.load_default(24))
    for section, height in zip(sheet.sections, heights, strict=True):
        pen.text(
            (_GAP, top + _GAP), printable(f"{section.title}  {section.hint}".strip()), "#0d6a5b", fonts.load_default(16)
        )
        for number, tile in enumerate(section.tiles):
            x, y = _GAP + number % columns * step, top + _HEAD + number // columns * (step + _NOTE)
            if tile.pixels is not None:
                page.paste(images.fromarray(tile.pixels), (x, y))
            pen.text((x, y + side + 1), _cut(printable(tile.caption), side // 6), "#55625f", fonts.load_default(11))
        top += height
    out = io.BytesIO()
    page.save(out, "PNG")
    return out.getvalue()


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else "…" + text[len(text) - letters + 1 :]


def data_uri(pixels: Image) -> str:
    """A picture, (h, w, 3) uint8 RGB, as a JPEG in a data URI."""
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(pixels[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return f"data:image/jpeg;base64,{templates.base64_of(data.tobytes())}" if done else ""


def _pillow() -> tuple[ModuleType, ModuleType, ModuleType]:
    try:
        names = ("PIL.ImageDraw", "PIL.ImageFont", "PIL.Image")
        draw, fonts, images = (importlib.import_module(name) for name in names)
    except ImportError:
        raise MissingExtraError("pillow", "train") from None
    return draw, fonts, images

"""What was seen and decided, drawn onto the frame; by Pillow, with its own font."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from leansort.core.pixels import Image
from leansort.core.pixels.camera_frames import Box
from leansort.runtime.sorting.timed_frames import TimedFrame

OPEN, DECIDED, UNKNOWN = (255, 200, 60), (80, 220, 120), (250, 110, 110)
_INK = (16, 18, 20)  # of texts, on a mark's colour
Mark = tuple[Box, str, tuple[int, int, int]]


def annotate_frame(timed: TimedFrame, marks: Iterable[Mark], line: tuple[int, int, int, int] | None) -> Image:
    """Draw boxes with a text above each, or in it at the picture's upper edge; texts are always within the picture.

    Args:
        timed: the frame.
        marks: box, text and colour of each.
        line: of the deadline, from x, y to x, y; None draws none.

    Returns:
        RGB uint8 (height, width, 3).
    """
    picture = Pillow.fromarray(np.ascontiguousarray(timed.frame.rgb()))
    draw = ImageDraw.Draw(picture)
    size = max(10, picture.height // 30)
    font, thick = ImageFont.load_default(size), max(2, picture.height // 240)
    if line is not None:
        draw.line(line, fill=(90, 170, 255), width=thick)
    for (x, y, width, height), text, colour in marks:
        draw.rectangle((x, y, x + width - 1, y + height - 1), outline=colour, width=thick)
        _write(draw, (x, y), text, colour, font, picture.width)
    return np.asarray(picture)


def _write(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    colour: tuple[int, int, int],
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    room: int,
) -> None:
    """Write a text on a tab of the mark's colour, which sits on the upper left corner of its box."""
    _, _, right, down = draw.textbbox((0, 0), text, font=font)
    wide, high = round(right) + 8, round(down) + 5
    left, top = max(0, min(corner[0], room - wide)), max(0, corner[1] - high)
    draw.rectangle((left, top, left + wide - 1, top + high - 1), fill=colour)
    draw.text((left + 4, top + 1), text, fill=_INK, font=font)

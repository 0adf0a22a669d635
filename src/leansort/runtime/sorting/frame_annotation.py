"""What was seen and decided, drawn onto the frame; by Pillow, with its own font."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from leansort.core.pixels import Image
from leansort.core.pixels.camera_frames import Box
from leansort.runtime.sorting.timed_frames import TimedFrame

OPEN, DECIDED, UNKNOWN = (255, 200, 60), (80, 220, 120), (240, 90, 90)
Mark = tuple[Box, str, tuple[int, int, int]]


def annotate_frame(timed: TimedFrame, marks: Iterable[Mark], line: tuple[int, int, int, int] | None) -> Image:
    """Draw boxes with a text above each.

    Args:
        timed: the frame.
        marks: box, text and colour of each.
        line: of the deadline, from x, y to x, y; None draws none.

    Returns:
        RGB uint8 (height, width, 3).
    """
    picture = Pillow.fromarray(np.ascontiguousarray(timed.frame.rgb()))
    draw = ImageDraw.Draw(picture)
    size = max(12, picture.height // 32)
    font, thick = ImageFont.load_default(size), max(2, picture.height // 240)
    if line is not None:
        draw.line(line, fill=(90, 170, 255), width=thick)
    for (x, y, width, height), text, colour in marks:
        draw.rectangle((x, y, x + width - 1, y + height - 1), outline=colour, width=thick)
        top = y - size - 4 if y >= size + 4 else y + 2
        left, up, right, down = draw.textbbox((x + 2, top), text, font=font)
        draw.rectangle((left - 2, up - 1, right + 2, down + 1), fill=(0, 0, 0))
        draw.text((x + 2, top), text, fill=colour, font=font)
    return np.asarray(picture)

"""Shape and place: crushed, turned, further away, and cut out by a box that is off.

What comes into view from beyond the photo's edges is filled as `surroundings` says.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image as Pillow

from leansort.measure.corruptions.arrays import Image, Rng, resize_pixels, sample, smooth_field
from leansort.measure.corruptions.surroundings import Margins, extend

_BUMPS = 5.0  # of a crushing's displacements, along the longer side
_SQUEEZE = 10.0  # how much more than its bumps a crushing squeezes one direction
_LOOSE_LOW = -0.5  # a detector's box is loose twice as far as it is tight


def crush(image: Image, depth: float, rng: Rng) -> Image:
    """Squeeze along a random direction and dent: a smooth random displacement, as in ImageNet-C's `elastic_transform`.

    Args:
        image: the image.
        depth: deviation of the displacements, as a fraction of the longer side.
        rng: of this image.
    """
    height, width = image.shape[:2]
    longer = max(height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle, push = float(rng.uniform(0, math.pi)), 1 / max(1 - _SQUEEZE * depth, 0.3) - 1
    from_middle = (x - width / 2) * math.cos(angle) + (y - height / 2) * math.sin(angle)
    dents = [depth * longer * smooth_field(rng, height, width, _BUMPS) for _ in range(2)]
    return sample(
        image,
        y + push * from_middle * math.sin(angle) + dents[0],
        x + push * from_middle * math.cos(angle) + dents[1],
    )


def rotate(image: Image, degrees: float, rng: Rng) -> Image:
    """Turn about the middle, to a random side; the frame stays."""
    height, width = image.shape[:2]
    turn = math.radians(degrees) * (1 if rng.random() < 0.5 else -1)
    cos, sin = abs(math.cos(turn)), abs(math.sin(turn))
    down = max(0, math.ceil((height * cos + width * sin - height) / 2)) + 1
    along = max(0, math.ceil((width * cos + height * sin - width) / 2)) + 1
    wide = extend(image, Margins(down, down, along, along), rng)
    turned = Pillow.fromarray(wide).rotate(math.degrees(turn), Pillow.Resampling.BILINEAR)
    return np.array(turned, np.uint8)[down : down + height, along : along + width]


def move_away(image: Image, size: float, rng: Rng) -> Image:
    """Shrink to `size` of the sides, somewhere in a frame as large as before."""
    height, width = image.shape[:2]
    small = resize_pixels(image, max(8, round(height * size)), max(8, round(width * size)))
    free_y, free_x = height - small.shape[0], width - small.shape[1]
    top, left = round(float(rng.uniform(0.25, 0.75)) * free_y), round(float(rng.uniform(0.25, 0.75)) * free_x)
    return extend(small, Margins(top, free_y - top, left, free_x - left), rng)


def misplace_box(image: Image, fault: tuple[float, float], rng: Rng) -> Image:
    """Cut by a box that is shifted and too loose or too tight, as a detector gives it.

    Args:
        image: what the right box cuts.
        fault: by how much the box is shifted in a random direction, and how much longer its sides may be (or half as
            much shorter), as fractions of the sides.
        rng: of this image.
    """
    shift, loose = fault
    height, width = image.shape[:2]
    angle = float(rng.uniform(0, 2 * math.pi))
    grown_y, grown_x = 1 + loose * rng.uniform(_LOOSE_LOW, 1, 2)
    middle_y, middle_x = height * (0.5 + shift * math.sin(angle)), width * (0.5 + shift * math.cos(angle))
    top, bottom = (round(middle_y + side * grown_y * height / 2) for side in (-1, 1))
    left, right = (round(middle_x + side * grown_x * width / 2) for side in (-1, 1))
    margins = Margins(max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    wide = extend(image, margins, rng)
    top, left = top + margins.top, left + margins.left
    return wide[top : bottom + margins.top, left : right + margins.left]

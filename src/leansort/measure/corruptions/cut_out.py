"""Where the object is: by a polygon, or by colour on an even ground.

By colour: a smooth surface is fitted to the colours along the edges (robustly, since the object may reach them), then
to all that lies near it; what differs from it or has a sharp outline is the object. Its smooth rim is taken away again,
since shadows and reflections have no outline. What cannot be told so is refused rather than guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from leansort.measure.corruptions.arrays import Floats, Image, Mask, resize_levels, resize_pixels
from leansort.measure.corruptions.regions import (
    dilate,
    erode,
    fill_holes,
    frame,
    large_parts,
    open_region,
    reach,
    solidity,
)

SIDE = 128  # pixels of the longer side, in which the object is looked for
_FLOOR = np.array([6.0, 3.5, 3.5], np.float32)  # least deviation of the ground's lightness and two hues, in levels
_LEAST_EDGE = 1.9  # least deviation of its steps from pixel to pixel
_SURFACE_TURNS, _EDGE_TURNS = 8, 4  # fits of the surface, and how many of them see the edges alone
_NEAR = 4.0  # deviations from the surface within which a pixel is ground
_STRONG, _WEAK = (5.0, 8.0), (3.0, 4.0)  # of colour and of outline, that begin an object and that it goes on with
_SMOOTH_EDGE, _SHADOW_HUE, _SHADOW_DARK, _SHADOW_LIGHT = 3.5, 9.0, -22.0, 9.0
_LEAST_EVEN, _AREA = 0.6, (0.03, 0.8)
_LEAST_INNER = 0.75  # of an object's area that has to be left without its rim
_MOST_LEFT, _LEAST_SOLID, _LEAST_SHARP = 0.2, 0.69, 0.75


class CutOut(NamedTuple):
    """An object's place in its image.

    Attributes:
        cover: (h, w) float32, 1 where the object is, soft along its outline; all 0 where it was not found.
        fault: why it was not; empty where it was.
    """

    cover: Floats
    fault: str = ""


class _Evidence(NamedTuple):
    """What tells object from ground, each in deviations of the ground, (h, w)."""

    lightness: Floats
    hue: Floats
    colour: Floats
    outline: Floats


def by_polygons(polygons: Sequence[Sequence[float]], height: int, width: int) -> CutOut:
    """The cover of COCO polygons [x1, y1, x2, y2, …], in pixels of an image of this size."""
    grid = Pillow.new("L", (width * 2, height * 2))  # twice as fine, for a soft outline
    for ring in polygons:
        ImageDraw.Draw(grid).polygon([2 * value for value in ring], fill=255)
    cover = np.asarray(grid.resize((width, height), Pillow.Resampling.BOX), np.float32) / np.float32(255)
    return CutOut(cover) if cover.max() > 0.5 else CutOut(cover, "its polygon lies outside of it")


def by_colour(image: Image) -> CutOut:
    """Find an object on an even ground.

    Args:
        image: (h, w, 3).

    Returns:
        Where it is, or why that cannot be told.
    """
    height, width = image.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    rows, columns = (max(16, round(side * scale)) for side in (height, width))
    seen, even = _evidence(resize_pixels(image, rows, columns))
    found = _object(seen)
    fault = _fault(found, seen, even)
    if fault:
        return CutOut(np.zeros((height, width), np.float32), fault)
    cover = resize_levels(_without_rim(found), height, width, smooth=False)
    return CutOut(np.clip(2 * cover - 0.5, 0, 1))


def _without_rim(found: Mask) -> Mask:
    """The object without its outermost pixels, which hold some of the old ground; a thin one keeps more of them."""
    inner = erode(found, 2)
    return inner if inner.sum() >= _LEAST_INNER * found.sum() else erode(found)


def _evidence(small: Image) -> tuple[_Evidence, float]:
    """What tells object from ground, and how much of the edges is ground."""
    r, g, b = (small[..., channel].astype(np.float32) for channel in range(3))
    colours = np.stack([(r + g + b) / 3, r - g, (r + g) / 2 - b], axis=2)
    ring = frame(small.shape[:2], max(2, round(0.05 * max(small.shape[:2]))))
    offset, ground = _from_surface(colours, ring)
    lightness, hue = offset[..., 0], np.hypot(offset[..., 1], offset[..., 2])
    colour = np.hypot(np.where(lightness < 0, lightness / 2, lightness), hue)  # shadows darken, so dark counts half
    steps = np.sqrt(np.sum([np.square(np.gradient(colours, axis=axis)).sum(axis=2) for axis in (0, 1)], axis=0))
    outline = steps / max(1.48 * float(np.median(steps[ground])) if ground.any() else 0.0, _LEAST_EDGE)
    return _Evidence(lightness, hue, colour, outline), float((colour[ring] < _NEAR).mean())


def _from_surface(colours: Floats, ring: Mask) -> tuple[Floats, Mask]:
    """How far pixels lie from the ground's colours, in their deviations, and which are ground (Tukey's biweight)."""
    height, width = ring.shape
    y, x = (part.ravel() for part in np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j])
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    apart = np.abs(colours - np.median(colours[ring], axis=0))
    spread = 3 * np.maximum(1.48 * np.median(apart[ring], axis=0), _FLOOR)
    weight = ring * np.exp(-0.5 * np.square(apart / spread).sum(axis=2))
    for turn in range(_SURFACE_TURNS):
        weighted = basis * weight.reshape(-1, 1)
        fitted = np.linalg.solve(weighted.T @ basis + 1e-6 * np.eye(6), weighted.T @ colours.reshape(-1, 3))
        apart = colours - (basis @ fitted).reshape(colours.shape)
        ground = weight > 0.05
        spread = np.maximum(1.48 * np.median(np.abs(apart[ground]), axis=0), _FLOOR) if ground.any() else _FLOOR
        offset = apart / spread
        distance = np.sqrt(np.square(offset).sum(axis=2))
        near = distance < _NEAR
        part = ring if turn < _EDGE_TURNS else reach(ring & near, near)
        weight = part * np.where(near, np.square(1 - np.square(distance / _NEAR)), 0)
    return np.asarray(offset, np.float32), weight > 0.05


def _object(seen: _Evidence) -> Mask:
    """The object with its shadows, or without them, whichever has the sharper and less ragged outline."""
    strong = (seen.colour > _STRONG[0]) | (seen.outline > _STRONG[1])
    weak = (seen.colour > _WEAK[0]) | (seen.outline > _WEAK[1])
    whole = _closed(reach(strong, weak))
    soft = (seen.outline < _SMOOTH_EDGE) & (seen.hue < _SHADOW_HUE)
    soft &= (seen.lightness > _SHADOW_DARK) & (seen.lightness < _SHADOW_LIGHT)
    bare = whole & ~reach(~whole, ~whole | soft)
    found = [large_parts(open_region(_closed(part)), 0.1) for part in (bare, whole)]
    return max(found, key=lambda part: _sharpness(part, seen) * solidity(part))


def _closed(mask: Mask) -> Mask:
    """Without holes and narrow gaps: glass and white paper show their outlines in pieces."""
    return erode(fill_holes(dilate(mask, 2)), 2)


def _sharpness(found: Mask, seen: _Evidence) -> float:
    """How much of a mask's outline, but for the image's own edges, lies where the image has one."""
    rim = found & dilate(~found) & ~frame(found.shape, 1)
    return float(dilate(seen.outline > _WEAK[1], 2)[rim].mean()) if rim.any() else 1.0


def _fault(found: Mask, seen: _Evidence, even: float) -> str:
    """Why an object is not to be trusted; empty where it is."""
    area = float(found.mean())
    if even < _LEAST_EVEN:
        return f"the ground along its edges is not even ({even:.0%} of them is)"
    if not _AREA[0] <= area <= _AREA[1]:
        return f"no object stands out from the ground ({area:.0%} of the photo does)"
    left = float(((seen.outline > _WEAK[1]) & ~dilate(found, 3)).mean()) / area
    if left > _MOST_LEFT or solidity(found) < _LEAST_SOLID:
        return "only parts of the object stand out from the ground"
    if _sharpness(found, seen) < _LEAST_SHARP:
        return "the object has no sharp outline"
    return ""

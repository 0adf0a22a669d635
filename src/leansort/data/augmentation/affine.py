"""Geometry: every turn, shear, shift, flip and crop is an affine map, and maps in a row are one map.

A map says where a point of the outcome comes from. Its coordinates are continuous, pixel (0, 0) covering 0 to 1, so
that crops and flips need no half pixels; only `warp` knows that OpenCV counts from pixel centres.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
FILL = 114  # the grey of padding, see leansort.core.preprocess
SHRUNK = 1.5  # from here linear interpolation skips pixels that an area resize takes in
_TURNED = {(True, True): -1, (True, False): 1, (False, True): 0}  # OpenCV's codes for (left-right, up-down)


class Affine(NamedTuple):
    """(x, y) comes from (a x + b y + c, d x + e y + f)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float


def compose(outer: Affine, inner: Affine) -> Affine:
    """The map p -> outer(inner(p)): of images, `outer` is done first."""
    a, b, c, d, e, f = outer
    return Affine(
        a * inner.a + b * inner.d,
        a * inner.b + b * inner.e,
        a * inner.c + b * inner.f + c,
        d * inner.a + e * inner.d,
        d * inner.b + e * inner.e,
        d * inner.c + e * inner.f + f,
    )


def rotation(degrees: float, size: int) -> Affine:
    """Turned anticlockwise about the middle of an image of `size` pixels."""
    cos, sin, middle = math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), size / 2
    return Affine(cos, -sin, middle * (1 - cos + sin), sin, cos, middle * (1 - cos - sin))


def resize_and_flip_map(height: int, width: int, flips: tuple[bool, bool], size: int) -> Affine:
    """An image of height x width resized to `size` and flipped left-right, up-down."""
    x, y = width / size, height / size
    a, c = (-x, float(width)) if flips[0] else (x, 0.0)
    e, f = (-y, float(height)) if flips[1] else (y, 0.0)
    return Affine(a, 0.0, c, 0.0, e, f)


# Operators as RandAugment's authors and torchvision have them: shears about the upper left corner, whole pixels.
GEOMETRIC: dict[str, Callable[[float, int], Affine]] = {
    "ShearX": lambda value, _: Affine(1.0, value, 0.0, 0.0, 1.0, 0.0),
    "ShearY": lambda value, _: Affine(1.0, 0.0, 0.0, value, 1.0, 0.0),
    "TranslateX": lambda value, _: Affine(1.0, 0.0, -float(int(value)), 0.0, 1.0, 0.0),
    "TranslateY": lambda value, _: Affine(1.0, 0.0, 0.0, 0.0, 1.0, -float(int(value))),
    "Rotate": rotation,
}


def warp(picture: Pixels, source: Affine, size: int) -> Pixels:
    """Sample an image (h, w, 3) at `source` of every pixel of a (size, size, 3) one; grey where there is nothing."""
    a, b, c, d, e, f = source
    matrix = np.array([[a, b, c + (a + b - 1) / 2], [d, e, f + (d + e - 1) / 2]])
    four = cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA)  # OpenCV warps four channels in two thirds the time of three
    flags, grey = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, (FILL, FILL, FILL, FILL)
    made = cv2.warpAffine(four, matrix, (size, size), None, flags, cv2.BORDER_CONSTANT, grey)
    return cv2.cvtColor(made, cv2.COLOR_RGBA2RGB)  # type: ignore[return-value]


def is_shift(source: Affine) -> bool:
    """Whether a map moves by whole pixels and does nothing else, so that `shifted` can do it."""
    a, b, c, d, e, f = source
    return (a, b, d, e) == (1, 0, 0, 1) and c.is_integer() and f.is_integer()


def shift_image(picture: Pixels, source: Affine) -> Pixels:
    """What `warp` does to a square image by a map that is a shift, in a tenth of the time."""
    size, made = len(picture), np.full_like(picture, FILL)
    right, down = (max(-size, min(-int(by), size)) for by in (source.c, source.f))
    kept = picture[max(-down, 0) : size - max(down, 0), max(-right, 0) : size - max(right, 0)]
    made[max(down, 0) : size + min(down, 0), max(right, 0) : size + min(right, 0)] = kept
    return made


def skips_pixels(picture: Pixels, size: int) -> bool:
    """Whether resizing to `size` takes so many pixels together that a warp would skip some."""
    height, width = picture.shape[:2]
    return bool(max(height, width) > SHRUNK * size)


def resize_and_flip(picture: Pixels, flips: tuple[bool, bool], size: int) -> Pixels:
    """Resize to (size, size, 3) and flip: what `framed` says, without fill at the edges and faster."""
    how = cv2.INTER_AREA if skips_pixels(picture, size) else cv2.INTER_LINEAR
    made = cv2.resize(picture, (size, size), interpolation=how)
    return cv2.flip(made, _TURNED[flips]) if any(flips) else made  # type: ignore[return-value]

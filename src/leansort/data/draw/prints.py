"""What is printed on trash: lines of text, stripes, logos and pictures, the same range for every class."""

from __future__ import annotations

import cv2
import numpy as np

from leansort.data.draw.materials import F32, Rng, blend, chance, f32, fractal, painted, tint

_LETTERS = np.array(list("ABCDEFGHKLMNOPRSTUVXZ0358&"))


def text_lines(rng: Rng, h: int, w: int, line: int) -> F32:
    """Return ink (h, w) of text too small to read: words of strokes, `line` pixels from line to line."""
    rows, columns = max(1, h // line), max(2, w // 2)
    ink = rng.random((rows, columns)) * 0.6 + 0.4
    ink *= np.repeat(rng.random((rows, columns // 4 + 1)) > 0.2, 4, axis=1)[:, :columns]
    ends = rng.uniform(0.55, 1.2, rows)
    ink *= np.arange(columns)[None] < (ends * columns)[:, None]
    tall = np.zeros((rows, line, columns))
    tall[:, : max(1, round(line * 0.55))] = ink[:, None]
    return f32(cv2.resize(f32(tall.reshape(rows * line, columns)), (w, h), interpolation=cv2.INTER_AREA))


def columns_of_text(rng: Rng, h: int, w: int, line: int, count: int) -> F32:
    """Return ink of a newspaper: columns with a headline and a gap between them."""
    ink = np.zeros((h, w), np.float32)
    width = w // count
    for column in range(count):
        left, right = column * width + 2, (column + 1) * width - 2
        if right - left > 6:
            ink[:, left:right] = text_lines(rng, h, right - left, line)
    return ink


def logo(rng: Rng, picture: F32) -> F32:
    """Write a short word in large letters, with a disc or bar behind it now and then."""
    h, w = picture.shape[:2]
    centre = (int(rng.uniform(0.3, 0.7) * w), int(rng.uniform(0.25, 0.75) * h))
    if chance(rng, 0.5):
        backing = np.zeros((h, w), np.uint8)
        axes = (int(rng.uniform(0.2, 0.42) * w), int(rng.uniform(0.12, 0.3) * h))
        cv2.ellipse(backing, centre, axes, float(rng.uniform(-20, 20)), 0, 360, 255, -1, cv2.LINE_AA)
        picture = blend(picture, tint(rng), f32(backing) / 255)
    word = "".join(rng.choice(_LETTERS, int(rng.integers(2, 6))))
    ink = np.zeros((h, w), np.uint8)
    scale = float(rng.uniform(0.6, 1.1) * w / (20 * len(word)))
    origin = (int(centre[0] - 9 * scale * len(word)), centre[1] + int(10 * scale))
    cv2.putText(ink, word, origin, cv2.FONT_HERSHEY_TRIPLEX, scale, 255, max(1, round(scale * 2)), cv2.LINE_AA)
    return blend(picture, tint(rng), f32(ink) / 255)


def stripes(rng: Rng, picture: F32) -> F32:
    """Lay one to three bands of colour across the picture."""
    h, w = picture.shape[:2]
    share = np.zeros((h, w), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        start, size = rng.uniform(0, 0.85), rng.uniform(0.05, 0.4)
        share[int(start * h) : int((start + size) * h) + 1] = 1
    return blend(picture, tint(rng), share)


def photo(rng: Rng, picture: F32) -> F32:
    """Print a patch that looks like a coloured photograph."""
    h, w = picture.shape[:2]
    top, left = int(rng.uniform(0.05, 0.5) * h), int(rng.uniform(0.05, 0.5) * w)
    ph, pw = max(4, int(rng.uniform(0.25, 0.45) * h)), max(4, int(rng.uniform(0.3, 0.5) * w))
    share = np.clip(fractal(rng, ph, pw, 9) * 2.4 - 0.7, 0, 1)
    patch = picture[top : top + ph, left : left + pw]
    share = share[: patch.shape[0], : patch.shape[1]]
    out = picture.copy()
    out[top : top + ph, left : left + pw] = blend(painted(*share.shape, tint(rng)), tint(rng), f32(share))
    return out


def small_print(rng: Rng, picture: F32) -> F32:
    """Print a block of small text somewhere."""
    h, w = picture.shape[:2]
    top, bottom = int(rng.uniform(0.1, 0.6) * h), int(rng.uniform(0.7, 0.95) * h)
    left, right = int(rng.uniform(0.06, 0.3) * w), int(rng.uniform(0.6, 0.94) * w)
    if bottom - top < 5 or right - left < 6:
        return picture
    share = np.zeros((h, w), np.float32)
    share[top:bottom, left:right] = text_lines(rng, bottom - top, right - left, int(rng.integers(3, 5)))
    return blend(picture, tint(rng) * np.float32(0.5), share * np.float32(0.8))


def panel(rng: Rng, h: int, w: int, base: F32, busy: float = 0.6) -> F32:
    """Return a printed panel (h, w, 3); each kind of print is there with the chance `busy`."""
    picture = painted(h, w, base)
    for layer in (stripes, photo, small_print, logo):
        if chance(rng, busy):
            picture = layer(rng, picture)
    return picture

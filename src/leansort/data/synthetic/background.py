"""Ground that trash lies on, with debris that belongs to no class."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from leansort.data.synthetic import texture as tx
from leansort.data.synthetic.paint import colour
from leansort.data.synthetic.texture import Rng

Picture = npt.NDArray[np.float32]


def draw_background(rng: Rng, height: int, width: int) -> Picture:
    """Draw one of several grounds, littered with small debris; float32 RGB 0..1."""
    kinds = (_grass, _asphalt, _wood, _tiles, _belt)
    picture = kinds[int(rng.integers(len(kinds)))](rng, height, width)
    _debris(rng, picture)
    return picture


def _tinted(base: tuple[float, float, float], light: npt.NDArray[np.floating]) -> Picture:
    return np.asarray(np.asarray(base, np.float32) * light[..., None], np.float32)


def _grass(rng: Rng, height: int, width: int) -> Picture:
    picture = _tinted((0.36, 0.42, 0.22), 0.5 + 0.8 * tx.noise(rng, height, width, 8, 4))
    for _ in range(420):
        x, y = rng.integers(0, width), rng.integers(0, height)
        end = (int(x + rng.normal(0, 6)), int(y - rng.uniform(5, 16)))
        shade = rng.uniform(0.35, 1.1)
        blade = (0.42 * shade, 0.55 * shade * rng.uniform(0.7, 1), 0.25 * shade)
        cv2.line(picture, (int(x), int(y)), end, blade, 1, cv2.LINE_AA)
    return picture


def _asphalt(rng: Rng, height: int, width: int) -> Picture:
    grain = rng.normal(0, 0.09, (height, width))
    return _tinted((0.45, 0.45, 0.47), 0.65 + 0.5 * tx.noise(rng, height, width, 5) + grain)


def _wood(rng: Rng, height: int, width: int) -> Picture:
    rings = np.sin(tx.noise(rng, height, 8, 3).mean(axis=1, keepdims=True) * 60 + tx.noise(rng, height, width, 3) * 9)
    picture = _tinted((0.6, 0.43, 0.27), 0.8 + 0.18 * rings)
    for y in range(int(rng.integers(20, 60)), height, int(rng.integers(60, 110))):
        cv2.line(picture, (0, y), (width, y), (0.15, 0.1, 0.06), 2)
    return picture


def _tiles(rng: Rng, height: int, width: int) -> Picture:
    picture = _tinted((0.68, 0.66, 0.62), 0.75 + 0.35 * tx.noise(rng, height, width, 6))
    step = int(rng.integers(45, 90))
    for at in range(int(rng.integers(step)), max(height, width), step):
        cv2.line(picture, (at, 0), (at, height), (0.35, 0.33, 0.31), 2)
        cv2.line(picture, (0, at), (width, at), (0.35, 0.33, 0.31), 2)
    return picture


def _belt(rng: Rng, height: int, width: int) -> Picture:
    y = np.arange(height)[:, None]
    ribs = 0.12 * (np.sin(y * 2 * np.pi / rng.uniform(14, 30)) > 0.8)
    return _tinted((0.28, 0.29, 0.3), 0.7 + 0.5 * tx.noise(rng, height, width, 7) + ribs)


def _debris(rng: Rng, picture: Picture) -> None:
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(12, 34))):
        at = np.array([rng.uniform(0, width), rng.uniform(0, height)])
        tone = tuple((colour(rng) * rng.uniform(0.3, 1.0)).tolist())
        points = np.round(at + rng.normal(0, rng.uniform(2, 7), (int(rng.integers(3, 6)), 2))).astype(np.int32)
        cv2.fillPoly(picture, [points], tone, cv2.LINE_AA)

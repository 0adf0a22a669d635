"""One scene: objects thrown on the ground, then light, lens and camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from leansort.contest.contest_classes import CONTEST_CLASSES, TRAINING_CROPS
from leansort.data.synthetic import texture as tx
from leansort.data.synthetic.background import Picture, draw_background
from leansort.data.synthetic.objects import DRAWN
from leansort.data.synthetic.paint import SIDE, Patch
from leansort.data.synthetic.texture import Grey, Rng

WIDTH, HEIGHT = 416, 320
LEAST_VISIBLE = 0.65
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class SceneObject:
    """One annotated object: class index, box x, y, width, height, outline as x, y pairs, and area in pixels."""

    kind: int
    box: tuple[float, float, float, float]
    polygon: tuple[float, ...]
    area: float


def draw_scene(rng: Rng) -> tuple[Bytes, list[SceneObject]]:
    """Draw a scene.

    Returns:
        RGB uint8 of shape (HEIGHT, WIDTH, 3) and the objects that can be told, in drawing order.
    """
    picture = draw_background(rng, HEIGHT, WIDTH)
    weights = np.array(TRAINING_CROPS) / sum(TRAINING_CROPS)
    kinds = rng.choice(len(CONTEST_CLASSES), int(rng.integers(3, 7)), p=weights)
    thrown: list[_Thrown] = []
    for kind in kinds.tolist():
        mask, whole = _throw(rng, picture, DRAWN[CONTEST_CLASSES[kind]](rng))
        for below in thrown:
            below.visible = np.minimum(below.visible, 1 - mask)
        thrown.append(_Thrown(kind, mask, whole))
    things = [thing for item in thrown if (thing := _annotated(item)) is not None]
    return _camera(rng, picture), things


@dataclass
class _Thrown:
    kind: int
    visible: Grey
    whole: float  # area in pixels, hidden and off-frame parts included


def _throw(rng: Rng, picture: Picture, patch: Patch) -> tuple[Grey, float]:
    """Turn, tilt and lay an object on the image with its shadow; return its mask and its whole area."""
    scale = rng.uniform(0.42, 0.95)
    corners = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]], np.float64) - SIDE / 2
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    tilt = rng.normal(0, 7, (4, 2))  # each corner moved a little: seen from the side
    centre = np.array([rng.uniform(0.08, 0.92) * WIDTH, rng.uniform(0.08, 0.92) * HEIGHT])
    target = (corners + tilt) @ turn.T * scale + centre
    matrix = cv2.getPerspectiveTransform(np.asarray(corners + SIDE / 2, np.float32), np.asarray(target, np.float32))
    premultiplied = patch.clip(0, 1)
    premultiplied[..., :3] *= premultiplied[..., 3:]
    laid = np.asarray(cv2.warpPerspective(premultiplied, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_AREA), np.float32)
    alpha = laid[..., 3]
    shift = rng.uniform(2, 7, 2)
    shadow = tx.blur(cv2.warpAffine(alpha, np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), (WIDTH, HEIGHT)), 4.0)  # type: ignore[arg-type]
    picture *= 1 - np.float32(rng.uniform(0.3, 0.6)) * (shadow * (1 - alpha))[..., None]
    picture *= 1 - alpha[..., None]
    picture += laid[..., :3]
    return np.asarray(alpha > 0.12, np.float32), float((patch[..., 3] > 0.12).sum()) * scale**2


def _annotated(thrown: _Thrown) -> SceneObject | None:
    """Outline what can be seen of an object; None where too little of it can."""
    seen = np.asarray(thrown.visible > 0.5, np.uint8)
    contours, _ = cv2.findContours(seen, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_TC89_L1)
    if not contours or float(seen.sum()) < LEAST_VISIBLE * thrown.whole:
        return None
    largest = max(contours, key=cv2.contourArea)
    x, y, width, height = cv2.boundingRect(largest)
    if len(largest) < 3 or min(width, height) < 16:
        return None
    outline = tuple(float(value) for value in largest.reshape(-1))
    return SceneObject(
        thrown.kind, (float(x), float(y), float(width), float(height)), outline, float(cv2.contourArea(largest))
    )


def _camera(rng: Rng, picture: Picture) -> Bytes:
    """Uneven light, colour temperature, blur, exposure and sensor noise."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 + rng.uniform(0, 0.3) * (x * np.cos(angle) + y * np.sin(angle))
    warmth = rng.normal(0, 0.09)
    gain = np.array([1 + warmth, 1.0, 1 - warmth]) * rng.uniform(0.7, 1.2)
    lit = np.asarray(np.clip(picture * light[..., None] * gain, 0, 1), np.float32)
    if rng.random() < 0.5:
        lit = tx.blur(lit, rng.uniform(0.3, 1.1))
    if rng.random() < 0.2:
        lit = _moved(rng, lit)
    noisy = lit ** np.float32(rng.uniform(0.8, 1.3)) * 255 + rng.normal(0, rng.uniform(1, 7), lit.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def _moved(rng: Rng, picture: Picture) -> Picture:
    length = int(rng.integers(3, 6))
    kernel = np.zeros((length, length), np.float32)
    ends = ((0, 0), (length - 1, length - 1)) if rng.random() < 0.5 else ((0, length // 2), (length - 1, length // 2))
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.float32)

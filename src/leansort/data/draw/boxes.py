"""Boxes in space: turn flat-sided bodies, project them, and paint a panel on every side that is seen.

Space is x right, y down, z towards the camera. A side lists its corners clockwise as seen from outside.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from leansort.data.draw.materials import F32, Rng, f32
from leansort.data.draw.shapes import filled


@dataclass(frozen=True)
class Side:
    """One flat side.

    Attributes:
        corners: (3 or 4, 3) corners; a quad from its top left, a triangle from its apex.
        panel: (h, w, 3) what is on it.
        both: it is a sheet, seen from either side.
    """

    corners: F32
    panel: F32
    both: bool = False


def turn(rng: Rng, yaw: tuple[float, float], pitch: tuple[float, float]) -> F32:
    """Return a rotation (3, 3): about the upright axis to the left or right, then tipped towards the camera."""
    a = rng.uniform(*yaw) * rng.choice([-1, 1])
    b = rng.uniform(*pitch)
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    return f32(about_x @ about_y)


def quads(width: float, height: float, depth: float) -> dict[str, F32]:
    """Return the corners of the six sides of a box about the origin."""
    x, y, z = width / 2, height / 2, depth / 2
    return {
        "front": f32([[-x, -y, z], [x, -y, z], [x, y, z], [-x, y, z]]),
        "back": f32([[x, -y, -z], [-x, -y, -z], [-x, y, -z], [x, y, -z]]),
        "right": f32([[x, -y, z], [x, -y, -z], [x, y, -z], [x, y, z]]),
        "left": f32([[-x, -y, -z], [-x, -y, z], [-x, y, z], [-x, y, -z]]),
        "top": f32([[-x, -y, -z], [x, -y, -z], [x, -y, z], [-x, -y, z]]),
        "bottom": f32([[-x, y, z], [x, y, z], [x, y, -z], [-x, y, -z]]),
    }


def paint(sides: Iterable[Side], rotation: F32, size: int, lamp: F32, strength: float = 0.6) -> tuple[F32, F32]:
    """Paint the sides that face the camera, the farthest first.

    Returns:
        The colour (h, w, 3) and the mask (h, w), with the long side `size`.
    """
    kept = list(sides)
    placed = [side.corners @ rotation.T for side in kept]
    # Nearer is larger: a weak perspective, as from a camera some four lengths away.
    flat = [points[:, :2] / (1 - 0.16 * points[:, 2:]) for points in placed]
    every = np.concatenate(flat)
    low, high = every.min(0), every.max(0)
    scale = (size - 4) / float((high - low).max())
    h, w = (int(v) for v in np.ceil((high - low)[::-1] * scale + 4))
    colour, mask = np.zeros((h, w, 3), np.float32), np.zeros((h, w), np.float32)
    for index in sorted(range(len(kept)), key=lambda i: float(placed[i][:, 2].mean())):
        normal = np.cross(placed[index][1] - placed[index][0], placed[index][-1] - placed[index][0])
        normal /= np.linalg.norm(normal) + 1e-6
        if normal[2] <= 0.02 and not kept[index].both:
            continue
        shade = 1 - strength + strength * 1.25 * abs(float(normal @ lamp))
        _lay(colour, mask, kept[index].panel * np.float32(shade), f32((flat[index] - low) * scale + 2))
    return colour, mask


def _lay(colour: F32, mask: F32, panel: F32, corners: F32) -> None:
    """Paint one panel into its corners (n, 2), in place."""
    h, w = mask.shape
    ph, pw = panel.shape[:2]
    share = filled(h, w, corners)
    if len(corners) == 3:
        matrix = cv2.getAffineTransform(f32([[pw / 2, 0], [pw, ph], [0, ph]]), corners)
        image = cv2.warpAffine(panel, matrix, (w, h), borderMode=cv2.BORDER_REPLICATE)
    else:
        matrix = cv2.getPerspectiveTransform(f32([[0, 0], [pw, 0], [pw, ph], [0, ph]]), corners)
        image = cv2.warpPerspective(panel, matrix, (w, h), borderMode=cv2.BORDER_REPLICATE)
    colour += (f32(image) - colour) * share[..., None]
    np.maximum(mask, share, out=mask)

"""A sprite: one object cut out, with what it shows, hides and lets through."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from leansort.data.draw.materials import F32, f32


@dataclass(frozen=True)
class Sprite:
    """One object on its own canvas.

    Attributes:
        colour: (h, w, 3) the object's own colour, lit.
        mask: (h, w) share of each pixel that the object covers.
        opacity: (h, w) how much the object hides of what lies behind; 1 is solid.
        gloss: (h, w) white light mirrored towards the camera, added on top.
        filter: (3,) what the object lets through of each of red, green and blue.
        bend: pixels by which it displaces what is seen through it.
        haze: blur in pixels of what is seen through it.
        lift: height in pixels over the ground, which is the reach of its shadow.
    """

    colour: F32
    mask: F32
    opacity: F32
    gloss: F32
    filter: F32
    bend: float = 0.0
    haze: float = 0.0
    lift: float = 4.0


def solid(colour: F32, mask: F32, gloss: F32 | None = None, lift: float = 4.0) -> Sprite:
    """Make a sprite that nothing shines through."""
    gloss = np.zeros_like(mask) if gloss is None else gloss
    return Sprite(colour, mask, np.ones_like(mask), gloss, np.ones(3, np.float32), lift=lift)


def warped(sprite: Sprite, map_x: F32, map_y: F32) -> Sprite:
    """Look the whole sprite up at these places; outside its canvas there is nothing."""
    layers = np.dstack([sprite.colour, sprite.mask, sprite.opacity, sprite.gloss])
    # cv2.remap takes at most four channels with a border value, so the layers go in two halves.
    first = cv2.remap(f32(layers[..., :3]), map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    second = cv2.remap(f32(layers[..., 3:]), map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    mask, opacity, gloss = (np.ascontiguousarray(second[..., index]) for index in range(3))
    return Sprite(
        f32(first), f32(mask), f32(opacity), f32(gloss), sprite.filter, sprite.bend, sprite.haze, sprite.lift
    )


def over(ground: F32, sprite: Sprite) -> F32:
    """Lay the sprite over ground of the same size."""
    hides = (sprite.mask * sprite.opacity)[..., None]
    shows = (sprite.mask * (1 - sprite.opacity))[..., None]
    seen = ground
    if sprite.haze > 0:
        seen = f32(cv2.GaussianBlur(ground, (0, 0), sprite.haze))
    if sprite.bend > 0:
        seen = _bent(seen, sprite)
    bare = 1 - sprite.mask[..., None]
    return f32(
        ground * bare + seen * sprite.filter * shows + sprite.colour * hides + (sprite.mask * sprite.gloss)[..., None]
    )


def _bent(ground: F32, sprite: Sprite) -> F32:
    """Displace the ground where the wall of the object is steep, which its opacity follows."""
    h, w = sprite.mask.shape
    x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    shift = f32(sprite.bend * (1 - 2 * cv2.blur(sprite.opacity, (5, 5))))
    return f32(cv2.remap(ground, x + shift, y - shift, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))

"""Lens and sensor: out of focus, moved while exposed, noisy, and compressed."""

from __future__ import annotations

import io
import math

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from leansort.measure.corruptions.arrays import Image, Rng, convolve, to_levels, to_pixels

REFERENCE_SIDE = 224  # pixels of ImageNet-C's images: its radii are of them, ours of the image's longer side
_LINE_STEPS = 4  # points that a pixel of a motion's path is made of


def defocus(image: Image, radius: float, rng: Rng) -> Image:
    """Blur by a disk, as ImageNet-C's `defocus_blur` does; the radius is in pixels of 224."""
    return convolve(image, _disk(radius * max(image.shape[:2]) / REFERENCE_SIDE))


def _disk(radius: float) -> npt.NDArray[np.float64]:
    reach = math.ceil(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(np.clip(radius + 0.5 - np.hypot(y, x), 0.0, 1.0), np.float64)


def blur_motion(image: Image, path: tuple[float, float], rng: Rng) -> Image:
    """Blur along a line at a random angle, as ImageNet-C's `motion_blur` does.

    Args:
        image: the image.
        path: radius and deviation of its weights, which fall off from where it begins, in pixels of 224.
        rng: of this image.
    """
    radius, deviation = (value * max(image.shape[:2]) / REFERENCE_SIDE for value in path)
    angle = float(rng.uniform(0, 2 * math.pi))
    reach = math.ceil(min(2 * radius, 3 * deviation))
    at = np.linspace(0, reach, _LINE_STEPS * reach + 1)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    rows, columns = (np.rint(at * part + reach).astype(int) for part in (math.sin(angle), math.cos(angle)))
    np.add.at(kernel, (rows, columns), np.exp(-0.5 * (at / deviation) ** 2))
    return convolve(image, kernel)


def add_noise(image: Image, deviation: float, rng: Rng) -> Image:
    """Gaussian noise on every channel, as ImageNet-C's `gaussian_noise`; the deviation is of levels 0 to 1."""
    drawn = rng.standard_normal(image.shape, np.float32)
    return to_pixels(to_levels(image) + np.float32(deviation) * drawn)


def add_shot_noise(image: Image, photons: float, rng: Rng) -> Image:
    """Poisson noise, as ImageNet-C's `shot_noise`; `photons` is how many a white pixel counts."""
    return to_pixels(rng.poisson(to_levels(image) * photons) / photons)


def compress(image: Image, quality: float, rng: Rng) -> Image:
    """Through a JPEG of this quality, as ImageNet-C's `jpeg_compression`."""
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, "JPEG", quality=int(quality))
    return np.array(Pillow.open(file).convert("RGB"), np.uint8)

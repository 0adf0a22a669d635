"""What the corruptions share: smooth random fields, convolution, and images as floats of 0 to 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Rng = np.random.Generator


def to_pixels(values: npt.NDArray[np.floating]) -> Image:
    """Levels 0 to 1 as uint8, rounded and cut off at both ends."""
    return np.asarray(np.clip(values * 255.0 + 0.5, 0.0, 255.0), np.uint8)


def to_levels(image: Image) -> Floats:
    """Pixels as float32 of 0 to 1."""
    return image.astype(np.float32) / np.float32(255)


def mean_colour(levels: Floats) -> Floats:
    """The mean of each channel of (h, w, 3); as a product, which is far faster than numpy's mean."""
    rows = levels.reshape(-1, levels.shape[2])
    return np.full(len(rows), 1 / len(rows), np.float32) @ rows


def resize_levels(
    values: npt.NDArray[np.floating] | Image | Mask, height: int, width: int, *, smooth: bool = True
) -> Floats:
    """Resize a field (h, w) to (height, width): bicubic, or linear where not `smooth`."""
    how = Pillow.Resampling.BICUBIC if smooth else Pillow.Resampling.BILINEAR
    field = Pillow.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(field.resize((width, height), how), np.float32)


def resize_pixels(image: Image, height: int, width: int) -> Image:
    """Resize an image (h, w, 3): means over what a pixel covers where it shrinks, else linear."""
    return np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BILINEAR), np.uint8)


def smooth_field(rng: Rng, height: int, width: int, cells: float, octaves: int = 1) -> Floats:
    """Smooth noise of mean 0 and deviation 1.

    Args:
        rng: of this image.
        height: of the field in pixels.
        width: likewise.
        cells: bumps along the longer side; every further octave has twice as many, half as high.
        octaves: how many there are.
    """
    total = np.zeros((height, width), np.float32)
    longer = max(height, width)
    for octave in range(octaves):
        count = cells * 2**octave
        rows, columns = (max(2, round(count * side / longer)) + 2 for side in (height, width))
        total += resize_levels(rng.standard_normal((rows, columns)), height, width) / np.float32(2**octave)
    return np.asarray((total - total.mean()) / max(float(total.std()), 1e-6), np.float32)


def convolve(image: Image, kernel: npt.NDArray[np.floating]) -> Image:
    """Convolve each channel of an image (h, w, 3) with a kernel of odd sides; the image's edge pixels go on outside."""
    (height, width), (y, x) = image.shape[:2], (side // 2 for side in kernel.shape)
    size = _fast_length(height + 2 * y), _fast_length(width + 2 * x)
    placed = np.zeros(size, np.float32)
    placed[: kernel.shape[0], : kernel.shape[1]] = kernel / kernel.sum()
    spread = ((y, size[0] - height - y), (x, size[1] - width - x))
    padded = np.stack([np.pad(image[..., c].astype(np.float32), spread, mode="edge") for c in range(3)])
    made = np.fft.irfft2(np.fft.rfft2(padded) * np.fft.rfft2(placed), size)
    made = made[:, 2 * y : 2 * y + height, 2 * x : 2 * x + width]
    return np.clip(made + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0).copy()


def _fast_length(length: int) -> int:
    """The next length that is a product of 2, 3 and 5, of which Fourier transforms are fast."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def sample(image: Image, y: npt.NDArray[np.floating], x: npt.NDArray[np.floating]) -> Image:
    """The pixels of an image (h, w, 3) at positions (h', w'), linear between pixel centres, edge pixels outside."""
    height, width = image.shape[:2]
    y, x = (np.clip(at, 0, side - 1).astype(np.float32) for at, side in ((y, height), (x, width)))
    top, left = y.astype(np.intp), x.astype(np.intp)
    down, along = (y - top)[..., None], (x - left)[..., None]
    flat, first = image.reshape(-1, 3), top * width + left
    right, below = (left < width - 1).astype(np.intp), (top < height - 1) * width
    upper = flat[first] * (1 - along) + flat[first + right] * along
    lower = flat[first + below] * (1 - along) + flat[first + below + right] * along
    return np.asarray(upper * (1 - down) + lower * down + 0.5, np.uint8)

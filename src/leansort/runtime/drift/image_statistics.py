"""What a photo looks like, in five numbers: taken from the network's own input, where a change matters."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leansort.core.locations.location import is_remote, location
from leansort.core.pixels import Image
from leansort.core.pixels.camera_frames import Frame
from leansort.core.writing import atomic_io

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class ImageStatistics:
    """Numbers of one photo, rounded as they are written.

    Attributes:
        brightness: mean luma, 0 to 255.
        sharpness: mean absolute Laplacian of the luma, 0 and more; blur lowers it, noise raises it.
        warmth: mean red less mean blue, -255 to 255.
        tint: mean green less the mean of red and blue, -255 to 255.
        size: longer side of the photo as it was taken, in pixels; None where its header does not say.
    """

    brightness: float
    sharpness: float
    warmth: float
    tint: float
    size: int | None = None


def image_statistics(x_hwc: Image, size: int | None = None) -> ImageStatistics:
    """Look at a network's input.

    Args:
        x_hwc: uint8 RGB (h, w, 3), at least 3 pixels a side.
        size: longer side of the photo that it was made of.
    """
    luma_hw = x_hwc @ _LUMA
    inner = luma_hw[1:-1, 1:-1]
    around = luma_hw[:-2, 1:-1] + luma_hw[2:, 1:-1] + luma_hw[1:-1, :-2] + luma_hw[1:-1, 2:]
    red, green, blue = (float(mean) for mean in x_hwc.mean(axis=(0, 1)))
    return ImageStatistics(
        brightness=round(float(luma_hw.mean()), 3),
        sharpness=round(float(np.abs(4 * inner - around).mean()), 3),
        warmth=round(red - blue, 3),
        tint=round(green - (red + blue) / 2, 3),
        size=size,
    )


def longer_side(picture: bytes | Path | str | Image | Frame) -> int | None:
    """Longer side of a photo in pixels, from its header alone; None where that cannot be read."""
    if isinstance(picture, Frame):
        return int(max(picture.shape))
    if isinstance(picture, np.ndarray):
        return int(max(picture.shape[:2]))
    import PIL.Image  # OpenCV may decode the photos: then a robot that tells no statistics goes without

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of huge photos, which are not decoded here
            with PIL.Image.open(_openable(picture)) as image:
                width, height = image.size
            return int(max(width, height))
    except (OSError, ValueError, SyntaxError, OverflowError, PIL.Image.DecompressionBombError):
        return None


def _openable(picture: bytes | Path | str) -> io.BytesIO | Path:
    """What Pillow opens: a local file, or bytes."""
    if isinstance(picture, bytes):
        return io.BytesIO(picture)
    path = location(picture)
    return io.BytesIO(atomic_io.read_file(path)) if is_remote(path) else path

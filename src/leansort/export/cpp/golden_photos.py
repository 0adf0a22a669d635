"""Photos that the project draws itself, so that each way from a JPEG to the network's input is taken at least once."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from leansort.core.seeds import Seeds
from leansort.data.synthetic.scene import draw_scene

Pixels = npt.NDArray[np.uint8]
LARGEST = 4096  # pixels a side, of a photo that is drawn
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class GoldenPhoto:
    """How a photo is drawn and stored.

    Attributes:
        name: of the file, without its ending.
        width: as a multiple of the input's side.
        height: likewise.
        mode: Pillow's name of the colours.
        orientation: of EXIF; 0: none is told.
        progressive: whether it is stored in several scans.
        subsampling: of the colours, as Pillow counts: 0 none, 1 half the width, 2 half of both sides.
    """

    name: str
    width: float
    height: float
    mode: str = "RGB"
    orientation: int = 0
    progressive: bool = False
    subsampling: int = 2


PHOTOS = (
    GoldenPhoto("area", 1.83, 1.37),
    GoldenPhoto("half", 3.12, 2.31, subsampling=0),
    GoldenPhoto("quarter", 4.0, 3.0),
    GoldenPhoto("eighth", 8.6, 6.2, progressive=True),
    GoldenPhoto("linear", 0.9, 1.17, subsampling=1),
    GoldenPhoto("enlarged", 0.43, 0.31, progressive=True),
    GoldenPhoto("turned", 2.7, 1.9, orientation=6),
    GoldenPhoto("mirrored", 1.4, 1.9, orientation=5),
    GoldenPhoto("grey", 1.9, 2.6, mode="L"),
    GoldenPhoto("four-inks", 1.6, 1.1, mode="CMYK"),
)


def draw_photos(size: int) -> dict[str, bytes]:
    """Draw the photos, the same for the same size.

    Args:
        size: side of the network's input in pixels.

    Returns:
        JPEG files by name; those that would be larger than `LARGEST` are left out.
    """
    photos = [photo for photo in PHOTOS if max(photo.width, photo.height) * size <= LARGEST]
    return {f"{photo.name}.jpg": _stored(photo, _drawn(photo, size)) for photo in photos}


def frame(width: int, height: int) -> Pixels:
    """A frame (height, width, 3) of noise that C++ computes as well, so that no file is needed."""
    numbers = np.arange(width * height * 3, dtype=np.uint32) * np.uint32(2654435761)
    return (numbers >> np.uint32(24)).astype(np.uint8).reshape(height, width, 3)


def _drawn(photo: GoldenPhoto, size: int) -> Pixels:
    picture, _ = draw_scene(Seeds(0).child(f"golden/{photo.name}").numpy())
    wanted = max(1, round(photo.width * size)), max(1, round(photo.height * size))
    return np.asarray(cv2.resize(picture, wanted, interpolation=cv2.INTER_AREA), np.uint8)


def _stored(photo: GoldenPhoto, pixels: Pixels) -> bytes:
    file, more = io.BytesIO(), dict[str, Any]()
    if photo.orientation:
        exif = Image.Exif()
        exif[_ORIENTATION] = photo.orientation
        more["exif"] = exif.tobytes()
    if photo.mode == "RGB":
        more["subsampling"] = photo.subsampling
    Image.fromarray(pixels).convert(photo.mode).save(file, "JPEG", quality=85, progressive=photo.progressive, **more)
    return file.getvalue()

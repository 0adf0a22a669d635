"""Pixels by Pillow and numpy, for a robot that cannot spare OpenCV's 150 MB."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import (  # reading a format begins with its import
    BmpImagePlugin,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from PIL import Image as Pillow

from leansort.core.pixels import Image
from leansort.core.pixels.resizing import resized

_READERS = (JpegImagePlugin, PngImagePlugin, BmpImagePlugin, WebPImagePlugin, TiffImagePlugin)
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "WEBP", "TIFF")  # others run foreign programs or are no photos
_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def decode(data: bytes, reduction: int) -> Image:
    """See `Backend.decode`."""
    try:
        with warnings.catch_warnings(action="ignore"), Pillow.open(io.BytesIO(data), formats=_FORMATS) as opened:
            opened.draft(None, (max(opened.width // reduction, 1), max(opened.height // reduction, 1)))
            ImageOps.exif_transpose(opened, in_place=True)
            rgb = _rgb(opened)
    except UnidentifiedImageError:
        raise ValueError("is not a picture that can be decoded") from None
    except Exception as error:  # each format's reader has its own
        raise ValueError(f"cannot be decoded ({error})") from None
    return rgb[..., ::-1]


def _rgb(picture: Pillow.Image) -> Image:
    if picture.mode in _DEEP:  # Pillow would cut off what is above 255
        grey = (np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.mode == "F":
        raise ValueError("floating-point pixels")
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def resize(image: Image, width: int, height: int, *, area: bool) -> Image:
    """See `Backend.resize`."""
    return resized(image, width, height, area=area)


def swapped(image: Image) -> Image:
    """See `Backend.swapped`."""
    return np.ascontiguousarray(image[..., ::-1])


def one_thread() -> None:
    """See `Backend.one_thread`; Pillow has but one."""

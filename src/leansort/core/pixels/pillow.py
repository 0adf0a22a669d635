"""Pixels by Pillow and numpy, for a robot that cannot spare OpenCV's 160 MB."""

from __future__ import annotations

import importlib
import io
import warnings
from functools import cache

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

from leansort.core.folders import image_kinds
from leansort.core.pixels import Image
from leansort.core.pixels.luma_chroma import rgb_of
from leansort.core.pixels.resizing import resize_image

_READERS = (JpegImagePlugin, PngImagePlugin, BmpImagePlugin, WebPImagePlugin, TiffImagePlugin)
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "WEBP", "TIFF")  # others but `BY_PILLOW` run programs or are no photos
_DEEP = ("I;16", "I;16B", "I;16L", "I;16N")
_XMP = ("xmp", "XML:com.adobe.xmp")
MOST = 2**28  # pixels that are decoded, a gigabyte on the way
# For the whole process: to do so around each image would not be safe where several threads decode.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(data: bytes, reduction: int) -> Image:
    """See `Backend.decode`."""
    try:
        with _opened(data) as opened:
            opened.draft(None, (max(opened.width // reduction, 1), max(opened.height // reduction, 1)))
            if opened.width * opened.height > MOST:
                raise ValueError(f"{opened.width} x {opened.height} pixels are too many")
            _turn(opened)
            rgb = _rgb(opened)
    except UnidentifiedImageError:
        raise ValueError("is not a picture that can be decoded") from None
    except Exception as error:  # each format's reader has its own
        raise ValueError(f"cannot be decoded ({error})") from None
    return rgb[..., ::-1]


def _opened(data: bytes) -> Pillow.Image:
    """The image, not decoded yet; of a JPEG, which can be reduced, any size."""
    if data[:2] == b"\xff\xd8":
        return JpegImagePlugin.jpeg_factory(io.BytesIO(data), "")
    kind = image_kinds.kind_of(data)
    if kind in image_kinds.BY_PILLOW:
        _load_reader(kind)
        return Pillow.open(io.BytesIO(data), formats=(image_kinds.BY_PILLOW[kind],))
    return Pillow.open(io.BytesIO(data), formats=_FORMATS)


@cache
def _load_reader(kind: str) -> None:
    """Import what reads a rarer kind; most programs never meet one."""
    if not image_kinds.is_decodable(kind):
        raise ValueError(f"{kind} needs: {image_kinds.install_hint(kind)}")
    if kind == "HEIC":
        importlib.import_module("pillow_heif").register_heif_opener()
    else:
        importlib.import_module(f"PIL.{kind.title()}ImagePlugin")


def _turn(picture: Pillow.Image) -> None:
    """Stand it upright as its EXIF says and nothing else; odd tags of real photos fail when Pillow writes them anew."""
    for key in _XMP:
        picture.info.pop(key, None)
    picture.getexif()
    picture.info.pop("exif", None)
    ImageOps.exif_transpose(picture, in_place=True)


def _rgb(picture: Pillow.Image) -> Image:
    if picture.mode in _DEEP:  # Pillow would cut off what is above 255
        grey = (np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.mode in ("I", "F"):
        raise ValueError("pixels of 32 bits a channel")
    if picture.format == "TIFF" and picture.mode == "RGBA":  # whose colours OpenCV darkens by their alpha
        return np.asarray(picture.convert("RGBa"))[..., :3]
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def resize(image: Image, width: int, height: int, *, area: bool) -> Image:
    """See `Backend.resize`."""
    return resize_image(image, width, height, area=area)


def swap_channels(image: Image) -> Image:
    """See `Backend.swap_channels`."""
    return np.ascontiguousarray(image[..., ::-1])


def spread_gray(y_hw: Image) -> Image:
    """See `Backend.spread_gray`."""
    return np.repeat(y_hw[..., None], 3, axis=2)


def convert_yuyv(packed: Image) -> Image:
    """See `Backend.convert_yuyv`."""
    return rgb_of(packed[:, ::2], packed[:, 1::4].repeat(2, axis=1), packed[:, 3::4].repeat(2, axis=1))


def convert_yuv420(y_hw: Image, chroma: Image) -> Image:
    """See `Backend.convert_yuv420`."""
    spread = chroma.repeat(2, axis=0).repeat(2, axis=1)
    return rgb_of(y_hw, spread[..., 0], spread[..., 1])


def one_thread() -> None:
    """See `Backend.one_thread`; Pillow has but one."""


def enable_warnings() -> None:
    """See `Backend.enable_warnings`; Pillow raises what it has to say."""


def disable_warnings() -> None:
    """See `Backend.disable_warnings`."""

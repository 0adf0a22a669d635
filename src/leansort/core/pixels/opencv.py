"""Pixels by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

from leansort.core import pixels
from leansort.core.folders import image_kinds
from leansort.core.pixels import Image

_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_SILENT, _WARNINGS = 0, 3
cv2.utils.logging.setLogLevel(_SILENT)  # what cannot be decoded is said once, by whoever asked for it


def decode(data: bytes, reduction: int) -> Image:
    """See `Backend.decode`."""
    if image_kinds.kind_of(data) in image_kinds.BY_PILLOW:  # which wheels of OpenCV decode, and which turn, differs
        return pixels.load("pillow").decode(data, reduction)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[reduction])
    except cv2.error as error:
        raise ValueError(f"cannot be decoded ({error.err or 'decoder failed'})") from None
    if image is None or image.size == 0:
        raise ValueError("is not a picture that can be decoded")
    return image.astype(np.uint8, copy=False)


def resize(image: Image, width: int, height: int, *, area: bool) -> Image:
    """See `Backend.resize`."""
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if area else cv2.INTER_LINEAR)
    return resized.astype(np.uint8, copy=False)


def swap_channels(image: Image) -> Image:
    """See `Backend.swap_channels`."""
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def spread_gray(y_hw: Image) -> Image:
    """See `Backend.spread_gray`."""
    return cv2.cvtColor(y_hw, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)


def convert_yuyv(packed: Image) -> Image:
    """See `Backend.convert_yuyv`."""
    pairs = packed.reshape(len(packed), -1, 2)
    return cv2.cvtColor(pairs, cv2.COLOR_YUV2RGB_YUYV).astype(np.uint8, copy=False)


def convert_yuv420(y_hw: Image, chroma: Image) -> Image:
    """See `Backend.convert_yuv420`."""
    return cv2.cvtColorTwoPlane(y_hw, chroma, cv2.COLOR_YUV2RGB_NV12).astype(np.uint8, copy=False)


def one_thread() -> None:
    """See `Backend.one_thread`."""
    cv2.setNumThreads(1)


def enable_warnings() -> None:
    """See `Backend.enable_warnings`."""
    cv2.utils.logging.setLogLevel(_WARNINGS)


def disable_warnings() -> None:
    """See `Backend.disable_warnings`."""
    cv2.utils.logging.setLogLevel(_SILENT)

"""Decoding and resizing of images, by OpenCV where it is installed (faster), else by Pillow and numpy.

Both backends give the same pixels to a grey level, so that a robot without OpenCV sees what training saw. May import
`folders`. Begin with `resizing`; `camera_frames` are what cameras give.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
BACKENDS = ("opencv", "pillow")  # the first one that can be loaded is taken


class Backend(Protocol):
    """What each module of this package has."""

    def decode(self, data: bytes, reduction: int) -> Image:
        """Decode an image to BGR uint8 (height, width, 3), EXIF turned, without alpha.

        Args:
            data: the encoded file.
            reduction: 1, 2, 4 or 8: what share of a JPEG's sides is wanted; other formats come whole.

        Raises:
            ValueError: it is no image that can be decoded; the text says why.
        """
        ...

    def resize(self, image: Image, width: int, height: int, *, area: bool) -> Image:
        """Resize (h, w, 3): to means over areas, or by linear interpolation between pixel centres."""
        ...

    def swap_channels(self, image: Image) -> Image:
        """BGR to RGB; C-contiguous."""
        ...

    def spread_gray(self, y_hw: Image) -> Image:
        """Gray (h, w) to RGB (h, w, 3)."""
        ...

    def convert_yuyv(self, packed: Image) -> Image:
        """YUYV (h, 2 w), w even, to RGB (h, w, 3), by ITU-R BT.601 with Y of 16 to 235."""
        ...

    def convert_yuv420(self, y_hw: Image, chroma: Image) -> Image:
        """Y (h, w) and U, V (h / 2, w / 2, 2), both sides even, to RGB (h, w, 3), by the same."""
        ...

    def one_thread(self) -> None:
        """Spread no single image over several threads from now on, in this process."""
        ...

    def enable_warnings(self) -> None:
        """Let decoders write their warnings about damaged images to standard error, until `disable_warnings`."""
        ...

    def disable_warnings(self) -> None:
        """Stop the decoders from writing warnings again, as far as they can be stopped."""
        ...


def load(name: str = "") -> Backend:
    """The backend of a name, or the first one that can be loaded.

    Raises:
        ImportError: it cannot be, or none can.
    """
    return cast(Backend, importlib.import_module(f"{__name__}.{name or default_backend()}"))


@cache
def default_backend() -> str:
    """The name of the backend that is taken where none is named."""
    *first, last = BACKENDS
    for name in first:
        try:
            load(name)
        except (ImportError, AttributeError):  # not there, not whole, or without a library of the system
            continue
        return name
    return last

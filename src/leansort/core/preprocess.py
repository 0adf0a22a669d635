"""From a photo to the network's input: the one place where pixels are made.

Training, calibration, parity checks and the robot call this same function, so an accuracy measured here is the
accuracy of the robot. A JPEG is decoded at a half, quarter or eighth of its size where the image stays at
least as large as the target (libjpeg then skips most of the inverse cosine transform, which is where decode
time goes); the rest of the way is an area resize, or a linear one where next to nothing is left to shrink.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leansort.core import pixels
from leansort.core.errors import LeansortError, UserError
from leansort.core.folders import image_kinds
from leansort.core.locations.location import location
from leansort.core.pixels import Image
from leansort.core.pixels.camera_frames import Frame
from leansort.core.pixels.jpeg_structure import EOI, SOI, is_frame, segments
from leansort.core.strict_model import StrictModel
from leansort.core.writing import atomic_io

Fit = Literal["pad", "stretch", "crop"]
# Of pixels/255: further off lies what was meant for pixels of 0-255, and what makes infinite numbers of every image.
Mean = Annotated[float, Field(ge=-10.0, le=10.0)]
Deviation = Annotated[float, Field(ge=0.001, le=10.0)]
NEAR = 1.25  # up to here linear interpolation aliases no more than area does, and it is much faster
MOST_PIXELS = 2000  # of a byte of JPEG; one colour all over, stored progressively, comes to under 200
BACKEND = pixels.load()


class UnreadableImage(LeansortError):
    """The bytes are not a whole image that can be decoded."""


class Preprocess(StrictModel):
    """How an image becomes the network's input.

    Attributes:
        size: side of the square input in pixels.
        fit: `pad` keeps the aspect ratio and fills the rest, `stretch` does not keep it, `crop` cuts the centre.
        fill: grey level of the padding, 0-255.
        mean: per-channel RGB mean of pixels/255; -10 to 10; applied inside the graph, never here.
        std: per-channel RGB standard deviation of pixels/255, 0.001 to 10; applied inside the graph.
    """

    size: int = Field(default=128, ge=16, le=1024)
    fit: Fit = "pad"
    fill: int = Field(default=114, ge=0, le=255)
    mean: tuple[Mean, Mean, Mean] = (0.485, 0.456, 0.406)
    std: tuple[Deviation, Deviation, Deviation] = (0.229, 0.224, 0.225)

    @property
    def digest(self) -> str:
        """Digest of what decides the uint8 pixels (normalization does not)."""
        text = f"v2:{self.size}:{self.fit}:{self.fill}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __call__(self, picture: bytes | Path | str | Image | Frame) -> Image:
        """Turn an image into the network's input.

        Args:
            picture: encoded bytes, a path, an RGB uint8 array of shape (height, width, 3), or a camera's frame.

        Returns:
            RGB uint8 array of shape (size, size, 3), C-contiguous.

        Raises:
            UnreadableImage: the file is missing, empty, cut short or no image.
            UserError: an array of another shape or type was given, or no image at all.
        """
        if isinstance(picture, np.ndarray):
            return self._fitted(_checked(picture))
        if isinstance(picture, Frame):
            return self._fitted(picture.rgb(BACKEND))
        if not isinstance(picture, bytes | str | Path):
            raise UserError(f"picture: got {type(picture).__name__}, need bytes, a path, an RGB array, or a Frame")
        data = (
            picture
            if isinstance(picture, bytes)
            else _read(picture if isinstance(picture, Path) else location(picture))
        )
        return BACKEND.swap_channels(self._fitted(decode(data, self.size, self.fit)))

    def _fitted(self, image: Image) -> Image:
        return {"pad": _pad, "stretch": _stretch, "crop": _crop}[self.fit](image, self.size, self.fill)


def decode(data: bytes, target: int = 0, fit: Fit = "pad") -> Image:
    """Decode an image to BGR uint8, EXIF turned, JPEG at reduced scale where `target` allows it.

    Args:
        data: the encoded file.
        target: side in pixels that the image will be resized to; 0 decodes at full scale.
        fit: which side has to stay at least `target`: the longer one for `pad`, else the shorter one.

    Returns:
        Array of shape (height, width, 3).

    Raises:
        UnreadableImage: the data is empty, cut short or no image.
    """
    if not data:
        raise UnreadableImage("is empty (0 bytes)")
    reduction = _reduction(_jpeg_size(data), target, fit) if data[:2] == SOI else 1
    try:
        return BACKEND.decode(data, reduction)
    except ValueError as error:
        raise UnreadableImage(image_kinds.describe_non_image(data) or str(error)) from None


def _read(path: Path) -> bytes:
    try:
        return atomic_io.read_file(path)
    except (OSError, ValueError) as error:  # a path with a zero byte is a ValueError
        raise UnreadableImage(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _checked(image: npt.NDArray[Any]) -> Image:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise UserError(f"image: got {image.dtype} array of shape {image.shape}, need uint8 (height, width, 3) RGB")
    return image


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Return (height, width) from the frame header; refuse a file cut short, which libjpeg would fill with grey."""
    size, start = (0, 0), 0
    for marker, start in segments(data):
        if is_frame(marker):
            size = (
                int.from_bytes(data[start + 3 : start + 5], "big"),
                int.from_bytes(data[start + 5 : start + 7], "big"),
            )
    if size[0] * size[1] > MOST_PIXELS * len(data):
        raise UnreadableImage(f"is damaged: {size[1]} x {size[0]} pixels cannot come out of {len(data)} bytes")
    if 0 in size or data.rfind(EOI) < start:
        raise UnreadableImage("is cut short (no end-of-image marker)" if all(size) else "has a damaged JPEG header")
    return size


def _reduction(size: tuple[int, int], target: int, fit: Fit) -> int:
    side = max(size) if fit == "pad" else min(size)
    return next((n for n in (8, 4, 2) if target and side >= n * target), 1)


def _resize(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    factor = max(image.shape[0] / height, image.shape[1] / width)
    return BACKEND.resize(image, width, height, area=factor > NEAR)


def one_thread() -> None:
    """Spread no single image over several threads from now on, in this process: images are spread instead."""
    BACKEND.one_thread()


def _stretch(image: Image, size: int, fill: int) -> Image:
    return np.ascontiguousarray(_resize(image, size, size))


def _pad(image: Image, size: int, fill: int) -> Image:
    height, width = image.shape[:2]
    scale = size / max(height, width)
    inner_h, inner_w = max(1, round(height * scale)), max(1, round(width * scale))
    out = np.full((size, size, 3), fill, np.uint8)
    top, left = (size - inner_h) // 2, (size - inner_w) // 2  # an odd rest goes to the bottom and right
    out[top : top + inner_h, left : left + inner_w] = _resize(image, inner_w, inner_h)
    return out


def _crop(image: Image, size: int, fill: int) -> Image:
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(_resize(image[top : top + side, left : left + side], size, size))

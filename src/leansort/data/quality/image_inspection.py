"""One look at an image file: what is unusual about it, its hash and its thumbnail, from a single read."""

from __future__ import annotations

import hashlib
import importlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leansort.core.damage.watch import DamagedImage, Watch
from leansort.core.errors import MissingExtraError
from leansort.core.preprocess import UnreadableImage
from leansort.core.writing import atomic_io
from leansort.data.quality.near_duplicates import SIDE, Thumbs, thumbnail

UNREADABLE, DAMAGED = "cannot be read", "is damaged"
ENDING, CMYK, GREY, DEEP = "ending does not fit the format", "CMYK", "grayscale", "16 bits a channel"
ALPHA, TURNED, MOVING = "transparency, which is dropped", "turned by EXIF", "several frames, the first is used"
EVEN, TINY, LONG = "one even colour", "a side under 16 px", "longer than 8 times its width"
_ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class ImageInspection:
    """What one look found.

    Attributes:
        findings: (kind, detail) of all that is unusual; details may be empty.
        hash: SHA-256 of the file, first 32 hex digits; empty where it cannot be read.
        width: in pixels as a person sees it; 0 where it cannot be read.
        height: the same.
        thumb: (32, 32, 3) uint8 BGR, or None where it cannot be read.
    """

    findings: tuple[tuple[str, str], ...]
    hash: str = ""
    width: int = 0
    height: int = 0
    thumb: Thumbs | None = None


def inspect_image(path: Path, watch: Watch) -> ImageInspection:
    """Read an image and say what is unusual about it; `watch` sees what its decoder complains of.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    try:
        data = atomic_io.read_file(path)
        bgr = watch.decode(data, 2 * SIDE, "stretch")
    except OSError as error:
        return ImageInspection(((UNREADABLE, error.strerror or str(error)),))
    except DamagedImage as error:
        return ImageInspection(((DAMAGED, error.why),))
    except UnreadableImage as error:
        return ImageInspection(((UNREADABLE, str(error)),))
    findings, (width, height) = _header(data, path.suffix.lower(), bgr.shape[1], bgr.shape[0])
    if int(bgr.max()) - int(bgr.min()) <= 2:
        findings.append((EVEN, ""))
    if min(width, height) < 16:
        findings.append((TINY, f"{width}x{height}"))
    if max(width, height) > 8 * min(width, height):
        findings.append((LONG, f"{width}x{height}"))
    return ImageInspection(tuple(findings), hashlib.sha256(data).hexdigest()[:32], width, height, thumbnail(bgr))


def exif_turn(data: bytes) -> int:
    """How EXIF says that an image is to be turned and mirrored, 1 to 8; 1, as it is, where it says nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _pillow().open(io.BytesIO(data)) as image:
                return _turn(image)
    except (OSError, ValueError, SyntaxError, OverflowError, _pillow().DecompressionBombError):
        return 1


def _turn(image: Any) -> int:
    turn = image.getexif().get(_ORIENTATION, 1)
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _header(data: bytes, ending: str, width: int, height: int) -> tuple[list[tuple[str, str]], tuple[int, int]]:
    """What Pillow reads from the header alone; an image that OpenCV reads and Pillow does not keeps its given size."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of huge images, which were just decoded without harm
            with _pillow().open(io.BytesIO(data)) as image:
                return _unusual(image, ending), _seen_size(image)
    except (OSError, ValueError, SyntaxError, OverflowError, _pillow().DecompressionBombError):
        return [], (width, height)


def _unusual(image: Any, ending: str) -> list[tuple[str, str]]:
    mode, bands = image.mode, image.getbands()
    palette_alpha = mode == "P" and "transparency" in image.info
    checks = (
        (ending not in _ENDINGS.get(image.format, (ending,)), ENDING, f"{ending} holds {image.format}"),
        (mode == "CMYK", CMYK, ""),
        (mode in ("1", "L", "LA") or mode.startswith("I"), GREY, ""),
        (any("16" in str(tile[-1]) for tile in image.tile), DEEP, ""),  # 16-bit colour opens as 8 bits
        ("A" in bands or palette_alpha, ALPHA, ""),
        (_turn(image) != 1, TURNED, ""),
        (image.format != "MPO" and getattr(image, "n_frames", 1) > 1, MOVING, ""),
    )
    return [(kind, detail) for met, kind, detail in checks if met]


def _seen_size(image: Any) -> tuple[int, int]:
    width, height = image.size
    return (height, width) if _turn(image) in (5, 6, 7, 8) else (width, height)


def _pillow() -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ImportError:
        raise MissingExtraError("pillow", "train") from None


def stack_thumbnails(looks: list[ImageInspection]) -> Thumbs:
    """Thumbnails of the images that could be read, in order."""
    thumbs = [look.thumb for look in looks if look.thumb is not None]
    return np.stack(thumbs) if thumbs else np.zeros((0, SIDE, SIDE, 3), np.uint8)

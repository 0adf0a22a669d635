"""Frames as cameras give them: buffers of a named format, with strides, of which a box alone can be made into RGB.

Where two or four pixels share their colour (YUYV, NV12, I420), a box is widened to whole groups of pixels before it
is converted and cut afterwards, so that its pixels are those of the whole frame, converted and cropped.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from leansort.core import pixels
from leansort.core.errors import UserError, did_you_mean
from leansort.core.pixels import Backend, Image

Buffer: TypeAlias = bytes | bytearray | memoryview | npt.NDArray[np.uint8]
Box: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True)
class _Plane:
    """Of a plane: bytes for each `columns` pixels of a row, and how many of the frame's rows share one of its own."""

    size: int = 1
    columns: int = 1
    rows: int = 1


_PLANES: dict[str, tuple[_Plane, ...]] = {
    "RGB": (_Plane(3),),
    "BGR": (_Plane(3),),
    "GRAY": (_Plane(),),
    "YUYV": (_Plane(2),),
    "NV12": (_Plane(), _Plane(2, 2, 2)),
    "I420": (_Plane(), _Plane(1, 2, 2), _Plane(1, 2, 2)),
}
_SHARED = {"YUYV": (2, 1), "NV12": (2, 2), "I420": (2, 2)}  # columns and rows of pixels that have one colour
FORMATS = tuple(_PLANES)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A camera's frame, or a box of one. Nothing is copied or converted before it is classified.

    Attributes:
        data: the bytes: one buffer with plane behind plane, or a buffer for each plane. An array of a format with one
            plane may be a view with gaps, such as a part of another array; of the others it has to be contiguous.
        format: `RGB`, `BGR`, `GRAY` (8 bits), `YUYV` (4:2:2, packed), `NV12` or `I420` (4:2:0; ITU-R BT.601, 16 to
            235, as cameras give it).
        width: of the whole frame in pixels; even for the formats with Y.
        height: of the whole frame in pixels; even for `NV12` and `I420`.
        stride: bytes from one row to the next; 0 for rows without gaps. One number is that of the first plane, and
            of `NV12`'s second, and twice that of `I420`'s others; a tuple has one for each plane.
        box: x, y, width and height of the region of interest in pixels; None takes the whole frame.

    Raises:
        UserError: an unknown format, odd sides, a stride shorter than a row, a buffer that is too short, a box that
            is empty or not within the frame.
    """

    data: Buffer | Sequence[Buffer]
    format: str
    width: int
    height: int
    stride: int | tuple[int, ...] = 0
    box: Box | None = None

    def __post_init__(self) -> None:
        if self.format not in _PLANES:
            near = did_you_mean(str(self.format).upper(), FORMATS)
            raise UserError(f"frame format: got {self.format!r}, allowed: {', '.join(FORMATS)}{near}")
        _require_sides(self.format, self.width, self.height)
        if self.box is not None:
            object.__setattr__(self, "box", _checked_box(self.box, self.width, self.height))
        self.planes()

    def at(self, box: Box) -> Frame:
        """Return the same frame with another region of interest; the bytes are shared.

        Raises:
            UserError: the box is empty or not within the frame.
        """
        return replace(self, box=box)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels of the region of interest."""
        return (self.height, self.width) if self.box is None else (self.box[3], self.box[2])

    def planes(self) -> list[Image]:
        """Return the planes as views (rows, bytes of a row), without gaps between rows being read."""
        layout = _PLANES[self.format]
        shapes = [(self.height // plane.rows, self.width // plane.columns * plane.size) for plane in layout]
        if isinstance(self.data, tuple | list):
            if len(self.data) != len(layout):
                raise UserError(f"frame: got {len(self.data)} buffers, {self.format} has {len(layout)} planes")
            return [
                _rows(buffer, [shape], [stride], self.format)[0]
                for buffer, shape, stride in zip(self.data, shapes, self._strides(shapes), strict=True)
            ]
        whole = cast(Buffer, self.data)
        if isinstance(whole, np.ndarray) and not whole.flags.c_contiguous and len(layout) == 1 and whole.ndim > 1:
            return [_view(whole, shapes[0], self)]
        return _rows(whole, shapes, self._strides(shapes), self.format)

    def rgb(self, backend: Backend | None = None) -> Image:
        """Convert the region of interest, and no more than that, to RGB.

        Args:
            backend: that converts; None takes the one that everything else uses.

        Returns:
            uint8 of shape (height, width, 3); a view of the data where the format is RGB.
        """
        backend = backend or pixels.load()
        x, y, width, height = self.box or (0, 0, self.width, self.height)
        columns, rows = _SHARED.get(self.format, (1, 1))
        left, top = x - x % columns, y - y % rows
        right, bottom = x + width + (x + width) % columns, y + height + (y + height) % rows
        cut = []
        for plane, part in zip(self.planes(), _PLANES[self.format], strict=True):
            first, last = (at // part.columns * part.size for at in (left, right))
            cut.append(plane[top // part.rows : bottom // part.rows, first:last])
        image = _converted(self.format, cut, backend)
        return image[y - top : y - top + height, x - left : x - left + width]

    def _strides(self, shapes: list[tuple[int, int]]) -> list[int]:
        if isinstance(self.stride, tuple):
            if len(self.stride) != len(shapes):
                raise UserError(f"frame: got {len(self.stride)} strides, {self.format} has {len(shapes)} planes")
            return [_stride(given, row) for given, (_, row) in zip(self.stride, shapes, strict=True)]
        first = _stride(self.stride, shapes[0][1])
        if self.format == "I420" and first % 2:
            raise UserError(f"frame: stride: got {first}; one stride of I420 must be even, or give one for each plane")
        return [first * row // shapes[0][1] for _, row in shapes]


def _converted(name: str, planes: list[Image], backend: Backend) -> Image:
    first = planes[0]
    if name == "GRAY":
        return backend.spread_gray(first)
    if name == "YUYV":
        return backend.convert_yuyv(first)
    if name in ("RGB", "BGR"):
        image = first.reshape(len(first), -1, 3)
        return image if name == "RGB" else backend.swap_channels(image)
    chroma = planes[1].reshape(len(planes[1]), -1, 2) if name == "NV12" else np.stack(planes[1:], axis=-1)
    return backend.convert_yuv420(first, chroma)


def _require_sides(name: str, width: object, height: object) -> None:
    for side, value, shared in zip(("width", "height"), (width, height), _SHARED.get(name, (1, 1)), strict=True):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            raise UserError(f"frame {side}: got {value!r}, allowed: whole numbers from 1")
        if value % shared:
            raise UserError(f"frame {side}: got {value}, {name} needs an even one")


def _checked_box(box: object, width: int, height: int) -> Box:
    try:
        x, y, w, h = (operator.index(value) for value in box)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise UserError(f"box: got {box!r}, need four whole numbers: x, y, width, height") from None
    if w < 1 or h < 1:
        raise UserError(f"box: got {(x, y, w, h)}, which is empty; width and height must be at least 1")
    if x < 0 or y < 0 or x + w > width or y + h > height:
        raise UserError(f"box: got {(x, y, w, h)}, which is not within the frame of {width} x {height}")
    return x, y, w, h


def _stride(given: object, row: int) -> int:
    if not isinstance(given, int | np.integer) or isinstance(given, bool):
        raise UserError(f"frame stride: got {given!r}, need a whole number of bytes")
    if given and given < row:
        raise UserError(f"frame stride: got {given}, a row has {row} bytes")
    return int(given) or row


def _rows(buffer: Buffer, shapes: list[tuple[int, int]], strides: list[int], name: str) -> list[Image]:
    """The planes that lie one behind the other in a buffer; the last row may end without its gap."""
    flat, start, found = _flat(buffer), 0, []
    for (rows, row), stride in zip(shapes, strides, strict=True):
        end = start + stride * (rows - 1) + row
        if end > len(flat):
            raise UserError(f"frame: got {len(flat):,} bytes, {name} of these sides and strides has {end:,} or more")
        found.append(np.lib.stride_tricks.as_strided(flat[start:], (rows, row), (stride, 1), writeable=False))
        start += stride * rows
    return found


def _flat(buffer: Buffer) -> Image:
    try:
        size = memoryview(cast(bytes, buffer)).itemsize
        if size != 1:
            raise UserError(f"frame: got items of {size} bytes, need bytes or a uint8 array")
        return np.frombuffer(buffer, np.uint8)
    except (TypeError, ValueError, BufferError):
        got = f"{buffer.dtype} array" if isinstance(buffer, np.ndarray) else type(buffer).__name__
        raise UserError(f"frame: got {got}, need a contiguous buffer of bytes, or one for each plane") from None


def _view(array: npt.NDArray[np.uint8], shape: tuple[int, int], frame: Frame) -> Image:
    """An array with gaps between its rows, which says itself how far they are apart."""
    if array.dtype != np.uint8:
        raise UserError(f"frame: got {array.dtype} array, need uint8")
    rows = array.reshape(len(array), -1)
    if rows.shape != shape or frame.stride:
        need = "no stride beside it" if frame.stride else f"{shape[0]} rows of {shape[1]} bytes"
        raise UserError(
            f"frame: got a view of shape {array.shape}, {frame.format} of {frame.width} x {frame.height} needs {need}"
        )
    return rows

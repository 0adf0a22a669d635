"""A belt with trash on it, drawn as a video, and where each object is in each frame."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from leansort.contest.contest_classes import CONTEST_CLASSES
from leansort.core.pixels import Image
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.data.synthetic import texture as tx
from leansort.data.synthetic.background import Picture
from leansort.data.synthetic.belt_layout import BeltLayout, BeltLook, belt_layout
from leansort.data.synthetic.objects import DRAWN
from leansort.data.synthetic.paint import SIDE
from leansort.data.synthetic.texture import Rng
from leansort.runtime.sorting.video_writer import VideoWriter

VIDEO, TRUTH = "belt.mp4", "truth.jsonl"
Floats = npt.NDArray[np.float32]


@dataclass
class _Thing:
    """An object on the belt: colour times alpha, alpha, shadow; its box in the patch; its lane and its start."""

    number: int
    label: str
    premultiplied: Floats
    alpha: Floats
    shadow: Floats
    box: tuple[int, int, int, int]
    top: int
    start: float  # position along the belt, in pixels, at which its patch begins


@dataclass(frozen=True)
class BeltObject:
    """An object in a frame.

    Attributes:
        frame: number of the frame, from 0.
        object: number of the object, from 1.
        label: its class.
        box: x, y, width and height of what is in the picture, in pixels.
        visible: fraction of the box that is in the picture.
    """

    frame: int
    object: int
    label: str
    box: tuple[int, int, int, int]
    visible: float


@dataclass(frozen=True)
class DrawnVideo:
    """Number of objects that are seen in a video, and of their boxes in all frames."""

    objects: int
    boxes: int


def draw_belt_video(
    out: Path, *, seed: int, frames: int, look: BeltLook, progress: Callable[[int, int], None] | None = None
) -> DrawnVideo:
    """Draw `belt.mp4` and `truth.jsonl`, one line for each object in each frame; the same for the same seed.

    Args:
        out: folder to write to.
        seed: root seed.
        frames: number of frames.
        look: of the video.
        progress: called with (done, all).

    Returns:
        How much there is to be seen.

    Raises:
        ModuleNotFoundError: PyAV is not installed.
        LeansortError: the files cannot be written.
    """
    writer, lines, seen = VideoWriter(out / VIDEO), [], set[int]()
    try:
        for number, (rgb, things) in enumerate(belt_frames(seed, frames, look)):
            writer.write(rgb, number / look.rate)
            for thing in things:
                seen.add(thing.object)
                lines.append(json.dumps(asdict(thing)))
            if progress:
                progress(number + 1, frames)
    except BaseException:
        writer.discard()
        raise
    writer.close()
    atomic_io.write_bytes(out / TRUTH, "".join(f"{line}\n" for line in lines).encode())
    return DrawnVideo(objects=len(seen), boxes=len(lines))


def belt_frames(seed: int, frames: int, look: BeltLook) -> Iterator[tuple[Image, list[BeltObject]]]:
    """Yield each frame, RGB uint8 (height, width, 3), with the objects in it. Objects go from left to right."""
    rng = Seeds(seed).child("sample/video").numpy()
    layout, speed = belt_layout(look), look.speed
    belt, light = _belt(rng, look), _light(rng, look)
    noise = [rng.normal(0, 3.0, (look.height, look.width, 1)).astype(np.float32) for _ in range(3)]
    things = _laid(rng, look, layout, speed * frames)
    for number in range(frames):
        moved = speed * number
        picture = np.take(belt, np.arange(look.width) - round(moved), axis=1, mode="wrap").copy()
        placed = [thing for thing in things if -thing.alpha.shape[1] < _left(thing, moved) < look.width]
        for thing in placed:
            _lay(picture, thing, _left(thing, moved))
        yield _camera(rng, picture, light, noise[number % 3], look), _boxes(placed, number, moved, look)


def _left(thing: _Thing, moved: float) -> int:
    return round(moved - thing.start)


def _laid(rng: Rng, look: BeltLook, layout: BeltLayout, length: float) -> list[_Thing]:
    """Objects in lanes, so far apart that none covers another one."""
    things: list[tuple[float, int, int]] = []
    for lane in range(layout.lanes):
        at = rng.uniform(0.0, layout.side)
        while at < length:
            things.append((at, lane, int(rng.integers(len(CONTEST_CLASSES)))))
            at += layout.side * rng.uniform(*layout.apart)
    return [_thing(rng, number, item, look, layout) for number, item in enumerate(sorted(things), 1)]


def _thing(rng: Rng, number: int, item: tuple[float, int, int], look: BeltLook, layout: BeltLayout) -> _Thing:
    at, lane, kind = item
    label, side = CONTEST_CLASSES[kind], layout.side
    patch = DRAWN[label](rng).clip(0, 1)
    patch[..., :3] *= patch[..., 3:]
    scale, angle = side / SIDE * rng.uniform(0.75, 0.95), rng.uniform(0, 360)
    patch, scale = _halved(patch, scale)
    middle = len(patch) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D((middle, middle), angle, scale), np.float64)
    matrix[:, 2] += side / 2 - middle
    turned = np.asarray(cv2.warpAffine(patch, matrix, (side, side), flags=cv2.INTER_AREA), np.float32)
    alpha = turned[..., 3]
    shift = np.array([[1, 0, 4.0], [0, 1, 4.0]])
    shadow = tx.blur(cv2.warpAffine(alpha, shift, (side, side)), 3.0)  # type: ignore[arg-type]
    box = cv2.boundingRect(np.asarray(alpha > 0.12, np.uint8))
    room = look.height / layout.lanes - side
    top = round(lane * look.height / layout.lanes + room / 2 + rng.uniform(-0.4, 0.4) * max(room, 0))
    x, y, width, height = (int(value) for value in box)
    return _Thing(number, label, turned[..., :3], alpha, shadow, (x, y, width, height), top, at + side)


def _halved(patch: Floats, scale: float) -> tuple[Floats, float]:
    """Halve a patch as often as it will be drawn at less than half its size, which turning it would make coarse."""
    while scale < 0.5 and len(patch) % 2 == 0:
        side = len(patch) // 2
        patch, scale = np.asarray(cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA), np.float32), 2 * scale
    return patch, scale


def _lay(picture: Picture, thing: _Thing, left: int) -> None:
    """Lay an object and its shadow on the belt, in place, as much of it as is in the picture."""
    height, width = thing.alpha.shape
    x, y = max(0, -left), max(0, -thing.top)
    right, bottom = min(width, picture.shape[1] - left), min(height, picture.shape[0] - thing.top)
    part = picture[thing.top + y : thing.top + bottom, left + x : left + right]
    alpha = thing.alpha[y:bottom, x:right, None]
    part *= 1 - np.float32(0.4) * thing.shadow[y:bottom, x:right, None] * (1 - alpha)
    part *= 1 - alpha
    np.add(part, thing.premultiplied[y:bottom, x:right], out=part)


def _boxes(placed: list[_Thing], number: int, moved: float, look: BeltLook) -> list[BeltObject]:
    found = []
    for thing in placed:
        x, y, width, height = thing.box
        left, top = _left(thing, moved) + x, thing.top + y
        first, low = max(0, left), max(0, top)
        right, bottom = min(left + width, look.width), min(top + height, look.height)
        if right > first and bottom > low:
            box = (first, low, right - first, bottom - low)
            share = box[2] * box[3] / (width * height)
            found.append(BeltObject(number, thing.number, thing.label, box, round(share, 4)))
    return found


def _belt(rng: Rng, look: BeltLook) -> Picture:
    """Dark rubber with seams, which goes round: its end fits its beginning."""
    half = tx.noise(rng, look.height, look.width // 2, 7)
    tone = 0.75 + 0.4 * np.concatenate([half, half[:, ::-1]], axis=1)
    tone[:, :: max(8, look.width // 8)] *= np.float32(0.8)
    return np.asarray(np.array([0.24, 0.25, 0.26], np.float32) * tone[..., None], np.float32)


def _light(rng: Rng, look: BeltLook) -> tuple[Floats, Floats]:
    """Uneven light, and the reflection of a lamp: factor and amount of white (height, width, 1)."""
    y, x = np.mgrid[-1 : 1 : look.height * 1j, -1 : 1 : look.width * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    factor = 1 + 0.15 * (x * np.cos(angle) + y * np.sin(angle))
    lamp = np.exp(-(((x - 0.15) / 0.2) ** 2) - ((y / 0.8) ** 2)) * look.glare
    return factor[..., None].astype(np.float32), lamp[..., None].astype(np.float32)


def _camera(rng: Rng, picture: Picture, light: tuple[Floats, Floats], noise: Floats, look: BeltLook) -> Image:
    factor, lamp = light
    picture = picture * factor * np.float32(1 + rng.normal(0, 0.01))
    if look.blur > 1:
        picture = np.asarray(cv2.blur(picture, (look.blur, 1)), np.float32)
    picture += (1 - picture) * lamp
    return np.asarray(np.clip(picture * 255 + noise, 0, 255), np.uint8)

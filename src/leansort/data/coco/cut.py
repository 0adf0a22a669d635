"""Cut planned boxes out of their photos, one photo a task, and say of every box what became of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from leansort.core.damage.watch import DamagedImage, Watch, watch_images
from leansort.core.errors import LeansortError
from leansort.core.pixels import Image
from leansort.core.preprocess import UnreadableImage
from leansort.core.writing import atomic_io
from leansort.data.coco.frames import KINDS, crop_frames
from leansort.data.coco.photos import Photo
from leansort.data.coco.plan import CropPlan
from leansort.data.importing.items import Item
from leansort.data.importing.safe_paths import file_name_for
from leansort.data.quality.image_inspection import exif_turn
from leansort.data.quality.issues import Issues

QUALITY = 95
MISSING, UNREADABLE, DAMAGED = "photo is missing", "photo cannot be read", "photo is damaged"
OTHER_SIZE = "photo has another size than its annotations say"
UNTURNED, SCALED = "photo with boxes from before its EXIF turn", "photo smaller or larger than annotated, boxes scaled"
EITHER = "photo with an EXIF turn that its annotated size does not tell of, boxes taken as after it"
CLIPPED = "box clipped to the frame"
MOST_JPEG = 65_500
TOO_LONG = "box longer than a JPEG can be"
ProgressCallback = Callable[[int, int], None]


@dataclass(frozen=True)
class CutConfig:
    """How crops are cut.

    Attributes:
        out: gets `crops/<split>/`.
        margin: context on every side, as a fraction of the box's longer side.
        min_size: least side of a box in pixels.
    """

    out: Path
    margin: float
    min_size: int


def cut_crops(
    planned: CropPlan, how: CutConfig, progress: ProgressCallback | None = None
) -> tuple[list[Item], Issues, list[str]]:
    """Write all crops.

    Returns:
        The crops in the order of the plan, what was found wrong, and each photo that could not be used and why.

    Raises:
        LeansortError: a crop cannot be written (full disk).
    """
    names = crop_names(planned)
    borders = np.searchsorted(planned.photo, np.arange(len(planned.photos) + 1)).tolist()
    ranges = [(number, range(borders[number], borders[number + 1])) for number in range(len(planned.photos))]
    ranges = [(number, boxes) for number, boxes in ranges if boxes]
    items, faults, lost = [], Issues(), []
    with watch_images() as watch, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        try:
            cuts = pool.map(lambda item: _photo(planned, item[0], item[1], names, how, watch), ranges)
            for done, (made, cut, usable) in enumerate(cuts, 1):
                items += made
                faults.merge(cut)
                lost += [] if usable else cut.lines()
                if progress:
                    progress(done, len(ranges))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return items, faults, lost


def _photo(
    planned: CropPlan, number: int, boxes: range, names: list[str], how: CutConfig, watch: Watch
) -> tuple[list[Item], Issues, bool]:
    photo, faults = planned.photos[number], Issues()
    opened = _opened(Path(photo.path), photo, faults, watch)
    if opened is None:
        return [], faults, False
    pixels, scale = opened
    height, width = pixels.shape[:2]
    wanted = planned.boxes[boxes.start : boxes.stop] * scale
    result = crop_frames(wanted, np.full((len(wanted), 2), (width, height), np.float64), how.margin, how.min_size)
    items = []
    for at, index in enumerate(boxes):
        place = f"annotation {planned.ids[index]} in {photo.name}"
        if result.fault[at]:
            faults.add(KINDS[result.fault[at]], place)
            continue
        if result.clipped[at]:
            faults.add(CLIPPED, place)
        left, top, right, bottom = (int(edge) for edge in result.edges[at])
        if max(right - left, bottom - top) > MOST_JPEG:
            faults.add(TOO_LONG, place)
            continue
        path = how.out / "crops" / (photo.split or "all") / names[index]
        _write(path, pixels[top:bottom, left:right])
        box = (float(left), float(top), float(right - left), float(bottom - top))
        label = planned.labels.names[planned.label[index]]
        items.append(Item(path, label, photo.split, photo.name, photo.name, box))
    return items, faults, True


def _opened(path: Path, photo: Photo, faults: Issues, watch: Watch) -> tuple[Image, float] | None:
    """Decode a photo as its boxes see it; None, and counted, where it cannot be used."""
    try:
        data = atomic_io.read_file(path)
        pixels = watch.decode(data)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        faults.add(MISSING if missing else UNREADABLE, photo.name + ("" if missing else f" ({error.strerror})"))
        return None
    except DamagedImage as error:
        faults.add(DAMAGED, f"{photo.name} ({error.why})")
        return None
    except UnreadableImage as error:
        faults.add(UNREADABLE, f"{photo.name} {error}")
        return None
    height, width = pixels.shape[:2]
    if np.isnan(photo.width) or np.isnan(photo.height) or (width, height) == (photo.width, photo.height):
        if _turn_is_open(data, photo):
            faults.add(EITHER, photo.name)
        return pixels, 1.0
    if (height, width) == (photo.width, photo.height):
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if raw is not None and (raw.shape[1], raw.shape[0]) == (photo.width, photo.height):
            faults.add(UNTURNED, photo.name)
            return raw.astype(np.uint8, copy=False), 1.0
    across, down = width / photo.width, height / photo.height
    if abs(across - down) <= max(across / width, down / height, 0.005 * across):
        faults.add(SCALED, photo.name)
        return pixels, across
    faults.add(OTHER_SIZE, f"{photo.name} ({width}x{height}, annotated {photo.width:g}x{photo.height:g})")
    return None


def _turn_is_open(data: bytes, photo: Photo) -> bool:
    """Whether EXIF turns or mirrors a photo in a way that leaves its annotated size as it is, or no size is known."""
    turn = exif_turn(data)
    return turn in (2, 3, 4) or (turn in (5, 6, 7, 8) and (photo.width == photo.height or np.isnan(photo.width)))


def _write(path: Path, pixels: Image) -> None:
    """Crops need no atomic writes of their own: without the manifest, which comes last, the folder is no data set."""
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise LeansortError(f"cannot write {path}: {error.strerror or error}") from None


def crop_names(planned: CropPlan) -> list[str]:
    """A file name for each box that no other crop has, on file systems that ignore case too.

    A photo's own name and the annotation's id; with its folders where two photos are called the same.
    """
    stems = [PurePosixPath(photo.name).stem for photo in planned.photos]
    if len({stem.casefold() for stem in stems}) < len(stems):
        stems = [photo.name for photo in planned.photos]
    stems = [file_name_for(stem) for stem in stems]
    times: Counter[str] = Counter()
    names = []
    for photo, item in zip(planned.photo.tolist(), planned.ids, strict=True):
        name = f"{stems[photo]}_{file_name_for(item)}"
        while times[name.casefold()]:
            times[name.casefold()] += 1
            name = f"{name}-{times[name.casefold()]}"
        times[name.casefold()] += 1
        names.append(f"{name}.jpg")
    return names

"""The crops of a stress test: chosen, decoded at the size that is corrupted, and cut out."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from leansort.core.errors import UserError
from leansort.core.folders.image_files import list_image_files
from leansort.core.pixels import Image
from leansort.core.preprocess import BACKEND, UnreadableImage, decode
from leansort.core.writing import atomic_io
from leansort.measure.corruptions import cut_out
from leansort.measure.corruptions.cut_out import CutOut

CutOutBy = Literal["auto", "polygon", "colour"]
Polygons = Sequence[Sequence[float]]
NO_POLYGON = "its annotation has no polygon"
_LEAST_SIDE = 16  # pixels; what is thinner is stretched, as there is nothing in it to corrupt
_GROUND_SIDE = 1024  # pixels of the longer side of a user's own grounds


@dataclass(frozen=True)
class StressCrop:
    """A crop that is to be corrupted.

    Attributes:
        name: by which results and randomness know it.
        file: the image.
        label: index of its class.
        polygons: of the object in fractions of the crop's width and height, [x1, y1, x2, y2, …]; empty for none.
    """

    name: str
    file: Path
    label: int
    polygons: Polygons = ()


def choose_crops(crops: Sequence[StressCrop], most: int) -> list[StressCrop]:
    """Choose a fixed subset with the classes in proportion, whatever else is there; 0 takes all.

    Which crops of a class are taken depends on their names alone.
    """
    if not most or most >= len(crops):
        return list(crops)
    by_class = defaultdict[int, list[StressCrop]](list)
    for crop in sorted(crops, key=lambda crop: hashlib.sha256(crop.name.encode("utf-8", "replace")).digest()):
        by_class[crop.label].append(crop)
    places = [
        ((at + 0.5) / len(part), label, crop.name) for label, part in by_class.items() for at, crop in enumerate(part)
    ]
    kept = {name for _, _, name in sorted(places)[:most]}
    return [crop for crop in crops if crop.name in kept]


def load_crop(crop: StressCrop, side: int) -> Image:
    """Decode a crop and shrink it until its longer side has `side` pixels; RGB. A smaller one stays as it is.

    Raises:
        UnreadableImage: it is missing or no image.
    """
    return load_image(crop.file, side)


def load_image(file: Path, side: int) -> Image:
    """Decode an image file, RGB uint8 (h, w, 3): its longer side at most `side` pixels, its shorter one at least 16."""
    try:
        data = atomic_io.read_file(file)
    except OSError as error:
        raise UnreadableImage(f"cannot be read ({error.strerror or error})") from None
    image = BACKEND.swap_channels(decode(data, side, "pad"))
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    rows, columns = (max(_LEAST_SIDE, round(length * scale)) for length in (height, width))
    if (rows, columns) == (height, width):
        return image
    return BACKEND.resize(image, columns, rows, area=scale < 1)


def cut_object(crop: StressCrop, image: Image, by: CutOutBy) -> CutOut:
    """Find the object of a crop: by its polygon where it has one and `by` allows that, else by colour."""
    height, width = image.shape[:2]
    if crop.polygons and by != "colour":
        scaled = [[value * (height if at % 2 else width) for at, value in enumerate(ring)] for ring in crop.polygons]
        return cut_out.by_polygons(scaled, height, width)
    if by == "polygon":
        return CutOut(np.zeros((height, width), np.float32), NO_POLYGON)
    return cut_out.by_colour(image)


def load_grounds(folder: Path) -> tuple[tuple[Image, ...], list[str]]:
    """Read a folder of a user's own grounds.

    Returns:
        The images, and a line for each that cannot be read, and for the files that are no images.

    Raises:
        UserError: there is no such folder, or none of it can be read.
    """
    listed, images, notes = list_image_files(folder), [], []
    for file in listed.files:
        try:
            images.append(load_image(file, _GROUND_SIDE))
        except UnreadableImage as error:
            notes.append(f"texture {file.name} {error}")
    if not images:
        raise UserError(f"stress: no picture in the folder of textures {folder} can be read" + "".join(notes[:1]))
    return tuple(images), [*notes, *filter(None, [listed.summary()])]

"""The polygons of a manifest's crops: out of the COCO files that the crops were cut by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeGuard

from leansort.core.errors import UserError
from leansort.core.manifest import Manifest, Row

Polygons = tuple[tuple[float, ...], ...]


def object_polygons(manifest: Manifest, split: str, annotations: Sequence[Path]) -> dict[Path, Polygons]:
    """Find the polygons of a split's crops.

    Args:
        manifest: of crops that were cut out of photos.
        split: whose crops.
        annotations: COCO files.

    Returns:
        By the crop's file, [x1, y1, x2, y2, …] in fractions of the crop's width and height; crops without are left out.

    Raises:
        UserError: a file is no COCO file, or none of its annotations has a polygon of one of the crops.
    """
    known = _polygons_by_photo(annotations)
    made = {}
    for row in manifest.split(split):
        polygons = _of_row(row, known)
        if polygons:
            made[manifest.path(row)] = polygons
    if not made:
        names = ", ".join(map(str, annotations))
        raise UserError(
            f"annotations: no crop of {split} has a polygon in {names}; give the file that the crops were cut by"
        )
    return made


def _polygons_by_photo(annotations: Sequence[Path]) -> dict[str, dict[str, Polygons]]:
    """By the photo's name, then by the annotation's id as a file name has it; in pixels of the photo."""
    from leansort.data.coco.records import polygon, read_coco  # which needs the extra `train`
    from leansort.data.importing.safe_paths import file_name_for

    known = defaultdict[str, dict[str, Polygons]](dict)
    for path in annotations:
        coco = read_coco(path)
        photos = {image.id: image.file_name for image in coco.images}
        for annotation in coco.annotations:
            rings = polygon(annotation)
            if annotation.image_id in photos and _are_rings(rings):
                own = tuple(tuple(map(float, ring)) for ring in rings)
                known[photos[annotation.image_id]][file_name_for(str(annotation.id))] = own
    return known


def _are_rings(rings: object) -> TypeGuard[list[list[float]]]:
    """Whether a segmentation is a list of polygons, and no mask."""
    return (
        isinstance(rings, list)
        and bool(rings)
        and all(
            isinstance(ring, list) and len(ring) >= 6 and len(ring) % 2 == 0
            and all(isinstance(value, int | float) for value in ring)
            for ring in rings
        )
    )  # fmt: skip


def _of_row(row: Row, known: Mapping[str, Mapping[str, Polygons]]) -> Polygons:
    """The polygons of a crop in fractions of its sides; its file is named by the photo and the annotation's id."""
    own = known.get(row.source, {})
    stem = PurePosixPath(row.image).stem
    found = [name for name in own if stem.endswith(f"_{name}")]
    if row.box is None or not found:
        return ()
    left, top, width, height = row.box
    rings = own[max(found, key=len)]
    return tuple(
        tuple((value - (top if at % 2 else left)) / (height if at % 2 else width) for at, value in enumerate(ring))
        for ring in rings
    )

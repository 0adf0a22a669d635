"""COCO annotations: every box becomes a crop, written as an image of its own.

Crops are files because that is what a robot and the contest feed the classifier: training then sees the very
pixels, JPEG noise included, that `predict` will see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pydantic import Field

from leansort.core.errors import UserError
from leansort.core.strict_model import StrictModel
from leansort.data.coco.annotation_files import AnnotationFile
from leansort.data.coco.cut import CutConfig, cut_crops
from leansort.data.coco.layouts import gather_files
from leansort.data.coco.plan import CropPlan, Reading, plan_crops
from leansort.data.coco.survey import survey as survey_plan
from leansort.data.importing import category_map
from leansort.data.importing.class_selection import RESPELLED
from leansort.data.importing.data_source import DataSource, ProgressCallback
from leansort.data.importing.items import MAP, PHOTO, Items


class CocoConfig(StrictModel):
    """Where the annotations and photos are.

    Attributes:
        path: the annotation file, the folder of a known layout, a list of such, or a mapping of split to such.
        images: the folder that the annotations' file names are relative to, one for all or a mapping of split or
            annotation file to folder; None: where the layout has them, or each file's own folder.
        out: gets `crops/<split>/`.
        map: category map, a file or a name of the package; None makes every category a class.
        margin: context around a box on every side, as a fraction of its longer side.
        min_size: boxes with a side of fewer pixels inside the photo are dropped and counted.
        polygons: take the bounds of polygons and masks rather than `bbox`.
        crowds: take annotations that are marked as crowds, as CVAT marks what is drawn with its brush.
        bare_names: take the last part of every photo's file name, whatever folders stand in front.
        tolerate: fraction of the photos that may be missing or unreadable; they are left out and named.
    """

    path: Path | tuple[Path, ...] | Mapping[str, Path | tuple[Path, ...]]
    images: Path | Mapping[str, Path] | None = None
    out: Path = Path()
    map: category_map.CategoryMapPath | None = None
    margin: float = Field(default=0.0, ge=0.0, le=2.0)
    min_size: int = Field(default=8, ge=1)
    polygons: bool = False
    crowds: bool = False
    bare_names: bool = False
    tolerate: float = Field(default=0.01, ge=0.0, le=1.0)


class CocoSource(DataSource[CocoConfig]):
    """Cuts the boxes of COCO annotations out of their photos."""

    Config = CocoConfig
    progress = "cutting crops, photos"

    def recognized(self) -> list[str]:
        """A line on each folder of a known layout: its files, their splits, and where the photos are.

        Raises:
            UserError: a folder is of no known layout, or a path cannot be meant.
        """
        return gather_files(self.config.path, self.config.images)[1]

    def items(self, advance: ProgressCallback | None = None) -> Items:
        """Cut out all boxes.

        An image record may carry `split`; without it the import splits by photo.

        Args:
            advance: called with (done, all) photos.

        Raises:
            UserError: the files are not COCO, ids are doubled or dangling, the map does not fit, a file name leaves the
                folder of the photos, a photo is in two splits, or too many photos are missing or unreadable.
            LeansortError: a crop cannot be written.
        """
        config = self.config
        files = gather_files(config.path, config.images)[0]
        planned = _planned(config, files)
        for file in files:
            if not file.images.is_dir():
                raise UserError(
                    f"photos: {file.images} is no folder; give it with --images, or count boxes with --dry-run"
                )
        how = CutConfig(config.out, config.margin, config.min_size)
        made, faults, lost = cut_crops(planned, how, advance)
        photos = len(planned.photos)
        faults.merge(planned.faults)
        for told in planned.notes.get(RESPELLED, ()):
            faults.add(RESPELLED, told)
        if len(lost) > config.tolerate * photos:
            raise UserError(
                f"photos: {len(lost)} of {photos} cannot be used, at most {100 * config.tolerate:g} % are left out "
                f"(--tolerate); first: {lost[0]}; looked in {_folders(files)} (--images)" + _bare(files, planned)
            )
        notes: dict[str, Any] = {"photos": photos, "annotations": planned.annotations, **faults.counts, **planned.notes}
        if planned.dropped:
            notes["dropped categories"] = dict(planned.dropped.most_common())
        return Items(made, planned.labels, config.out, notes, faults, _inputs(config, files, planned))

    def inputs(self) -> dict[Path, str]:
        """The files that an import reads.

        Raises:
            UserError: as `items` does for the annotations.
        """
        config = self.config
        files = gather_files(config.path, config.images)[0]
        return _inputs(config, files, _planned(config, files))

    def survey(self) -> dict[str, Any]:
        """Counts and histograms from the annotations alone; no photo is opened.

        Raises:
            UserError: as `items` does for the annotations.
        """
        config = self.config
        planned = _planned(config, gather_files(config.path, config.images)[0])
        return survey_plan(planned, config.margin, config.min_size)


def _inputs(config: CocoConfig, files: Sequence[AnnotationFile], planned: CropPlan) -> dict[Path, str]:
    """The annotations, the map, and the photos that have a box."""
    photos = {Path(planned.photos[number].path): PHOTO for number in np.unique(planned.photo).tolist()}
    return {**photos, **{file.path: "annotation file" for file in files}, **({config.map: MAP} if config.map else {})}


def _folders(files: Sequence[AnnotationFile], most: int = 3) -> str:
    names = list(dict.fromkeys(str(file.images) for file in files))
    return ", ".join(names[:most]) + ", …" * (len(names) > most)


def _bare(files: Sequence[AnnotationFile], planned: CropPlan) -> str:
    """A way out where the photos lie in the folder itself and their names have folders in front."""
    lost = [PurePosixPath(photo.name) for photo in planned.photos if not Path(photo.path).exists()]
    there = [item.name for item in lost if any((file.images / item.name).exists() for file in files)]
    return f"; {there[0]} is there: --bare-names takes the last part of every name" if there else ""


def _planned(config: CocoConfig, files: Sequence[AnnotationFile]) -> CropPlan:
    chosen = category_map.load(config.map) if config.map else None
    reading = Reading(polygons=config.polygons, crowds=config.crowds, bare_names=config.bare_names)
    return plan_crops(files, chosen, str(config.map), reading)

"""COCO annotations: every box becomes a crop, written as a picture of its own.

Crops are files because that is what a robot and the contest feed the classifier: training then sees the very
pixels, JPEG noise included, that `predict` will see.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from leansort.core.errors import UserError
from leansort.data import category_map
from leansort.data.coco.cut import Cut, Progress, cut
from leansort.data.coco.plan import Plan, plan
from leansort.data.coco.survey import survey as survey_plan
from leansort.data.items import Items


class Config(BaseModel):
    """Where the annotations and photos are.

    Attributes:
        path: the annotation file, a list of files, or a mapping of split to file.
        images: the folder that the annotations' file names are relative to; None: the first file's own folder.
        out: gets `crops/<split>/`.
        map: category map file; None makes every category a class.
        margin: context around a box on every side, as a share of its longer side.
        min_size: boxes with a side of fewer pixels inside the photo are dropped and counted.
        polygons: take the bounds of polygons and masks rather than `bbox`.
        tolerate: share of the photos that may be missing or unreadable; they are left out and named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    path: Path | tuple[Path, ...] | dict[str, Path]
    images: Path | None = None
    out: Path = Path()
    map: Path | None = None
    margin: float = Field(default=0.0, ge=0.0, le=2.0)
    min_size: int = Field(default=8, ge=1)
    polygons: bool = False
    tolerate: float = Field(default=0.01, ge=0.0, le=1.0)

    @property
    def files(self) -> list[tuple[Path, str | None]]:
        """Annotation files with the split that each stands for."""
        if isinstance(self.path, dict):
            return [(path, split) for split, path in self.path.items()]
        return [(path, None) for path in (self.path if isinstance(self.path, tuple) else (self.path,))]

    @property
    def photos(self) -> Path:
        """Folder of the photos."""
        return self.images or self.files[0][0].parent


def items(config: Config, progress: Progress | None = None) -> Items:
    """Cut out all boxes.

    An image record may carry `split`; without it the import splits by photo.

    Args:
        config: what to read and how to cut.
        progress: called with (done, all) photos.

    Raises:
        UserError: the files are not COCO, ids are doubled or dangling, the map does not fit, a file name leaves the
            folder of the photos, or too many photos are missing or unreadable.
        LeansortError: a crop cannot be written.
    """
    planned = _planned(config)
    if not config.photos.is_dir():
        raise UserError(f"photos: {config.photos} is no folder; give it with --images, or count boxes with --dry-run")
    how = Cut(config.photos, config.out, config.margin, config.min_size)
    made, faults, lost = cut(planned, how, progress)
    photos = len(planned.photos)
    faults.merge(planned.faults)
    if len(lost) > config.tolerate * photos:
        raise UserError(
            f"photos: {len(lost)} of {photos} cannot be used, at most {100 * config.tolerate:g} % are left out "
            f"(--tolerate); first: {lost[0]}"
        )
    notes: dict[str, Any] = {"photos": photos, "annotations": planned.annotations, **faults.counts}
    if planned.dropped:
        notes["dropped categories"] = dict(planned.dropped.most_common())
    return Items(made, planned.labels, config.out, notes, faults)


def survey(config: Config) -> dict[str, Any]:
    """Counts and histograms from the annotations alone; no photo is opened.

    Raises:
        UserError: as `items` does for the annotations.
    """
    return survey_plan(_planned(config), config.margin, config.min_size)


def _planned(config: Config) -> Plan:
    chosen = category_map.load(config.map) if config.map else None
    return plan(config.files, chosen, str(config.map), polygons=config.polygons)

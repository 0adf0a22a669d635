"""Where the objects of a training's crops are, for recipes that put them on other grounds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject
from leansort.core.folders.image_files import list_image_files
from leansort.core.manifest import Manifest
from leansort.core.preprocess import Preprocess
from leansort.core.process.console import bar, say
from leansort.core.writing import atomic_io
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.augmentation.robust.robust_config import RobustConfig
from leansort.data.loading.object_covers import Covers, load_covers
from leansort.measure.robustness.stress_crops import StressCrop
from leansort.workflows.data.object_polygons import object_polygons

WHERE = "augment.robust.background"


@dataclass(frozen=True)
class TrainingCovers:
    """What other grounds need.

    Attributes:
        covers: of the training crops, see `load_covers`; None where no object is put on another ground.
        provenance: digests of the files that decide it, as another file of a name is another training.
    """

    covers: Covers | None = None
    provenance: JsonObject = field(default_factory=dict)


def training_covers(augment: AugmentConfig, manifest: Manifest, preprocess: Preprocess, cache: Path) -> TrainingCovers:
    """Find the objects of the train crops where a recipe puts them on other grounds; says how many.

    Raises:
        UserError: none can be cut out, the textures cannot be read, or the annotations have no polygon of them.
    """
    config = augment.robust
    if not config.background:
        return TrainingCovers()
    rows = manifest.split("train")
    known = _digests(config)
    polygons = object_polygons(manifest, "train", config.annotations) if config.annotations else {}
    files = [manifest.path(row) for row in rows]
    crops = [
        StressCrop(str(file), file, row.label, polygons.get(file, ())) for row, file in zip(rows, files, strict=True)
    ]
    with bar("cutting objects out") as advance:
        covers = load_covers(crops, [row.hash for row in rows], preprocess, cache, advance)
    cut = int(covers.any(axis=(1, 2)).sum())
    if not cut:
        raise UserError(f"{WHERE}: none of the {len(rows):,} train crops could be cut out of its ground")
    say(f"{WHERE}: {cut:,} of {len(rows):,} train objects could be cut out; the others keep their grounds")
    return TrainingCovers(covers, known)


def _digests(config: RobustConfig) -> JsonObject:
    files = list(config.annotations)
    if config.textures:
        files += list_image_files(config.textures).files
    try:
        contents = [hashlib.sha256(atomic_io.read_file(file)).hexdigest() for file in files]
    except OSError as error:
        raise UserError(f"{WHERE}: cannot read {error.filename} ({error.strerror or error})") from None
    return {"grounds": atomic_io.digest(contents)} if files else {}

"""TrashNet's crops, for benchmarks of int8: draws of train crops that calibrate, and val crops that judge."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leansort.arch.trained_model import TrainedModel
from leansort.core.seeds import Seeds
from leansort.data.loading.crops import Crops
from leansort.runtime.engine import Pixels
from leansort.workflows.data.import_data import import_data
from leansort.workflows.training.train import load_crops

ROOT = Path(__file__).parent.parent
DRAWS, CROPS, OUTLIERS = 3, 300, 0.01


@dataclass(frozen=True)
class CalibrationPhotos:
    """Crops at a network's input size.

    Attributes:
        train: of the train split.
        val: of the val split.
    """

    train: Crops
    val: Crops

    @classmethod
    def of(cls, model: TrainedModel) -> CalibrationPhotos | None:
        """Read TrashNet (LEANSORT_DATA, ../shared/data by default); None, and a line that says so, where it is not."""
        data = Path(os.environ.get("LEANSORT_DATA", ROOT.parent / "shared" / "data")) / "trashnet"
        if not data.exists():
            print(f"{data} is not here: not measured")
            return None
        with tempfile.TemporaryDirectory() as name:
            manifest = import_data({"source": "folder", "path": data}, Path(name), seed=0)
            splits = [load_crops(manifest, split, model.preprocess, Path(name)) for split in ("train", "val")]
            return cls(*(Crops(np.array(crops.pixels), crops.labels) for crops in splits))

    @property
    def truth(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Classes of the val crops."""
        return np.array(self.val.labels, np.int64)

    def draw(self, number: int) -> Pixels:
        """The train crops of one draw, in their order."""
        order = Seeds(number).child("calibration").numpy().permutation(len(self.train.labels))[:CROPS]
        return np.ascontiguousarray(self.train.pixels[np.sort(order)])

"""What an import would give, told from the annotations alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from leansort.data.coco.frames import KINDS
from leansort.data.coco.plan import CropPlan
from leansort.data.importing.items import WITHOUT
from leansort.data.quality.histogram import ASPECTS, SIDES, histogram


def survey(planned: CropPlan, margin: float, least: int) -> dict[str, Any]:
    """Counts without opening a photo: crops per class, what is dropped and why, and a histogram of sizes."""
    rectangles = planned.frames(margin, least)
    usable = rectangles.fault == 0
    counted = Counter(planned.faults.counts)
    counted.update({KINDS[k]: int(n) for k in (1, 2, 3) if (n := (rectangles.fault == k).sum())})
    sides = (rectangles.edges[:, 2:] - rectangles.edges[:, :2])[usable]
    per_class = np.bincount(planned.label[usable], minlength=len(planned.labels))
    classes = dict(zip(planned.labels.names, per_class.tolist(), strict=True))
    empty = [name for name, crops in classes.items() if not crops]
    return {
        "photos": len(planned.photos),
        **({"photos that are not there": planned.missing} if planned.missing else {}),
        "annotations": planned.annotations,
        "classes": classes,
        **({WITHOUT: empty} if empty else {}),
        "dropped categories": dict(planned.dropped.most_common()),
        "dropped boxes": dict(counted),
        **planned.notes,
        "clipped to the frame": int(rectangles.clipped.sum()),
        "longer side, px": histogram(sides.max(axis=1, initial=0), SIDES),
        "aspect": histogram(sides[:, 0] / np.maximum(1, sides[:, 1]), ASPECTS),
    }

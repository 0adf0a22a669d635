"""Bounds of COCO segmentations: polygons, and run-length encodings in both of COCO's forms.

pycocotools reads run lengths in C without bounds checks, so a damaged file can take the process down; the bounds
alone are a few lines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]
MOST_PIXELS = 1 << 31


def mask_bounds(segmentation: Any) -> Box | None:
    """Return x, y, width, height around a segmentation.

    Args:
        segmentation: a list of polygons [x1, y1, x2, y2, …], or {"size": [height, width], "counts": …} with the
            counts as a list (uncompressed) or a string (compressed).

    Returns:
        The bounds in pixels, or None where the segmentation is empty or damaged.
    """
    try:
        if isinstance(segmentation, dict):
            return _of_runs(segmentation)
        return _of_polygons(segmentation)
    except (TypeError, ValueError, KeyError, OverflowError):
        return None


def _of_polygons(polygons: Any) -> Box | None:
    if not isinstance(polygons, list) or not polygons:
        return None
    rings = polygons if isinstance(polygons[0], list) else [polygons]
    points = np.concatenate([np.asarray(ring, np.float64).reshape(-1, 2) for ring in rings])
    if not len(points) or not np.isfinite(points).all():
        return None
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return x0, y0, x1 - x0, y1 - y0


def _of_runs(mask: dict[str, Any]) -> Box | None:
    """Runs go down the columns, background first."""
    height, width = (int(side) for side in mask["size"])
    counts = mask["counts"]
    runs = _decompressed(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
    pixels = height * width
    if runs.ndim != 1 or not 0 < pixels <= MOST_PIXELS or (runs < 0).any() or (runs > pixels).any():
        return None
    ends = np.cumsum(runs)
    if ends[-1:].sum() > pixels:
        return None
    first, last = ends[0:-1:2], ends[1::2] - 1  # the pixels of each foreground run
    first, last = first[last >= first], last[last >= first]
    if not len(first):
        return None
    left, right = int(first.min() // height), int(last.max() // height)
    wraps = (first // height != last // height).any()  # a run over a column's end covers both the top and the bottom
    top = 0 if wraps else int((first % height).min())
    bottom = height - 1 if wraps else int((last % height).max())
    return float(left), float(top), float(right - left + 1), float(bottom - top + 1)


def _decompressed(text: str) -> npt.NDArray[np.int64]:
    """COCO's string form: 5 bits a character, low first, from the fourth run on as difference to the one two before."""
    runs: list[int] = []
    value, shift = 0, 0
    for code in text.encode("ascii", "strict"):
        bits = code - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("no run-length character")
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            value -= (1 << shift) if bits & 0x10 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value, shift = 0, 0
    if shift:
        raise ValueError("cut short")
    return np.asarray(runs, np.int64)

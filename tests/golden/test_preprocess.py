"""Pixels pinned: the same array must come out on every machine, else a robot sees what training never saw."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from leansort.core.preprocess import Preprocess

Y, X = np.mgrid[0:150, 0:211]
PICTURE = np.stack([X * 255 // 210, Y * 255 // 149, (X * 7 + Y * 13) % 256], -1).astype(np.uint8)


@pytest.mark.parametrize("fit", ["pad", "stretch", "crop"])
def test_pixels_are_close_to_exact_area_means(fit: str) -> None:
    """Origin: means over 5x5 blocks computed by numpy; tolerance one grey level for rounding."""
    square = PICTURE[:150, :150]
    expected = square.reshape(30, 5, 30, 5, 3).mean(axis=(1, 3))
    out = Preprocess.model_validate({"size": 30, "fit": fit})(square)
    assert np.abs(out - expected).max() <= 1.0


def test_array_pinned() -> None:
    """Origin: this code with OpenCV 5.0.0; a change of these bytes makes every trained model see other pixels."""
    digests = {
        fit: hashlib.sha256(Preprocess.model_validate({"size": 48, "fit": fit})(PICTURE).tobytes()).hexdigest()[:12]
        for fit in ("pad", "stretch", "crop")
    }
    assert digests == {"pad": "94bd4517616a", "stretch": "076091b78f35", "crop": "1a37aec21244"}

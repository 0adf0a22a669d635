from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leansort.data.quality import image_alignment, near_duplicates


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 400), st.integers(0, 16))
def test_every_pair_within_the_radius_is_found(seed: int, count: int, radius: int) -> None:
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    for index in range(1, count, 3):  # near ones: a few bits of the one before turned
        for bit in rng.integers(0, 64, rng.integers(0, 20)):
            hashes[index] ^= np.uint64(1) << np.uint64(bit)
        hashes[index] = hashes[index - 1] ^ (hashes[index] & np.uint64(0x1084210842108421))
    hashes = np.unique(hashes)
    i, j = np.triu_indices(len(hashes), 1)
    close = np.bitwise_count(hashes[i] ^ hashes[j]) <= radius
    expected = {(int(a), int(b)) for a, b in zip(i[close], j[close], strict=True)}
    assert {(int(a), int(b)) for a, b in near_duplicates.near_pairs(hashes, radius)} == expected


def test_equal_hashes_are_paired_with_the_first() -> None:
    hashes = np.full(1000, 77, np.uint64)
    pairs = near_duplicates.near_pairs(hashes, 10)
    assert pairs.tolist() == [[0, index] for index in range(1, 1000)]
    assert len(set(near_duplicates.clusters(1000, [(int(a), int(b)) for a, b in pairs]))) == 1


def test_clusters_join_chains() -> None:
    assert near_duplicates.clusters(6, [(4, 3), (1, 2), (2, 4)]) == [0, 1, 1, 1, 1, 5]


def picture(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(small, (320, 240), interpolation=cv2.INTER_CUBIC)


def brighter(image: Any) -> Any:
    return np.clip(image.astype(np.float32) * 1.15 + 12, 0, 255).astype(np.uint8)


def shifted(image: Any) -> Any:
    return cv2.warpAffine(
        image, np.array([[1, 0, 6], [0, 1, -4]], np.float32), (320, 240), borderMode=cv2.BORDER_REFLECT
    )


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda image: image, True),
        (lambda image: cv2.resize(image, (160, 120), interpolation=cv2.INTER_AREA), True),
        (brighter, True),
        (shifted, True),
        (lambda image: cv2.flip(image, 1), False),
        (lambda image: image[:, :, ::-1], False),
        (lambda image: picture(99), False),
    ],
)
def test_the_same_scene_is_told_from_another(tmp_path: Path, change: Any, same: bool) -> None:
    first, second = tmp_path / "a.png", tmp_path / "b.jpg"
    cv2.imwrite(str(first), picture(1))
    cv2.imwrite(str(second), change(picture(1)), [cv2.IMWRITE_JPEG_QUALITY, 60])
    [like] = image_alignment.show_same_object([(first, second)])
    assert (like >= image_alignment.SAME) == same
    if same:
        hashes = near_duplicates.perceptual_hashes(
            np.stack([near_duplicates.thumbnail(cv2.imread(str(path))) for path in (first, second)])  # type: ignore[arg-type]
        )
        assert np.bitwise_count(hashes[0] ^ hashes[1]) <= 14


def test_even_pictures_are_the_same_only_in_colour(tmp_path: Path) -> None:
    for name, colour in (("a", (10, 200, 30)), ("b", (10, 200, 30)), ("c", (200, 10, 30))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((50, 60, 3), colour, np.uint8))
    a, b, c = (tmp_path / f"{name}.png" for name in "abc")
    assert image_alignment.show_same_object([(a, b), (a, c), (a, tmp_path / "gone.png")]) == [1.0, 0.0, 0.0]

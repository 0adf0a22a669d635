"""Folders of unknown photos: what shows a known thing is left out, counted and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from leansort.core.errors import UserError
from leansort.data.loading.crops import Crops
from leansort.recipe.schema import ExportConfig
from leansort.workflows.data import unknown_photos
from leansort.workflows.data.unknown_photos import UnknownCrops, find_unknown_photos
from leansort.workflows.deploy.bundle_calibration import calibrate_bundle, calibration_sentence
from tests.support.graphs import SIZE, colour_bundle


def scene(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (9, 12, 3), np.uint8))
    return small.resize((160, 120), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    known, unknown = tmp_path / "known", tmp_path / "unknown"
    for folder in (known, unknown / "Glass"):
        folder.mkdir(parents=True)
    for seed in range(4):
        scene(seed).save(known / f"{seed}.png")
        scene(100 + seed).save(unknown / "Glass" / f"{seed}.png")
    scene(2).resize((120, 90)).save(unknown / "smaller.jpg", quality=90)
    (unknown / "same.png").write_bytes((known / "0.png").read_bytes())
    return known, unknown


def test_copies_and_look_alikes_are_left_out_and_class_folders_named(folders: tuple[Path, Path]) -> None:
    known, unknown = folders
    photos = find_unknown_photos(unknown, dict.fromkeys(known.iterdir(), ""), ("glass", "paper"), "score --unknown")
    assert [path.name for path in photos.files] == ["0.png", "1.png", "2.png", "3.png"]
    assert photos.notes == (
        "unknown: 1 of 6 photos are among the known ones (same.png), left out",
        "unknown: 1 of 6 photos show what known ones show (smaller.jpg), left out",
        "unknown: folders are called as known classes are (glass 4); their photos count as unknown",
    )


def test_a_folder_of_nothing_but_known_things_is_refused(folders: tuple[Path, Path]) -> None:
    known, unknown = folders
    for path in (unknown / "Glass").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"1 of 2 photos are among .*; 1 of 2 photos show what .*; none is left"):
        find_unknown_photos(unknown, dict.fromkeys(known.iterdir(), ""), ("glass",), "export.unknown")


def test_unreadable_photos_are_no_copies_of_one_another(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    found = find_unknown_photos(tmp_path, {tmp_path / "gone.jpg": ""}, ("a", "b"), "score --unknown")
    assert [path.name for path in found.files] == ["a.jpg"]  # whoever decodes it says so


def test_the_threshold_of_a_bundle_counts_unknown_photos() -> None:
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.integers(0, 40, (200, 1, 1, 3), np.uint8), SIZE, 1).repeat(SIZE, 2)
    labels = np.arange(200) % 3
    pixels[np.arange(200), :, :, labels] += 30  # a class that is another one's in a few
    dark = np.repeat(rng.integers(0, 40, (20, 1, 1, 3), np.uint8), SIZE, 1).repeat(SIZE, 2)
    val = Crops(np.ascontiguousarray(pixels), labels.tolist())
    plain, before = calibrate_bundle(colour_bundle(), val, 0.1)
    bundle, after = calibrate_bundle(colour_bundle(), val, 0.1, unknown=UnknownCrops(dark, share=0.5))
    assert before.unknown == 0
    assert 0 < before.error <= 0.1
    assert 0 < after.coverage < before.coverage
    assert after.error <= 0.1
    assert after.unknown_share == 0.5
    assert bundle.meta.reject_below == after.reject_below > plain.meta.reject_below
    assert "of 20 unknown photos; with these as 50.0% of all" in calibration_sentence(after)


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"unknown": "photos"}, "no effect without target_error"),
        ({"target_error": 0.1, "unknown_share": 0.2}, "no effect without unknown"),
        ({"target_error": 0.1, "unknown": "photos", "unknown_share": 1.0}, "less than 1"),
    ],
)
def test_a_recipe_takes_nothing_without_effect(section: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ExportConfig.model_validate(section)


def test_without_opencv_looks_are_not_compared_and_that_is_said(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    known, unknown = folders
    monkeypatch.setattr(unknown_photos, "find_spec", lambda name: None)
    photos = find_unknown_photos(unknown, dict.fromkeys(known.iterdir(), ""), (), "score --unknown")
    assert len(photos.files) == 5
    assert "were not looked for, which takes OpenCV" in photos.notes[1]

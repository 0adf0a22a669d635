"""Val crops under stress: the pixels of `leansort stress`, made once, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.manifest import Manifest, Row
from leansort.core.preprocess import Preprocess
from leansort.core.writing import atomic_io
from leansort.measure.corruptions.kinds import KINDS, Scene
from leansort.measure.robustness.stress_crops import StressCrop, load_crop
from leansort.measure.robustness.stress_setting import StressSetting
from leansort.measure.robustness.stress_test import SIDE, corrupted
from leansort.workflows.data.stressed.stressed_val import stressed_val
from tests.conftest import draw as draw_pattern
from tests.unit.workflows.test_stress import draw as draw_disk

COUNT = 9
PREPROCESS = Preprocess(size=32)
WHERE = "compress.stress"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Disks on a white board, which can be cut out, and the first of them patterns, which cannot."""
    root = tmp_path_factory.mktemp("crops")
    for number in range(COUNT):
        draw = draw_pattern if number == 0 else draw_disk
        draw(root / f"{number}.png", number % 3, number)
    return of_folder(root, COUNT)


def of_folder(root: Path, count: int) -> Manifest:
    rows = [
        Row(f"{at}.png", at % 3, "val", str(at), atomic_io.sha256((root / f"{at}.png").read_bytes())[:32], f"{at}.png")
        for at in range(count)
    ]
    return Manifest(tuple(rows), LabelSet.of(["a", "b", "c"]), root)


def test_the_pixels_are_those_of_leansort_stress(manifest: Manifest, tmp_path: Path) -> None:
    setting = StressSetting(kinds=("noise", "darker", "background"), level=2, seed=3)
    made = stressed_val(setting, manifest, PREPROCESS, tmp_path, WHERE)
    assert made.facts.kinds == ("darker", "noise", "background")
    assert made.label_n.tolist() == [at % 3 for at in range(COUNT)]
    for number, kind in enumerate(("darker", "noise")):
        for at in (0, COUNT - 1):
            crop = StressCrop(f"{at}.png", manifest.root / f"{at}.png", at % 3)
            image = corrupted(Scene(load_crop(crop, SIDE)), crop.name, (kind, 2), 3)
            assert np.array_equal(made.pixels[number * COUNT + at], PREPROCESS(image))
    assert [item.image for item in made.facts.not_cut] == ["0.png"]
    assert made.there_kn.sum(1).tolist() == [COUNT, COUNT, COUNT - 1]


def test_they_are_made_once_for_a_setting_and_a_preprocessing(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = StressSetting(kinds=("darker", "background"))
    first = stressed_val(setting, manifest, PREPROCESS, tmp_path, WHERE)
    with monkeypatch.context() as patched:
        patched.setattr("leansort.workflows.data.stressed.stressed_val.fill_stressed", None)
        again = stressed_val(setting, manifest, PREPROCESS, tmp_path, WHERE)
    assert again.facts == first.facts
    assert np.array_equal(again.pixels, first.pixels)
    others = [
        (StressSetting(kinds=("darker",)), PREPROCESS), (setting.model_copy(update={"level": 4}), PREPROCESS),
        (setting.model_copy(update={"seed": 1}), PREPROCESS), (setting, Preprocess(size=16)),
    ]  # fmt: skip
    digests = {stressed_val(other, manifest, preprocess, tmp_path, WHERE).facts.digest for other, preprocess in others}
    assert len(digests | {first.facts.digest}) == 5
    assert len(list(tmp_path.glob("stressed-*.npy"))) == 5


def test_a_damaged_file_is_made_again(manifest: Manifest, tmp_path: Path) -> None:
    setting = StressSetting(kinds=("darker",))
    first = np.array(stressed_val(setting, manifest, PREPROCESS, tmp_path, WHERE).pixels)
    (kept,) = tmp_path.glob("stressed-*.npy")
    kept.write_bytes(b"cut short")
    assert np.array_equal(stressed_val(setting, manifest, PREPROCESS, tmp_path, WHERE).pixels, first)


def test_more_crops_than_val_has_are_refused(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=rf"compress.stress.crops: got 10, val has {COUNT} crops; allowed: 1 to {COUNT}"
    ):
        stressed_val(StressSetting(crops=10), manifest, PREPROCESS, tmp_path, WHERE)
    assert stressed_val(StressSetting(crops=3, kinds=("blur",)), manifest, PREPROCESS, tmp_path, WHERE).facts.crops == 3


def test_where_nothing_can_be_cut_out_background_is_refused_by_name_and_else_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        draw_pattern(tmp_path / f"{number}.png", 0, number)
    manifest = of_folder(tmp_path, 3)
    named = StressSetting(kinds=("background", "darker"))
    with pytest.raises(
        UserError, match=r"compress\.stress: background: no object could be cut out of 3 val crops, first"
    ):
        stressed_val(named, manifest, PREPROCESS, tmp_path / "cache", WHERE)
    every = stressed_val(StressSetting(), manifest, PREPROCESS, tmp_path / "cache", WHERE)
    assert every.facts.kinds == tuple(KINDS)[:-1]
    assert len(every.pixels) == 3 * (len(KINDS) - 1)
    assert "left out background: no object could be cut out" in capsys.readouterr().err
    assert every.facts.left_out.startswith("background: no object")


def test_a_crop_that_has_changed_is_refused(tmp_path: Path) -> None:
    for number in range(3):
        draw_disk(tmp_path / f"{number}.png", number, number)
    manifest = of_folder(tmp_path, 3)
    draw_disk(tmp_path / "1.png", 2, 77)
    with pytest.raises(UserError, match="has changed since the import"):
        stressed_val(StressSetting(kinds=("darker",)), manifest, PREPROCESS, tmp_path / "cache", WHERE)
    assert not list((tmp_path / "cache").glob("*.npy"))


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        (StressSetting(textures=Path("nowhere")), "compress.stress: folder nowhere: "),
        (StressSetting(annotations=(Path("nowhere.json"),)), "compress.stress: .*nowhere.json"),
    ],
)
def test_grounds_that_are_not_there_are_refused(
    setting: StressSetting, part: str, manifest: Manifest, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=part):
        stressed_val(setting, manifest, PREPROCESS, tmp_path, WHERE)

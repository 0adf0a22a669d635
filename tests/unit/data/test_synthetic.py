"""The sample data set: the same bytes for the same seed, valid COCO, the contest's imbalance."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from leansort.contest.contest_classes import CONTEST_CLASSES
from leansort.data.sources.sample import SampleConfig, SampleSource
from leansort.data.synthetic.dataset import FEW_SCENES, draw_dataset
from leansort.data.synthetic.scene import HEIGHT, WIDTH

SCENES = {"train": 14, "val": 2, "test": 2}


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    draw_dataset(folder, seed=7, scenes=SCENES, workers=2)
    return folder


@pytest.fixture(scope="module")
def tree(drawn: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((drawn / "annotations.json").read_text())
    return loaded


def test_same_seed_same_bytes_whatever_the_workers(drawn: Path, tmp_path: Path) -> None:
    draw_dataset(tmp_path, seed=7, scenes=SCENES, workers=1)
    assert hashes(tmp_path) == hashes(drawn)


def test_more_scenes_leave_the_first_ones_and_another_seed_changes_all(drawn: Path, tmp_path: Path) -> None:
    draw_dataset(tmp_path / "more", seed=7, scenes={"train": 16, "val": 2, "test": 2}, workers=1)
    draw_dataset(tmp_path / "other", seed=8, scenes={"train": 2, "val": 1, "test": 1}, workers=1)
    pictures = {name: value for name, value in hashes(drawn).items() if name.endswith(".jpg")}
    assert pictures.items() <= hashes(tmp_path / "more").items()
    assert not set(pictures.values()) & set(hashes(tmp_path / "other").values())


def test_boxes_and_outlines_lie_in_the_frame(tree: dict[str, Any]) -> None:
    assert [c["name"] for c in tree["categories"]] == list(CONTEST_CLASSES)
    assert len({a["id"] for a in tree["annotations"]}) == len(tree["annotations"]) > 40
    for annotation in tree["annotations"]:
        x, y, w, h = annotation["bbox"]
        assert 0 <= x < x + w <= WIDTH
        assert 0 <= y < y + h <= HEIGHT
        points = annotation["segmentation"][0]
        assert all(x - 1 <= value <= x + w + 1 for value in points[::2])
        assert all(y - 1 <= value <= y + h + 1 for value in points[1::2])
        assert 0 < annotation["area"] <= w * h


def test_classes_are_as_uneven_as_the_contest(tree: dict[str, Any]) -> None:
    counted = Counter(CONTEST_CLASSES[a["category_id"] - 1] for a in tree["annotations"])
    assert {name for name, _ in counted.most_common(2)} == {"Paper", "Plasticbag"}


def test_a_script_without_a_main_guard_draws_in_processes_what_this_one_draws_alone(tmp_path: Path) -> None:
    """Worker processes used to run the script again, and failed; the first scenes are the same however many follow."""
    lines = [
        "from pathlib import Path", "from leansort.data.synthetic import dataset",
        f"scenes = {{'train': {FEW_SCENES + 1}}}",
        f"dataset.draw_dataset(Path({str(tmp_path / 'many')!r}), seed=1, scenes=scenes, workers=2)",
    ]  # fmt: skip
    (tmp_path / "script.py").write_text("\n".join(lines))
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    draw_dataset(tmp_path / "few", seed=1, scenes={"train": 2})
    for name in ("train_00001.jpg", "train_00002.jpg"):
        few, many = (tmp_path / folder / "images" / "train" / name for folder in ("few", "many"))
        assert few.read_bytes() == many.read_bytes()


def test_the_source_tells_of_the_drawing_and_of_the_cutting_in_one_bar(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    source = SampleSource(SampleConfig(path=tmp_path, train=2, val=1, test=1))
    source.items(lambda done, total: told.append((done, total)))
    assert source.progress  # without a title nobody shows it
    assert told == [(done, 8) for done in range(1, 9)]

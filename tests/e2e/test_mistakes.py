"""A user's mistakes: one clear line, exit code 2, nothing half-written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from leansort.core import manifest as manifests
from tests.conftest import Cli, draw


def refused(done: Any, *parts: str, code: int = 2) -> None:
    """Check the exit code and that one line, without a traceback, says all the parts."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == code, done.stderr
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert all(part in lines[0] for part in parts), lines[0]


def test_recipe_faults_come_all_at_once(cli: Cli) -> None:
    done = cli("run", "trashnet", "train.epoch=3", "arch.bse=1", "data.foo=2", "preprocess.size=7")
    refused(
        done,
        "4 faults",
        "did you mean 'epochs'",
        "did you mean 'base'",
        "data.foo: unknown key",
        "preprocess.size: got 7",
    )


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "NoneType"),
        ("- a", "list"),
        ("a: [", "not YAML"),
        ("name: x", "data: missing"),
        ("name: x\ndata: {source: cooc}", "did you mean 'coco'"),
    ],
)
def test_unusable_recipes(cli: Cli, tmp_path: Path, content: str, part: str) -> None:
    (tmp_path / "r.yaml").write_text(content)
    refused(cli("run", tmp_path / "r.yaml", "--out", tmp_path / "out"), part)
    assert not (tmp_path / "out").exists()


def test_missing_places(cli: Cli, tmp_path: Path, tiny_recipe: Path) -> None:
    refused(cli("run", tmp_path / "none.yaml"), "cannot read", "none.yaml")
    refused(
        cli("run", tiny_recipe, "--data", tmp_path / "none", "--out", tmp_path / "o"), "data folder", "is not there"
    )
    refused(cli("predict", tmp_path / "none.leansort", "x.jpg"), "none.leansort is not there")
    refused(cli("report", tmp_path), "cannot read", "score.json")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["predct"], "Did you mean 'predict'"),
        (["predict", "--fromat"], "--fromat"),
        (["predict"], "Missing argument"),
        (["run", "x", "--seed"], "--seed"),
    ],
)
def test_command_line_mistakes(cli: Cli, arguments: list[str], part: str) -> None:
    refused(cli(*arguments), part)


def test_a_manifest_that_is_not_there_is_told_before_the_network_is_looked_at(
    cli: Cli, tmp_path: Path, tiny_recipe: Path
) -> None:
    out, network = tmp_path / "out", f"arch.pretrained={tmp_path / 'none.safetensors'}"
    done = cli("train", tiny_recipe, network, "--manifest", tmp_path / "none", "--out", out)
    refused(done, "manifest: ", "none is not there", "leansort data import")
    assert not out.exists()


@pytest.mark.parametrize("group", [(), ("data",), ("tune",), ("arch",), ("recipes",)], ids=" ".join)
def test_a_group_without_a_command_shows_its_help_line_by_line(cli: Cli, group: tuple[str, ...]) -> None:
    done = cli(*group)
    shown = cli(*group, "--help").stdout
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == shown
    assert shown.count("\n") > 8


def test_a_bundle_with_one_flipped_byte(cli: Cli, tiny_run: Path, folders: Path, tmp_path: Path) -> None:
    content = bytearray((tiny_run / "model.leansort").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "m.leansort").write_bytes(content)
    for command in (["predict"], ["submit", "--out", str(tmp_path / "o")]):
        refused(cli(command[0], tmp_path / "m.leansort", folders / "val", *command[1:]), "bundle:", "damaged")
    assert not (tmp_path / "o").exists()


def test_a_manifest_whose_labels_differ(cli: Cli, tiny_run: Path, folders: Path, tmp_path: Path) -> None:
    shutil.copytree(folders, tmp_path / "data")
    for split in ("train", "val"):
        (tmp_path / "data" / split / "Metal").rename(tmp_path / "data" / split / "Zinc")
    assert cli("data", "import", "folder", tmp_path / "data", "--out", tmp_path / "m").returncode == 0
    refused(
        cli("score", tiny_run / "model.leansort", "--ground-truth", tmp_path / "m", "--split", "val"),
        "labels differ",
        "Zinc",
        "Metal",
    )
    refused(cli("export", tiny_run / "train", "--manifest", tmp_path / "m", "--out", tmp_path / "b"), "labels differ")
    assert not (tmp_path / "b").exists()


def test_corrupt_pictures_are_named_counted_and_limited(cli: Cli, tmp_path: Path) -> None:
    for kind, name in enumerate(("a", "b")):
        for i in range(60):
            draw(tmp_path / "data" / "train" / name / f"{i}.jpg", kind, seed=i, size=(24, 24))
            draw(tmp_path / "data" / "val" / name / f"{i}.jpg", kind, seed=100 + i, size=(24, 24))
    (tmp_path / "data" / "train" / "a" / "7.jpg").write_bytes(b"")
    item = cli("data", "import", "folder", tmp_path / "data", "--out", tmp_path / "m")
    assert item.returncode == 0
    assert "7.jpg is empty (0 bytes): picture cannot be read" in item.stderr
    assert manifests.load(tmp_path / "m").notes["unreadable"] == 1
    for i in range(3):
        (tmp_path / "data" / "train" / "b" / f"{i}.jpg").write_bytes(b"\xff\xd8 no")
    refused(
        cli("data", "import", "folder", tmp_path / "data", "--out", tmp_path / "n"),
        "4 of 240 pictures cannot be read",
        "at most 1 % are left out",
    )
    assert not (tmp_path / "n" / "manifest.parquet").exists()


def coco(folder: Path, change: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "a.jpg"), np.full((60, 80, 3), 90, np.uint8))
    tree: dict[str, Any] = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 5, "name": "x"}, {"id": 9, "name": "y"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 5, "bbox": [2, 2, 30, 30]},
            {"id": 2, "image_id": 1, "category_id": 9, "bbox": [60, 40, 90, 90]},
            {"id": 3, "image_id": 1, "category_id": 9, "bbox": [5, 5, 0, 9]},
            {"id": 4, "image_id": 1, "category_id": 9, "bbox": [5, 5, None, 9]},
        ],
    } | change
    (folder / "annotations.json").write_text(json.dumps(tree))
    return folder / "annotations.json"


def test_coco_boxes_are_cut_clipped_dropped_and_counted(cli: Cli, tmp_path: Path) -> None:
    done = cli("data", "import", "coco", coco(tmp_path / "d", {}), "--out", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    manifest = manifests.load(tmp_path / "m")
    assert manifest.labels.names == ("x", "y")
    assert [(row.label, row.box) for row in manifest.rows] == [(0, (2, 2, 30, 30)), (1, (60, 40, 20, 20))]
    assert len({row.split for row in manifest.rows}) == 1  # crops of one photo stay together
    assert manifest.notes["box clipped to the frame"] == 1
    assert manifest.notes["box of no area"] == 1
    assert manifest.notes["box is not four finite numbers"] == 1
    assert cv2.imread(str(manifest.path(manifest.rows[1]))).shape == (20, 20, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"images": [{"id": 1, "file_name": "../a.jpg"}]}, "leaves the folder"),
        ({"images": [{"id": 1, "file_name": "/etc/passwd"}]}, "leaves the folder"),
        ({"images": [{"id": 1, "file_name": "none.jpg"}]}, "none.jpg: photo is missing"),
        ({"images": [{"id": 1, "file_name": "a.jpg"}] * 2}, "images has 1 doubled ids: 1"),
        ({"annotations": [{"id": 1, "image_id": 7, "category_id": 5}]}, "has image_id 7, which is not in images"),
        ({"annotations": [{"id": 1, "image_id": 1}]}, "annotations[0] lacks category_id"),
        ({"categories": "x"}, "not COCO"),
    ],
)
def test_wrong_annotations(cli: Cli, tmp_path: Path, change: dict[str, Any], part: str) -> None:
    refused(cli("data", "import", "coco", coco(tmp_path / "d", change), "--out", tmp_path / "m"), part)
    assert not (tmp_path / "m" / "manifest.parquet").exists()
    assert not list((tmp_path / "m").rglob("*.jpg"))


def test_submissions_and_truth_that_cannot_be_scored(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    tree = json.loads((tiny_run / "output.csv").read_text())
    name = next(iter(tree["inference"]))
    for change, part in (({name: "Wood"}, "got 'Wood'"), (None, "have no answer")):
        answers = dict(tree["inference"])
        answers.pop(name) if change is None else answers.update(change)
        (tmp_path / "s.json").write_text(json.dumps(tree | {"inference": answers}))
        refused(cli("score", tmp_path / "s.json", "--ground-truth", tiny_run, "--split", "val"), part)
    refused(cli("score", tmp_path / "none", "--ground-truth", tiny_run), "cannot read")
    (tmp_path / "s.json").write_text('{"inference": {}}')
    refused(cli("score", tmp_path / "s.json", "--ground-truth", tiny_run), "lacks 'time'")
    refused(cli("score", tiny_run / "output.csv", "--ground-truth", tiny_run), "split 'test' is empty")


@pytest.mark.parametrize(
    ("line", "new"),
    [
        (["export", "m", "--manifest", "m", "--wanted-error", "0.1"], "export --target-error"),
        (["train", "r.yaml", "--final"], "train --refit"),
        (["score", "o.csv", "--truth", "m"], "score --ground-truth"),
        (["arch", "weights", "f.safetensors"], "arch pretrained"),
        (["arch", "pretrained", "f.safetensors", "--names", "map.yaml"], "arch pretrained --key-map"),
    ],
)
def test_an_old_option_or_command_is_refused_and_the_new_one_named(cli: Cli, line: list[str], new: str) -> None:
    refused(cli(*line), f"was renamed: write leansort {new}")

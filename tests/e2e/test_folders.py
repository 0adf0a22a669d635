"""A folder as people really have it, through every command that takes one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import CLASSES, Cli, draw
from tests.e2e.test_mistakes import refused

TAKEN = ("a.jpg", "b.jfif", "c", "d.gif", "e.avif")


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders with what tools leave between them. Treat as read-only."""
    root = tmp_path_factory.mktemp("messy")
    for kind, name in enumerate(CLASSES):
        for at, file in enumerate(TAKEN):
            draw(root / "drawn.jpg", kind, seed=10 * kind + at)
            (root / name).mkdir(exist_ok=True)
            with Image.open(root / "drawn.jpg") as picture:
                picture.save(root / name / f"{name}_{file}", {"d.gif": "GIF", "e.avif": "AVIF"}.get(file, "JPEG"))
        for left in (".ipynb_checkpoints/a-checkpoint.jpg", "@eaDir/a.jpg", "._a.jpg", "Thumbs.db", "notes.txt"):
            (root / name / left).parent.mkdir(exist_ok=True)
            (root / name / left).write_bytes((root / "drawn.jpg").read_bytes() if "jpg" in left else b"x")
        (root / name / "linked").symlink_to(root)
    (root / "drawn.jpg").unlink()
    return root


def test_the_same_pictures_are_imported_and_predicted(cli: Cli, tiny_run: Path, messy: Path, tmp_path: Path) -> None:
    wanted = {f"{name}/{name}_{file}" for name in CLASSES for file in TAKEN}
    done = cli("data", "import", "folder", messy, "--out", tmp_path / "m", "--json")
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert sum(sum(by.values()) for by in counted["splits"].values()) == len(wanted)
    assert counted["notes"]["left by a tool, ignored"] == 4 * len(CLASSES)
    assert counted["notes"]["link to a folder that holds it, ignored"] == len(CLASSES)
    done = cli("predict", tiny_run / "model.leansort", messy, "--format", "json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {Path(item["image"]).relative_to(messy).as_posix() for item in lines} == wanted
    assert f"{messy}: passed over {6 * len(CLASSES)} files" in done.stderr
    assert f"{len(CLASSES)} no picture (.txt {len(CLASSES)})" in done.stderr


def test_what_is_submitted_can_be_scored(cli: Cli, tiny_run: Path, messy: Path, tmp_path: Path) -> None:
    done = cli("submit", tiny_run / "model.leansort", messy, "--out", tmp_path / "o.json")
    assert done.returncode == 0, done.stderr
    assert "12 left by a tool" in done.stderr
    done = cli("score", tmp_path / "o.json", "--ground-truth", messy, "--json")
    assert done.returncode == 0, done.stderr
    scored = json.loads(done.stdout)
    assert scored["lists"]["all"]["crops"] == len(CLASSES) * len(TAKEN)
    assert any("12 left by a tool" in note for note in scored["notes"])


def test_a_failed_download_and_a_folder_without_pictures_are_named(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<!DOCTYPE html><html><body>404</body></html>")
    done = cli("predict", tiny_run / "model.leansort", tmp_path)
    assert done.returncode == 1
    assert "error: is no picture but an HTML page (a failed download?)" in done.stdout
    (tmp_path / "a.jpg").rename(tmp_path / ".a.jpg")
    refused(cli("predict", tiny_run / "model.leansort", tmp_path), "holds no pictures")


def test_test_pictures_never_come_into_train(cli: Cli, messy: Path, tmp_path: Path) -> None:
    for name in CLASSES:
        for split in ("train", "testing"):
            draw(tmp_path / "f" / name / split / f"{name}_{split}.jpg", 0, seed=1)
    done = cli("data", "import", "folder", tmp_path / "f", "--out", tmp_path / "m", "--json")
    assert done.returncode == 0, done.stderr
    assert sum(json.loads(done.stdout)["splits"]["test"].values()) == len(CLASSES)
    draw(tmp_path / "f" / "train" / CLASSES[0] / "test" / "1.jpg", 0, seed=1)
    refused(cli("data", "import", "folder", tmp_path / "f", "--out", tmp_path / "n"), "split folder")
    assert not (tmp_path / "n").exists()

"""Pictures that are damaged in the middle: every command names the file, and no decoder's raw line comes through."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.conftest import CLASSES, Cli

RAW = re.compile(r"Corrupt JPEG|premature end of data segment$|libpng|TIFF_|\[ ?(WARN|ERROR)", re.MULTILINE)


def damage(path: Path) -> Path:
    """Cut a JPEG in half and give it an end: it decodes, half of it grey."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    return path


def named(done: CompletedProcess[str], files: Sequence[Path]) -> None:
    """Every damaged file stands in a line of its own, and nothing that a decoder wrote."""
    lines = [line for line in done.stderr.splitlines() if "is damaged" in line]
    assert "Traceback" not in done.stderr
    assert len(lines) == len(files), done.stderr
    assert all(any(file.name in line for line in lines) for file in files), done.stderr
    assert not RAW.search("\n".join(line for line in done.stderr.splitlines() if line not in lines)), done.stderr


@pytest.fixture
def pictures(folders: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders, tmp_path / "pictures"))


def test_import_leaves_damaged_pictures_out_by_tolerate(cli: Cli, pictures: Path, tmp_path: Path) -> None:
    bad = [damage(pictures / "train" / "Metal" / f"train_Metal_{at:02d}.jpg") for at in (3, 7)]
    done = cli("data", "import", "folder", pictures, "--out", tmp_path / "m")
    assert done.returncode == 2
    assert "2 of 96 pictures cannot be read, at most 1 %" in done.stderr
    assert f"{bad[0]} (premature end of data segment): picture is damaged" in done.stderr
    assert not (tmp_path / "m").exists()
    done = cli("data", "import", "folder", pictures, "--out", tmp_path / "m", "--tolerate", "0.05", "--json")
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert counted["notes"]["unreadable"] == 2
    assert sum(sum(of.values()) for of in counted["splits"].values()) == 94
    assert all(f"{item} (premature end of data segment): picture is damaged" in done.stderr for item in bad)
    assert "Corrupt" not in done.stderr


def test_coco_photos_that_are_damaged_give_no_crops(cli: Cli, pictures: Path, tmp_path: Path) -> None:
    files = sorted((pictures / "train").rglob("*.jpg"))
    bad = damage(files[5])
    tree = {
        "images": [{"id": n, "file_name": f"{p.parent.name}/{p.name}", "width": 96, "height": 72}
                   for n, p in enumerate(files)],
        "categories": [{"id": n, "name": name} for n, name in enumerate(CLASSES)],
        "annotations": [{"id": n, "image_id": n, "category_id": CLASSES.index(p.parent.name), "bbox": [5, 5, 60, 50]}
                        for n, p in enumerate(files)],
    }  # fmt: skip
    (pictures / "train" / "coco.json").write_text(json.dumps(tree))
    done = cli("data", "import", "coco", pictures / "train" / "coco.json", "--out", tmp_path / "m", "--tolerate", "0.1")
    assert done.returncode == 0, done.stderr
    assert f"{bad.parent.name}/{bad.name} (premature end of data segment): photo is damaged" in done.stderr
    assert "Corrupt" not in done.stderr
    assert len(list((tmp_path / "m" / "crops").rglob("*.jpg"))) == len(files) - 1


def test_check_counts_them_apart_and_strict_fails(cli: Cli, pictures: Path) -> None:
    whole = cli("data", "check", pictures, "--json", "--strict")
    bad = damage(pictures / "val" / "Paper" / "val_Paper_01.jpg")
    done = cli("data", "check", pictures, "--json", "--strict")
    assert (whole.returncode, done.returncode) == (0, 1), done.stderr
    assert done.stderr == whole.stderr
    load = json.loads(done.stdout)["findings"]["is damaged"]
    assert load["count"] == 1
    assert load["examples"] == [f"{bad.relative_to(pictures)} (premature end of data segment)"]


def test_show_and_cache_name_the_file(cli: Cli, pictures: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    done = cli("data", "import", "folder", pictures, "--out", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    bad = damage(pictures / "train" / "Metal" / "train_Metal_03.jpg")
    # A manifest that was written before damage was looked for knows the damaged file's own hash.
    from leansort.core import manifest as manifests
    from leansort.core.writing import atomic_io

    whole = manifests.load(tmp_path / "m")
    rows = [
        row if row.image.endswith(bad.name) is False
        else type(row)(row.image, row.label, row.split, row.group, atomic_io.sha256(bad.read_bytes())[:32], row.source)
        for row in whole.rows
    ]  # fmt: skip
    manifests.Manifest(tuple(rows), whole.labels, whole.root).save(tmp_path / "m" / "manifest.parquet")
    shown = cli("data", "show", tmp_path / "m", "--out", tmp_path / "sheet.png", "--per-class", "50")
    cached = cli("data", "cache", tmp_path / "m", "--recipe", tiny_recipe, "--out", tmp_path / "cache")
    for done in (shown, cached):
        assert done.returncode == 0, done.stderr
        named(done, [bad])


@pytest.mark.parametrize("given", [("--threads", "1", "--batch", "1"), ("--threads", "3", "--batch", "4"), ()])
def test_predict_sorts_and_names_them(cli: Cli, pictures: Path, tiny_run: Path, given: Sequence[str]) -> None:
    bad = [damage(pictures / "val" / name / f"val_{name}_0{at}.jpg") for at, name in enumerate(CLASSES)]
    done = cli("predict", tiny_run / "model.leansort", pictures / "val", *given)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 24
    named(done, bad)


def test_submit_and_score_name_them(cli: Cli, pictures: Path, tiny_run: Path, tmp_path: Path) -> None:
    bad = [damage(pictures / "val" / name / f"val_{name}_0{at}.jpg") for at, name in enumerate(CLASSES)]
    submitted = cli("submit", tiny_run / "model.leansort", pictures / "val", "--out", tmp_path / "answers.json")
    scored = cli("score", tiny_run / "model.leansort", "--ground-truth", pictures / "val")
    for done in (submitted, scored):
        assert done.returncode == 0, done.stderr
        named(done, bad)
    assert len(json.loads((tmp_path / "answers.json").read_text())["inference"]) == 24

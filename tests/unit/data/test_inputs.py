"""A run's data file by file: what differs is told, what was only touched is not."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leansort.core import manifest as manifests
from leansort.core.errors import IntegrityError, UserError
from leansort.data import inputs
from leansort.data.inputs import InputFiles
from leansort.recipe.load import validate_recipe
from leansort.recipe.schema import Recipe
from leansort.workflows.data import import_data as importing
from tests.conftest import draw
from tests.unit.data.test_classes import coco, written

NAMES = ["can", "bag"]


def recipe(data: dict[str, Any]) -> Recipe:
    return validate_recipe({"name": "x", "data": data}, "here")


def folder(root: Path) -> dict[str, Any]:
    return {"source": "folder", "path": str(written(root, NAMES)), "tolerate": 1.0}


def resumed(data: dict[str, Any], out: Path, manifest: Path | None = None) -> manifests.Manifest:
    return importing.data_for(recipe(data), out, manifest, resume=True)


def refusal(data: dict[str, Any], out: Path, manifest: Path | None = None) -> str:
    with pytest.raises(UserError) as caught:
        resumed(data, out, manifest)
    assert str(out) in str(caught.value)
    assert "start anew with another --out" in str(caught.value)
    return str(caught.value)


def test_equal_files_are_the_same_however_often_they_were_touched_or_copied(tmp_path: Path) -> None:
    data = folder(tmp_path / "photos")
    first = resumed(data, tmp_path / "out")
    for number, path in enumerate(sorted((tmp_path / "photos").rglob("*.png"))):
        if number % 3 == 0:
            path.touch()
        elif number % 3 == 1:
            contents = path.read_bytes()
            path.unlink()
            path.write_bytes(contents)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    (tmp_path / "photos" / "train" / "empty").mkdir()
    assert resumed(data, tmp_path / "out").digest == first.digest
    assert resumed({**data, "path": os.path.relpath(tmp_path / "photos")}, tmp_path / "out").digest == first.digest


def test_photos_that_were_added_removed_and_changed_are_counted_and_named(tmp_path: Path) -> None:
    data = folder(tmp_path / "photos")
    resumed(data, tmp_path / "out")
    train = tmp_path / "photos" / "train"
    for number in range(5):
        draw(train / "bag" / f"new{number}.png", 0, 100 + number, (16, 16))
    (train / "can" / "00.png").unlink()
    draw(train / "can" / "01.png", 2, 99, (20, 20))
    told = refusal(data, tmp_path / "out")
    assert "5 photos added (train/bag/new0.png, train/bag/new1.png, train/bag/new2.png, …)" in told
    assert "1 photo removed (train/can/00.png); 1 photo changed (train/can/01.png)" in told
    assert len(importing.data_for(recipe(data), tmp_path / "anew", None, resume=True).rows) == 24


def test_another_content_of_the_same_size_and_date_is_seen(tmp_path: Path) -> None:
    data = folder(tmp_path / "photos")
    resumed(data, tmp_path / "out")
    path = tmp_path / "photos" / "train" / "can" / "00.png"
    contents, status = bytearray(path.read_bytes()), path.stat()
    contents[-1] ^= 1
    path.write_bytes(contents)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "1 photo changed (can/00.png" in refusal(data, tmp_path / "out").replace("train/", "")


def test_a_photo_moved_to_another_class_is_seen(tmp_path: Path) -> None:
    data = folder(tmp_path / "photos")
    resumed(data, tmp_path / "out")
    train = tmp_path / "photos" / "train"
    (train / "can" / "00.png").rename(train / "bag" / "00.png")
    told = refusal(data, tmp_path / "out")
    assert ("1 photo added (train/bag/00.png)" in told, "1 photo removed (train/can/00.png)" in told) == (True, True)


def test_of_coco_the_annotations_the_map_and_the_photos_are_compared(tmp_path: Path) -> None:
    path = coco(tmp_path / "photos", NAMES, [0, 1] * 10)
    chosen = tmp_path / "map.yaml"
    chosen.write_text("labels: [Can, Bag]\nmap: {Can: [can], Bag: [bag]}\n")
    data = {"source": "coco", "path": str(path), "map": str(chosen)}
    first = resumed(data, tmp_path / "out")
    path.touch()
    (tmp_path / "photos" / "3.jpg").touch()
    draw(tmp_path / "photos" / "unlisted.jpg", 0, 0)
    assert resumed(data, tmp_path / "out").digest == first.digest
    tree = json.loads(path.read_text())
    tree["annotations"][0]["category_id"] = 1
    path.write_text(json.dumps(tree))
    draw(tmp_path / "photos" / "3.jpg", 2, 7, (40, 40))
    chosen.write_text("labels: [Bag, Can]\nmap: {Can: [can], Bag: [bag]}\n")
    told = refusal(data, tmp_path / "out")
    assert "1 photo changed (photos/3.jpg)" in told
    assert "1 annotation file changed (photos/annotations.json)" in told
    assert "1 category map changed (map.yaml)" in told


def test_a_photo_that_was_missing_and_came_is_seen(tmp_path: Path) -> None:
    path = coco(tmp_path / "photos", NAMES, [0, 1] * 10)
    late = (tmp_path / "photos" / "2.jpg").rename(tmp_path / "late.jpg")
    data = {"source": "coco", "path": str(path), "tolerate": 0.5}
    resumed(data, tmp_path / "out")
    assert len(resumed(data, tmp_path / "out").rows) == 19
    late.rename(tmp_path / "photos" / "2.jpg")
    assert "1 photo added (2.jpg)" in refusal(data, tmp_path / "out")


def test_of_a_table_the_list_is_compared(tmp_path: Path) -> None:
    written(tmp_path / "photos", NAMES)
    files = sorted((tmp_path / "photos").rglob("*.png"))
    lines = [f"{path.relative_to(tmp_path)},{path.parent.name}" for path in files]
    table = tmp_path / "list.csv"
    table.write_text("\n".join(["image,label", *lines]) + "\n")
    data = {"source": "table", "path": str(table), "split": {"method": "class"}}
    resumed(data, tmp_path / "out")
    table.write_text("\n".join(["image,label", *lines[1:]]) + "\n")
    told = refusal(data, tmp_path / "out")
    assert ("1 list changed (list.csv)" in told, "1 photo removed" in told) == (True, True)


def test_a_manifest_that_was_made_anew_is_refused_with_what_differs(tmp_path: Path) -> None:
    data = folder(tmp_path / "photos")
    importing.import_data(data, tmp_path / "made")
    given = tmp_path / "made" / "manifest.parquet"
    first = resumed(data, tmp_path / "out", given)
    importing.import_data(data, tmp_path / "made")
    assert resumed(data, tmp_path / "out", tmp_path / "made").digest == first.digest
    draw(tmp_path / "photos" / "train" / "bag" / "new.png", 0, 9, (16, 16))
    assert resumed(data, tmp_path / "out", given).digest == first.digest  # what it lists is as it was
    importing.import_data(data, tmp_path / "made")
    assert "1 crop added (train/bag/new.png)" in refusal(data, tmp_path / "out", given)
    rows = (replace(first.rows[0], label=1 - first.rows[0].label), *first.rows[1:])
    replace(first, rows=rows).save(given)
    assert "1 crop given another class, split or group (" in refusal(data, tmp_path / "out", given)
    first.save(given)
    assert resumed(data, tmp_path / "out", given).digest == first.digest
    draw(tmp_path / "photos" / "test" / "bag" / "10.png", 2, 99, (20, 20))
    assert "1 crop changed (test/bag/10.png)" in refusal(data, tmp_path / "out", given)


def test_own_data_and_a_manifest_that_is_given_do_not_replace_each_other(tmp_path: Path) -> None:
    data = folder(tmp_path / "photos")
    own = resumed(data, tmp_path / "own")
    assert resumed(data, tmp_path / "own", tmp_path / "own").digest == own.digest
    replace(own, rows=own.rows[1:]).save(tmp_path / "less" / "manifest.parquet")
    assert "was begun with data of its own" in refusal(data, tmp_path / "own", tmp_path / "less")
    resumed(data, tmp_path / "given", tmp_path / "less")
    with pytest.raises(UserError, match=r"was begun with --manifest .*less; name it again"):
        resumed(data, tmp_path / "given")


def test_data_that_are_drawn_have_no_files_and_an_older_folder_says_that_it_does_not_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder(tmp_path / "photos")
    resumed(data, tmp_path / "out")
    (tmp_path / "out" / "inputs.parquet").unlink()
    resumed(data, tmp_path / "out")
    assert "does not tell which files its import read" in capsys.readouterr().err
    drawn = {"source": "sample", "train": 20, "val": 6, "test": 6}
    importing.data_for(recipe(drawn), tmp_path / "drawn", None, resume=True)
    assert resumed(drawn, tmp_path / "drawn").rows
    assert "does not tell" not in capsys.readouterr().err


def test_a_damaged_record_is_one_clear_line(tmp_path: Path) -> None:
    item = tmp_path / "a.jpg"
    item.write_bytes(b"a")
    kept = InputFiles(inputs.describe_files({item: "photo", tmp_path / "gone.jpg": "photo"}))
    kept.save(tmp_path / "inputs.parquet")
    assert inputs.load(tmp_path / "inputs.parquet") == kept
    InputFiles(()).save(tmp_path / "none.parquet")
    assert inputs.load(tmp_path / "none.parquet").files == ()
    (tmp_path / "inputs.parquet").write_bytes(b"PAR1")
    with pytest.raises(IntegrityError, match="cannot be read"):
        inputs.load(tmp_path / "inputs.parquet")


def test_a_file_of_the_same_size_and_times_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = tmp_path / "a.jpg"
    item.write_bytes(b"a")
    before = inputs.describe_files({item: "photo"})
    monkeypatch.setattr(inputs, "hash_file", lambda path: pytest.fail(f"read {path}"))
    assert inputs.differences(before, {item: "photo"}) == ""

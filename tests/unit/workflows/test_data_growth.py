"""Photos mined, labelled, added to a manifest, and what the manifests then differ in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from leansort.core import manifest as manifests
from leansort.core.errors import UserError
from leansort.workflows.data.data_growth import add_photos, diff_manifests, diff_text
from leansort.workflows.data.import_data import import_data
from leansort.workflows.field.photo_mining import mine_photos
from tests.support.graphs import LABELS, colour_bundle
from tests.unit.workflows.test_watch import paint


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("old"), np.random.default_rng(0)
    for number in range(30):
        paint(folder / "photos" / LABELS.names[number % 3] / f"{number}.png", rng, kind=number % 3)
    import_data({"source": "folder", "path": folder / "photos"}, folder / "crops")
    return folder


@pytest.fixture
def belt(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    for number in range(12):
        paint(tmp_path / "belt" / f"{number}.png", rng)
    shutil.copy(tmp_path / "belt" / "0.png", tmp_path / "belt" / "twice.png")
    (tmp_path / "belt" / "bad.png").write_bytes(b"x")
    return tmp_path / "belt"


def test_mined_photos_are_copied_with_guesses_and_can_be_added(old: Path, belt: Path, tmp_path: Path) -> None:
    mined = mine_photos(colour_bundle(), belt, tmp_path / "mined", keep=5)
    assert (len(mined.photos), mined.looked_at, mined.repeated) == (5, 14, ("twice.png",))
    assert mined.unreadable[0].startswith("bad.png: ")
    assert sorted(mined.photos) == sorted(path.name for path in (tmp_path / "mined" / "photos").iterdir())
    assert sum(mined.guessed.values()) == 5
    grown = add_photos(old / "crops", [mined.guesses], tmp_path / "grown")
    assert (grown.before, {split: sum(of.values()) for split, of in grown.added.items()}) == (30, {"train": 5})
    made = manifests.load(tmp_path / "grown")
    assert all(made.path(row).is_file() for row in made.rows)
    before = {row.hash: row.split for row in manifests.load(old / "crops").rows}
    assert {row.hash: row.split for row in made.rows if row.hash in before} == before
    difference = diff_manifests(old / "crops", tmp_path / "grown")
    assert (difference.same, len(difference.added)) == (30, 5)
    assert (difference.removed, difference.relabelled, difference.moved) == ((), (), ())


def test_guesses_as_coco_and_a_limit_in_bytes(belt: Path, tmp_path: Path) -> None:
    size = (belt / "0.png").stat().st_size
    mined = mine_photos(colour_bundle(), belt, tmp_path / "mined", megabytes=4.5 * size / 1e6, style="coco")
    assert 1 <= len(mined.photos) <= 5
    assert mined.bytes <= 4.5 * size
    tree = json.loads(mined.guesses.read_text())
    assert [item["name"] for item in tree["categories"]] == list(LABELS.names)
    assert len(tree["images"]) == len(tree["annotations"]) == len(mined.photos)
    assert tree["annotations"][0]["bbox"] == [0, 0, 32, 24]


def test_what_is_there_already_is_named_and_left_out(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(2)
    new = tmp_path / "new"
    paint(new / "a" / "fresh.png", rng, kind=0)
    paint(new / "b" / "other.png", rng, kind=1)
    for name in ("a", "b", "c"):
        (new / name).mkdir(exist_ok=True)
    shutil.copy(old / "photos" / "a" / "0.png", new / "a" / "again.png")
    shutil.copy(old / "photos" / "b" / "1.png", new / "c" / "wrong.png")
    (new / "c" / "bad.png").write_bytes(b"x")
    grown = add_photos(old / "crops", [new], tmp_path / "grown", split="val")
    assert grown.added == {"val": {"a": 1, "b": 1}}
    assert [Path(name).name for name in grown.duplicates] == ["again.png"]
    assert "wrong.png: c, there photos/b/1.png: b" in grown.conflicts[0] or "1.png: b" in grown.conflicts[0]
    assert len(grown.unreadable) == 1
    error = capsys.readouterr().err
    assert "left out 1 that are there with another label" in error
    with pytest.raises(UserError, match="nothing is left to add"):
        add_photos(tmp_path / "grown", [new], tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_differences_are_told_by_kind(old: Path, tmp_path: Path) -> None:
    first = manifests.load(old / "crops")
    rows = list(first.rows)
    moved = "val" if rows[0].split == "train" else "train"
    rows[0] = type(rows[0])(**{**{k: getattr(rows[0], k) for k in rows[0].__slots__}, "split": moved})
    rows[1] = type(rows[1])(**{**{k: getattr(rows[1], k) for k in rows[1].__slots__}, "label": (rows[1].label + 1) % 3})
    manifests.Manifest(tuple(rows[:-1]), first.labels, first.root).save(tmp_path / "manifest.parquet")
    result = diff_manifests(old / "crops", tmp_path)
    assert (result.same, len(result.removed)) == (27, 1)
    assert result.moved[0].after == moved
    assert len(result.relabelled) == 1
    assert "removed: 1" in diff_text(result)


def test_bad_input_is_one_line_and_leaves_nothing(old: Path, belt: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="say how many"):
        mine_photos(colour_bundle(), belt, tmp_path / "out")
    with pytest.raises(UserError, match="allowed: coco, csv"):
        mine_photos(colour_bundle(), belt, tmp_path / "out", keep=1, style="xml")
    with pytest.raises(UserError, match="is not there"):
        mine_photos(colour_bundle(), tmp_path / "no", tmp_path / "out", keep=1)
    with pytest.raises(UserError, match="fits into"):
        mine_photos(colour_bundle(), belt, tmp_path / "out", megabytes=0.00001)
    with pytest.raises(UserError, match="is not there"):
        add_photos(old / "crops", [tmp_path / "no.csv"], tmp_path / "out")
    with pytest.raises(UserError, match="allowed: test, train, val"):
        add_photos(old / "crops", [belt], tmp_path / "out", split="vall")
    (tmp_path / "new.csv").write_text("image,label\nbelt/0.png,glas\n")
    with pytest.raises(UserError, match="glas"):
        add_photos(old / "crops", [tmp_path / "new.csv"], tmp_path / "out")
    assert not (tmp_path / "out").exists()

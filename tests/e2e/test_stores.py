"""Photos, bundles and answers in a store, by the command line: the same as of files, and faults told by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

import leansort
from leansort.core import manifest as manifests
from leansort.core.run_folder import DataFolder
from leansort.runtime.shipped_models import default_model
from tests.conftest import Cli, draw
from tests.e2e.test_mistakes import refused
from tests.support.store_server import StoreServer, serve

MODEL = "trashnet-lean"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders with six photos. Treat as read-only."""
    folder = tmp_path_factory.mktemp("bucket") / "photos"
    for kind, name in enumerate(("glass", "metal", "paper")):
        for seed in range(2):
            (folder / name).mkdir(parents=True, exist_ok=True)
            draw(folder / name / f"{name}{seed}.jpg", kind, seed=seed)
    shutil.copy(default_model().path, folder.parent / "model.leansort")
    return folder


@pytest.fixture
def store(photos: Path) -> Iterator[StoreServer]:
    with serve(photos.parent) as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_photos_and_bundle_in_a_store_give_what_files_give(cli: Cli, photos: Path, store: StoreServer) -> None:
    store.needs = "sig=SECRET"
    query = f"?{store.needs}"
    local = cli("predict", MODEL, photos / "glass" / "glass0.jpg", photos / "paper" / "paper1.jpg", "--format", "csv")
    far = [f"{store.address}/photos/{name}{query}" for name in ("glass/glass0.jpg", "paper/paper1.jpg")]
    told = cli("predict", f"{store.address}/model.leansort{query}", *far, "--format", "csv")
    assert (local.returncode, told.returncode) == (0, 0), told.stderr
    assert told.stdout == local.stdout.replace(f"{photos}", f"{store.address}/photos")
    assert "SECRET" not in told.stdout + told.stderr


def test_a_folder_in_a_store_is_listed_and_passed_over_alike(cli: Cli, photos: Path, store: StoreServer) -> None:
    local = cli("predict", MODEL, photos, "--format", "json")
    told = cli("predict", MODEL, f"{store.address}/photos/", "--format", "json")
    assert told.returncode == 0, told.stderr
    assert told.stdout == local.stdout.replace(str(photos), f"{store.address}/photos")


def test_one_bad_photo_in_a_store_stops_nothing(cli: Cli, store: StoreServer) -> None:
    store.cut.add("glass0.jpg")
    names = [f"{store.address}/photos/{name}" for name in ("glass/glass0.jpg", "gone.jpg", "paper/paper1.jpg")]
    told = cli("predict", MODEL, "-", "--format", "json", stdin="\n".join(names))
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert told.returncode == 1
    assert "is cut short" in lines[0]["error"]
    assert "No such file" in lines[1]["error"]
    assert lines[2]["label"]


def test_keys_that_expire_half_way_end_the_work_and_keep_what_is_done(
    cli: Cli, store: StoreServer, tmp_path: Path
) -> None:
    store.refuse_after = 3
    names = [f"{store.address}/photos/glass/glass{number % 2}.jpg" for number in range(8)]
    out = tmp_path / "labels.json"
    told = cli("predict", MODEL, "-", "--format", "json", "--out", out, stdin="\n".join(names))
    assert told.returncode == 1
    assert len(told.stderr.strip().splitlines()) == 1, told.stderr
    assert "access was refused" in told.stderr
    assert f"the lines that are done are in {out}.part" in told.stderr
    assert not out.exists()
    lines = out.with_name("labels.json.part").read_text().splitlines()
    assert len(lines) == 3
    assert all(json.loads(line)["label"] for line in lines)


def test_what_cannot_be_is_told_in_one_line(cli: Cli, store: StoreServer, photos: Path) -> None:
    picture = photos / "glass" / "glass0.jpg"
    refused(cli("predict", MODEL, picture, "--out", f"{store.address}/labels.csv"), "http:// is only read")
    refused(cli("predict", MODEL, "gs://bucket/photos"), "run: pip install gcsfs")
    refused(cli("predict", "s33://bucket/model.leansort", picture), "no scheme that fsspec knows")
    refused(cli("predict", f"{store.address}/gone.leansort", picture), "is not there")
    refused(cli("data", "check", f"{store.address}/gone/"), "is not there")


def test_answers_are_scored_against_class_folders_in_a_store(cli: Cli, photos: Path, store: StoreServer) -> None:
    far = cli("score", f"{store.address}/model.leansort", "--ground-truth", f"{store.address}/photos/", "--json")
    near = cli("score", MODEL, "--ground-truth", photos, "--json")
    assert far.returncode == 0, far.stderr
    assert json.loads(far.stdout)["lists"]["all"]["confusion"] == json.loads(near.stdout)["lists"]["all"]["confusion"]


def test_a_submission_is_written_into_a_store(photos: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(photos), "/bucket/photos", recursive=True)
    result = leansort.submit(MODEL, "memory://bucket/photos", out="memory://bucket/answers.json")
    assert str(result.file) == "memory://bucket/answers.json"
    assert sorted(json.loads(memory.cat("/bucket/answers.json"))["inference"])[0] == "glass0.jpg"
    assert leansort.score("memory://bucket/answers.json", ground_truth="memory://bucket/photos").all.crops == 6


def test_an_import_of_a_store_has_its_photos_and_fetches_none_twice(
    cli: Cli, store: StoreServer, photos: Path, tmp_path: Path
) -> None:
    address = f"{store.address}/photos/"
    store.cut.add("metal1.jpg")
    failed = cli("data", "import", "folder", address, "--out", tmp_path / "crops")
    assert failed.returncode == 1
    assert "1 of 6 files could not be fetched" in failed.stderr
    assert "metal1.jpg: is cut short" in failed.stderr
    assert not (tmp_path / "crops").exists()
    store.cut.clear()
    store.asked.clear()
    told = cli("data", "import", "folder", address, "--out", tmp_path / "crops")
    assert told.returncode == 0, told.stderr
    assert "1 files fetched, 5 were here, 0 gone" in told.stderr
    assert {path for path in store.asked if path.endswith(".jpg")} == {"/photos/metal/metal1.jpg"}
    manifest = manifests.load(tmp_path / "crops")
    assert sorted(row.image for row in manifest.rows)[0] == "glass/glass0.jpg"
    assert all(manifest.path(row).is_relative_to(tmp_path / "crops" / "photos") for row in manifest.rows)
    assert f"{store.address}/photos" in DataFolder(tmp_path / "crops").import_record.path.read_text()


def test_a_check_of_a_store_is_that_of_the_folder(cli: Cli, store: StoreServer, photos: Path) -> None:
    far, near = cli("data", "check", f"{store.address}/photos/", "--json"), cli("data", "check", photos, "--json")
    assert far.returncode == 0, far.stderr
    assert json.loads(far.stdout) == json.loads(near.stdout)

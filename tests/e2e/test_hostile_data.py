"""Data made to break the data commands: one clear line, the right exit code, nothing left over, no hang."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from leansort.core import manifest as manifests
from tests.conftest import Cli, draw, listening


def refused(done: Any, part: str, code: int = 2) -> None:
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == code, done.stderr
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert part in lines[0], lines[0]


@pytest.fixture
def imported(folders: Path, cli: Cli, tmp_path: Path) -> Path:
    """A manifest of a copy of the pictures, which a test may damage."""
    shutil.copytree(folders, tmp_path / "pictures")
    done = cli("data", "import", "folder", tmp_path / "pictures", "--out", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    return tmp_path / "m"


def cifar(path: Path, names: bytes, labels: bytes) -> Path:
    files = {"batches.meta.txt": names, "data_batch_1.bin": b"".join(bytes([k]) + bytes(3072) for k in labels)}
    with tarfile.open(path, "w:gz") as archive:
        for name, data in {**files, "test_batch.bin": files["data_batch_1.bin"]}.items():
            member = tarfile.TarInfo(f"c/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def test_a_class_name_does_not_lead_out_of_the_folder(cli: Cli, tmp_path: Path) -> None:
    path = cifar(tmp_path / "x.tar.gz", b"../../../escaped\nother\n", bytes([0, 1, 0, 1]))
    done = cli("data", "import", "cifar", path, "--out", tmp_path / "deep" / "out")
    assert done.returncode == 0, done.stderr
    inside = list((tmp_path / "deep" / "out").rglob("*.png"))
    assert len(inside) == len(list(tmp_path.rglob("*.png"))) == 8


def test_damaged_archives(cli: Cli, tmp_path: Path) -> None:
    refused(
        cli(
            "data", "import", "cifar", cifar(tmp_path / "l.tar.gz", b"a\nb\n", bytes([0, 200])), "--out", tmp_path / "o"
        ),
        "has label 200, its names are 2",
    )
    good = cifar(tmp_path / "good.tar.gz", b"a\nb\n", bytes(os.urandom(2)[0] % 2 for _ in range(8)))
    data = bytearray(good.read_bytes())
    data[-8] ^= 0xFF  # the checksum of the whole
    (tmp_path / "bad.tar.gz").write_bytes(bytes(data))
    refused(cli("data", "import", "cifar", tmp_path / "bad.tar.gz", "--out", tmp_path / "o"), "cannot read the archive")
    (tmp_path / "no.tar.gz").write_bytes(b"{}")
    refused(cli("data", "import", "cifar", tmp_path / "no.tar.gz", "--out", tmp_path / "o"), "cannot read the archive")
    assert not (tmp_path / "o").exists()


def test_a_pipe_is_not_waited_for(cli: Cli, tmp_path: Path, folders: Path) -> None:
    shutil.copytree(folders, tmp_path / "f")
    name = next((tmp_path / "f" / "train").iterdir()).name
    os.mkfifo(tmp_path / "f" / "train" / name / "pipe.jpg")
    done = cli("data", "import", "folder", tmp_path / "f", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    assert "pipe.jpg: pipe, socket or device, ignored" in done.stderr
    os.mkfifo(tmp_path / "annotations.json")
    refused(cli("data", "import", "coco", tmp_path / "annotations.json", "--dry-run"), "not a regular file")


def test_names_that_are_not_text_and_folders_beside(cli: Cli, tmp_path: Path, folders: Path) -> None:
    root = tmp_path / "f"
    shutil.copytree(folders / "train", root / "Training")
    shutil.copytree(folders / "val", root / "Validation")
    name = next((root / "Training").iterdir()).name
    draw(root / "extra" / "a.jpg", 0, 1)
    (root / "Training" / name / os.fsdecode(b"\xff.jpg")).write_bytes(b"x")
    done = cli("data", "import", "folder", root, "--out", tmp_path / "o", "--json")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["splits"]) == {"train", "val"}
    assert "extra/a.jpg: not in a class folder, ignored" in done.stderr
    assert "name is not UTF-8, ignored" in done.stderr


def test_a_group_given_to_two_splits_is_refused(cli: Cli, tmp_path: Path) -> None:
    for number in range(3):
        draw(tmp_path / f"{number}.jpg", number % 2, number)
    (tmp_path / "l.csv").write_text("image,label,split,group\n0.jpg,x,train,g\n1.jpg,y,test,g\n2.jpg,x,train,h\n")
    done = cli("data", "import", "table", tmp_path / "l.csv", "--out", tmp_path / "o")
    refused(done, "1 groups are given to more than one split, first 'g'")


def test_splits_never_overwrite_and_say_what_goes_together(cli: Cli, imported: Path, tmp_path: Path) -> None:
    before = (imported / "manifest.parquet").read_bytes()
    refused(cli("data", "split", imported, "--out", imported), "not empty")
    assert (imported / "manifest.parquet").read_bytes() == before
    refused(cli("data", "split", imported, "--out", tmp_path / "o", "--fold", "2"), "--folds and --fold go together")
    folds = ["--folds", "3", "--fold", "0"]
    refused(cli("data", "split", imported, "--out", tmp_path / "o", *folds, "--ratios", "1,0,0"), "means nothing")
    refused(cli("data", "split", imported, "--out", tmp_path / "o", "--ratios", "0.5,0.6,0.1"), "add up to 1")
    refused(cli("data", "split", imported, "--out", tmp_path / "o", "--by", "clas"), "'clas'")


def test_a_changed_or_vanished_picture_does_not_reach_the_cache(
    cli: Cli, imported: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    manifest = manifests.load(imported)
    picture = manifest.path(manifest.rows[3])
    command = ("data", "cache", imported, "--recipe", tiny_recipe, "--out", tmp_path / "cache")
    draw(picture, 2, 999)
    refused(cli(*command), f"{picture.name} has changed since the import")
    picture.unlink()
    refused(cli(*command), f"{picture.name} cannot be read", code=1)
    assert not list((tmp_path / "cache").glob("*.npy"))


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_cache_is_built_anew(
    cli: Cli, imported: Path, tiny_recipe: Path, tmp_path: Path, damage: Any
) -> None:
    command = ("data", "cache", imported, "--recipe", tiny_recipe, "--out", tmp_path / "cache")
    assert cli(*command).returncode == 0
    whole = {path: path.read_bytes() for path in (tmp_path / "cache").glob("*.npy")}
    for path, data in whole.items():
        path.write_bytes(data[:1000] if damage is None else damage)
    assert cli(*command).returncode == 0
    assert {path: path.read_bytes() for path in (tmp_path / "cache").glob("*.npy")} == whole


def test_a_changed_manifest_is_refused(cli: Cli, imported: Path) -> None:
    path = imported / "manifest.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["box"]), path)
    refused(cli("data", "check", imported), "lacks columns of a manifest")
    pq.write_table(table.replace_schema_metadata({b"leansort": b"[1]"}), path)
    refused(cli("data", "check", imported), "has version None")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["folder", "{f}", "{f}"], "folder takes one path, got 2"),
        (["coco", "trian=a.json", "val=b.json"], "'trian=a.json'; SPLIT=FILE is for all files or none"),
        (["folder", "{f}", "--margin", "0.1"], "margin: unknown key"),
        (["coco", "{f}", "--margin", "wide"], "'--margin': Input should be a valid number"),
        (["coco", "{f}", "--seed=-1"], "'--seed': Input should be greater than or equal to 0 (got '-1')"),
        (["folder", "{f}", "--ratios", "0.7,0.3"], "e.g. 0.7,0.15,0.15"),
        (["folder", "{f}/train/Metal"], "in class folders"),
    ],
)
def test_arguments_that_cannot_be_meant(
    cli: Cli, folders: Path, tmp_path: Path, arguments: list[str], part: str
) -> None:
    given = [argument.format(f=folders) for argument in arguments]
    refused(cli("data", "import", *given, "--out", tmp_path / "o"), part)
    assert not (tmp_path / "o").exists()


def test_an_import_fills_the_folder_one_stands_in_and_empties_it_again(cli: Cli, folders: Path, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    refused(cli("data", "import", "folder", tmp_path, "--out", ".", cwd=tmp_path / "here"), "in class folders")
    assert not list((tmp_path / "here").iterdir())
    done = cli("data", "import", "folder", folders, "--out", ".", cwd=tmp_path / "here")
    assert done.returncode == 0, done.stderr
    manifest = manifests.load(tmp_path / "here")
    assert manifest.path(manifest.rows[0]).is_file()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_import_that_is_stopped_leaves_nothing_in_the_way(cli: Cli, tmp_path: Path, how: signal.Signals) -> None:
    assert cli("data", "sample", "--out", tmp_path / "s", "--train", "60", "--val", "2", "--test", "2").returncode == 0
    command = [sys.executable, "-m", "leansort", "data", "import", "coco", str(tmp_path / "s" / "annotations.json")]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "o")], stderr=subprocess.PIPE, text=True, preexec_fn=listening
    )
    assert process.stderr is not None
    process.stderr.readline()  # "data: reading …": at work
    process.send_signal(how)
    answer = process.communicate(timeout=60)[1]
    assert process.returncode != 0
    assert "Traceback" not in answer
    assert not (tmp_path / "o").exists()
    if how != signal.SIGKILL:
        assert not list(tmp_path.glob(".o.*.part"))
    again = cli("data", "import", "coco", tmp_path / "s" / "annotations.json", "--out", tmp_path / "o")
    assert again.returncode == 0, again.stderr
    assert not list(tmp_path.glob(".o.*.part"))


def test_output_that_takes_no_more(folders: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "leansort", "data", "check", str(folders)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    refused(done, "No space left on device", code=1)

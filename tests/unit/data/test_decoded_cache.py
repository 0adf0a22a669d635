from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from leansort.core import manifest as manifests
from leansort.core.preprocess import Preprocess
from leansort.data.importing.manifest_builder import build_manifest
from leansort.data.loading.decoded_cache import load_decoded, size_bytes
from leansort.data.sources import folder

BUILD = """
import sys, time
from pathlib import Path
from leansort.core import manifest as manifests
from leansort.core.preprocess import Preprocess
from leansort.data.loading import decoded_cache as cache
rows = manifests.load(Path(sys.argv[1]))
delay = float(sys.argv[3])
built = []
def progress(done, all):
    built.append(done)
    print("working", flush=True)
    time.sleep(delay)
pixels = cache.load_decoded(rows, rows.rows, Preprocess(size=32), Path(sys.argv[2]), progress)
print("built" if built else "found", int(pixels.sum()))
"""


@pytest.fixture
def imported(folders: Path, tmp_path: Path) -> Path:
    manifest, _ = build_manifest(folder.FolderSource(folder.FolderConfig(path=folders)).items())
    manifest.save(tmp_path / "manifest.parquet")
    return tmp_path / "manifest.parquet"


def build(imported: Path, out: Path, delay: float = 0.0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILD, str(imported), str(out), str(delay)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_cache_holds_what_preprocessing_gives(imported: Path, tmp_path: Path) -> None:
    manifest, preprocess = manifests.load(imported), Preprocess(size=32)
    pixels = load_decoded(manifest, manifest.rows, preprocess, tmp_path / "cache")
    for row, crop in zip(manifest.rows, pixels, strict=True):
        assert np.array_equal(crop, preprocess(manifest.path(row)))
    assert not pixels.flags.writeable
    [file] = (tmp_path / "cache").glob("*.npy")
    assert file.stat().st_size == size_bytes(len(manifest.rows), preprocess) + 128
    other = load_decoded(manifest, manifest.rows, Preprocess(size=32, fit="crop"), tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 2
    assert not np.array_equal(other, pixels)


def test_of_two_builders_one_builds(imported: Path, tmp_path: Path) -> None:
    both = [build(imported, tmp_path / "cache", 0.01) for _ in range(2)]
    ends = [process.communicate(timeout=60)[0].splitlines()[-1].split() for process in both]
    assert sorted(end[0] for end in ends) == ["built", "found"]
    assert ends[0][1] == ends[1][1]
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 1


def test_a_killed_builder_leaves_nothing_that_counts(imported: Path, tmp_path: Path) -> None:
    first = build(imported, tmp_path / "cache", 0.5)
    assert first.stdout is not None
    assert first.stdout.readline() == "working\n"
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not list((tmp_path / "cache").glob("*.npy"))
    started = time.monotonic()
    second = build(imported, tmp_path / "cache")
    assert second.communicate(timeout=60)[0].splitlines()[-1].startswith("built")
    assert time.monotonic() - started < 30
    assert not list((tmp_path / "cache").glob(".*.part"))


def test_no_room_is_one_clear_line(imported: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "leansort", "data", "cache", str(imported), "--out", str(tmp_path / "cache")]
    recipe = tmp_path / "r.yaml"
    recipe.write_text("name: r\ndata: {source: folder, path: .}\npreprocess: {size: 64}\n")
    limit = 100_000  # bytes that a file may have: as a disk that fills up, and needs no rights to set up
    done = subprocess.run(
        [*command, "--recipe", str(recipe)], capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("error: cannot write")]
    assert "Traceback" not in done.stderr
    assert [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"] == []

"""A bundle as C++: a stranger builds the folder, and the program says what Python says, pixels to the last bit."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.files.bundle_decisions import LOGIT_METHODS
from leansort.core.preprocess import Fit, Preprocess
from leansort.core.seeds import Seeds
from leansort.data.synthetic.scene import draw_scene
from leansort.export.cpp.cpp_settings import settings_text
from leansort.export.cpp.golden_photos import draw_photos
from leansort.runtime.predictor import Classifier
from leansort.runtime.shipped_models import find_bundle
from tests.conftest import Cli
from tests.support.damaged_jpegs import damaged
from tests.support.graphs import colour_bundle

pytestmark = pytest.mark.xdist_group("cpp")  # the compiler is the longest part
MODEL = "trashnet-lean"
DAMAGED = 3000
SANITIZER = ("AddressSanitizer", "runtime error", "LeakSanitizer")


def run(*words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(w) for w in words], input=stdin, capture_output=True, text=True, check=False)


def compiled(source: Path, build: Path, *options: str, target: str = "all") -> Path:
    """Configure and build as the folder's README says; all of it, or one program."""
    utils = pytest.importorskip("openvino.utils")
    configure: list[str | Path] = ["cmake", "-S", source, "-B", build, f"-DOpenVINO_DIR={utils.get_cmake_path()}"]
    make: list[str | Path] = ["cmake", "--build", build, "--target", target]
    for words in ([*configure, *options], make):
        done = run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warning" not in done.stderr, done.stderr
    return build


@pytest.fixture(scope="module")
def sorter(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the shipped model. Treat as read-only."""
    pytest.importorskip("openvino")
    folder = tmp_path_factory.mktemp("cpp") / "sorter"
    done = cli("export", MODEL, "--format", "cpp", "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def tools() -> None:
    for program in ("g++", "cmake", "ctest"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here; on Debian: apt-get install g++ cmake")
    if run("g++", "-fsyntax-only", "-include", "turbojpeg.h", "-x", "c++", "/dev/null").returncode:
        pytest.skip("no headers of TurboJPEG here; on Debian: apt-get install libturbojpeg0-dev")


@pytest.fixture(scope="module")
def build(tools: None, sorter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(sorter, tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def program(build: Path) -> Path:
    return build / "leansort_predict"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Photos of many sizes, colours, samplings and orientations. Treat as read-only."""
    folder, rng = tmp_path_factory.mktemp("drawn"), np.random.default_rng(0)
    scene = Image.fromarray(draw_scene(Seeds(0).child("cpp").numpy())[0])
    paths = []
    for number in range(80):
        mode = str(rng.choice(["RGB", "RGB", "L", "CMYK"]))
        more: dict[str, Any] = {"subsampling": int(rng.integers(3))} if mode == "RGB" else {}
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(0, 10))
        exif[0x010F] = "A maker of cameras"
        size = tuple(rng.integers(1, 1500, 2).tolist())
        paths.append(folder / f"{number:02d} ä.jpg")
        scene.resize(size).convert(mode).save(
            paths[-1], quality=int(rng.integers(30, 100)), progressive=bool(rng.integers(2)), exif=exif, **more
        )
    return paths


def answers(program: Path, paths: Sequence[Path], *options: str | Path) -> list[list[str]]:
    """The program's columns for each path."""
    done = run(program, *options, "--pixels", "-", stdin="".join(f"{path}\n" for path in paths))
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == [str(path) for path in paths]
    return rows


def require_pythons(program: Path, bundle: Bundle, paths: Sequence[Path], *options: str | Path) -> None:
    """Same pixels, labels and decisions; probabilities to the last digit that is printed."""
    with Classifier.of(bundle, engine="openvino") as classifier:
        for row, path in zip(answers(program, paths, *options), paths, strict=True):
            made = classifier.predict(path)
            known = {None: "-", True: "known", False: "unknown"}[made.known]
            pixels = f"{zlib.crc32(classifier.preprocess(path).tobytes()):08x}"
            decided = "accepted" if made.accepted else "rejected"
            assert row[1:2] + row[3:] == [made.label, known, decided, pixels], path
            assert float(row[2]) == pytest.approx(made.probability, abs=2e-4), path


@pytest.mark.slow
def test_the_folders_own_test_passes_and_says_what_it_checked(build: Path, sorter: Path) -> None:
    done = run("ctest", "--test-dir", build, "--output-on-failure")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100% tests passed, 0 tests failed out of 3" in done.stdout
    done = run(build / "leansort_golden", sorter / "golden")
    assert "10 photos and 17 frames, 0 faults" in done.stdout


@pytest.mark.slow
def test_the_folders_own_test_fails_where_a_pixel_or_a_probability_differs(
    build: Path, sorter: Path, tmp_path: Path
) -> None:
    shutil.copytree(sorter / "golden", tmp_path / "golden")
    (tmp_path / "golden" / "area.jpg").write_bytes((sorter / "golden" / "half.jpg").read_bytes())
    done = run(build / "leansort_golden", tmp_path / "golden")
    assert done.returncode == 1
    assert "FAILED: area.jpg: pixels: " in done.stderr
    assert " values differ, by up to " in done.stderr
    assert "FAILED: area.jpg: probabilities are " in done.stderr


@pytest.mark.slow
def test_drawn_photos_get_pythons_answers(program: Path, drawn: list[Path]) -> None:
    require_pythons(program, bundles.load(find_bundle(MODEL)), drawn)


@pytest.mark.slow
def test_real_photos_get_pythons_answers(program: Path, trashnet: Path) -> None:
    paths = sorted((trashnet / "val").rglob("*.jpg"))
    assert len(paths) > 300
    require_pythons(program, bundles.load(find_bundle(MODEL)), paths)


@pytest.mark.slow
@pytest.mark.parametrize("fit", ["pad", "stretch", "crop"])
@pytest.mark.parametrize("method", [*LOGIT_METHODS, None])
def test_every_fit_and_novelty_decides_as_python_does(
    fit: Fit, method: str | None, program: Path, drawn: list[Path], tmp_path: Path
) -> None:
    scale = {"method": method, "zero": -30.0, "span": 15.0, "reject": True}
    if method not in ("energy", "max_logit", "margin"):
        scale |= {"zero": 0.1, "span": 0.8}
    bundle = colour_bundle(
        "openvino" if method == "margin" else "onnx",
        preprocess=Preprocess(size=16, fit=fit, fill=200),
        novelty=scale if method else None,
        temperature=8.0,
        reject_below=0.5,
    )
    for name, data in {**bundle.files, "settings.txt": settings_text(bundle).encode()}.items():
        (tmp_path / name).write_bytes(data)
    require_pythons(program, bundle, drawn[:30], "--model", tmp_path)


@pytest.mark.slow
def test_bad_photos_get_one_clear_line_each_and_the_others_are_classified(
    program: Path, sorter: Path, tmp_path: Path
) -> None:
    good = sorter / "golden" / "area.jpg"
    data = good.read_bytes()
    at = data.index(b"\xff\xc0") + 5
    huge = data[:at] + b"\xff\xdc\xff\xdc" + data[at + 4 :]
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, "PNG")
    bad = {
        "empty.jpg": (b"", "is empty (0 bytes)"),
        "text.jpg": (b"not a picture", "is no JPEG"),
        "page.jpg": (b"<html>", "is no JPEG but HTML or XML text (a failed download?)"),
        "png.jpg": (file.getvalue(), "is no JPEG but PNG"),
        "cut.jpg": (data[: len(data) // 2], "is cut short (no end-of-image marker)"),
        "head.jpg": (data[:20], "has a damaged JPEG header"),
        "huge.jpg": (huge, f"is damaged: 65500 x 65500 pixels cannot come out of {len(data)} bytes"),
        "larger.jpg": (
            huge[:-2] + bytes(3_000_000) + b"\xff\xd9",
            "has too many pixels: 65500 x 65500 pixels, at most 2",
        ),
    }
    for name, (content, _) in bad.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe.jpg")
    lines = {**{name: why for name, (_, why) in bad.items()}, "pipe.jpg": "is no file", "gone.jpg": "is not there"}
    done = run(program, good, *(tmp_path / name for name in lines), good)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    told = done.stderr.splitlines()
    assert len(told) == len(lines)
    for line, (name, why) in zip(told, lines.items(), strict=True):
        assert line.startswith(f"{tmp_path / name} {why}"), line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "no photo is named; usage: "),
        (("--bogus", "x.jpg"), "no option --bogus; usage: "),
        (("--model",), "--model needs a value"),
        (("--threads", "two", "x.jpg"), "--threads: got two, need a whole number"),
        (("--threads", "0", "x.jpg"), "threads: got 0, allowed: 1 to 256"),
        (("--model", "/nowhere", "x.jpg"), "/nowhere/settings.txt cannot be read"),
    ],
)
def test_what_cannot_be_begun_is_said_in_one_line(words: tuple[str, ...], why: str, program: Path) -> None:
    done = run(program, *words)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith("error: ")
    assert why in done.stderr


@pytest.mark.slow
def test_a_model_that_was_changed_is_refused(program: Path, sorter: Path, tmp_path: Path) -> None:
    photo = sorter / "golden" / "area.jpg"
    settings = (sorter / "model" / "settings.txt").read_text()
    changes = {
        "size 160": ("size 1e9", "line 5: got 1e9, which is no number allowed here"),
        "size 160\n": ("", "size is missing"),
        "fit stretch": ("fit mosaic", "fit: got mosaic, allowed: crop, pad, stretch"),
        "label trash\n": ("", "are not those of settings.txt"),
        "leansort_model 1": ("leansort_model 2", "version 2, this runtime reads 1"),
        "fill 114": ("fill 114\nfill 3", "fill stands there twice"),
        "novelty mahalanobis": ("novelty oracle", "oracle, which this runtime does not compute"),
        "file graph.onnx": ("file ../graph.onnx", "need a file's name"),
        "label glass": ("colour glass", "unknown key colour"),
    }
    for number, (old, (new, why)) in enumerate(changes.items()):
        folder = Path(shutil.copytree(sorter / "model", tmp_path / str(number)))
        assert old in settings
        (folder / "settings.txt").write_text(settings.replace(old, new, 1))
        done = run(program, "--model", folder, photo)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert why in done.stderr
    folder = Path(shutil.copytree(sorter / "model", tmp_path / "graph"))
    graph = folder / "graph.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    assert "graph.onnx is damaged or was changed" in run(program, "--model", folder, photo).stderr
    graph.unlink()
    assert "graph.onnx is not there" in run(program, "--model", folder, photo).stderr


@pytest.mark.slow
def test_damaged_photos_are_classified_or_refused_and_no_sanitizer_complains(
    tools: None, sorter: Path, tmp_path: Path
) -> None:
    folder = compiled(sorter, tmp_path / "build", "-DLEANSORT_SANITIZE=ON", target="leansort_predict")
    program = folder / "leansort_predict"
    paths = []
    for number, data in enumerate(damaged(list(draw_photos(96).values()), DAMAGED)):
        paths.append(str(tmp_path / f"{number}.jpg"))
        Path(paths[-1]).write_bytes(data)
    done = run(program, "-", stdin="".join(f"{path}\n" for path in paths))
    assert not any(word in done.stderr for word in SANITIZER), done.stderr[-3000:]
    assert done.returncode == 1
    classified = [line.split("\t")[0] for line in done.stdout.splitlines()]
    refused = [line.split(" ")[0] for line in done.stderr.splitlines()]
    assert sorted(classified + refused) == sorted(paths)
    assert min(len(classified), len(refused)) > DAMAGED // 10


@pytest.mark.slow
def test_a_library_that_is_missing_is_said_with_the_command_that_brings_it(
    tools: None, sorter: Path, tmp_path: Path
) -> None:
    done = run("cmake", "-S", sorter, "-B", tmp_path, "-DCMAKE_DISABLE_FIND_PACKAGE_OpenVINO=ON")
    assert done.returncode != 0
    assert "OpenVINO's C++ library is not found" in done.stderr
    assert "-DOpenVINO_DIR=" in done.stderr


def test_options_that_have_no_effect_are_refused(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    cases = {
        ("--manifest", str(tiny_run)): "manifest",
        ("--name", "x"): "name",
        ("--target-error", "0.1"): "target error",
        ("--unknown", str(tmp_path)): "unknown",
        ("--unknown-share", "0.1"): "unknown share",
        ("--device", "http://127.0.0.1:1"): "device",
    }
    for words, name in cases.items():
        done = cli("export", MODEL, "--format", "cpp", "--out", tmp_path / "sorter", *words)
        assert done.returncode == 2
        assert f"export: {name}: has no effect with format cpp" in done.stderr
    done = cli("export", tiny_run / "train", "--out", tmp_path / "m.leansort")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "export: manifest: needed for format onnx" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_converted_and_a_folder_without_a_bundle_refused(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    done = cli("export", tiny_run, "--format", "cpp", "--out", tmp_path / "sorter", "--json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sorter" / "include" / "leansort.hpp").is_file()
    again = cli("export", tiny_run, "--format", "cpp", "--out", tmp_path / "sorter")
    assert again.returncode == 2
    assert "is there already and not empty" in again.stderr
    for given, why in {
        tiny_run / "train": "holds a network and no bundle; make one first: leansort export",
        tmp_path: "holds no bundle (model.leansort)",
        tmp_path / "gone.leansort": "is not there",
        "trashnet-leen": "did you mean the model 'trashnet-lean'?",
    }.items():
        done = cli("export", given, "--format", "cpp", "--out", tmp_path / "other")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert why in done.stderr
    assert not (tmp_path / "other").exists()

"""A wheel, installed away from the clone, does the whole job: nothing outside the package is needed."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import PIL.Image
import pytest

from leansort.runtime import shipped_models
from tests.conftest import ROOT, Cli, draw

pytestmark = pytest.mark.xdist_group("wheel")  # its environments take long to make
TINY = (
    "data.train=8", "data.val=4", "data.test=4", "train.epochs=1", "train.workers=0", "train.threads=1",
    "preprocess.size=32", "arch.width=0.25", "bench.seconds=0.1", "bench.queries=20", "bench.starts=1",
)  # fmt: skip


def done(command: list[str | Path], folder: Path) -> str:
    """Run a command that has to succeed, without anything of this clone in its environment."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LEANSORT"))}
    ended = subprocess.run(command, cwd=folder, env=bare, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this tree, built in a copy, so that the clone is left as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "src", folder / "tree" / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "tree" / name)
    pip: list[str | Path] = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    done([*pip, "--no-index", "--disable-pip-version-check", "-w", folder, folder / "tree"], folder)
    (path,) = folder.glob("leansort-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment that has the wheel, and the libraries of this one: no network is needed."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    paths = {"base": str(home), "platbase": str(home)}
    packages = Path(sysconfig.get_path("purelib", vars=paths))
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"))  # a plain path: what is editable stays out
    python = Path(sysconfig.get_path("scripts", vars=paths)) / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    done([*pip, "--disable-pip-version-check", "--force-reinstall", "--ignore-installed", wheel], home)
    where = done([python, "-c", "import leansort; print(leansort.__file__)"], home)
    assert Path(where.strip()).is_relative_to(packages)
    return python.with_name("leansort")


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    kinds = (".py", ".yaml", ".j2", ".onnx", ".typed", ".leansort", ".md", ".json", ".hpp", ".cpp")
    paths = (path for path in (ROOT / "src" / "leansort").rglob("*") if path.suffix in kinds or path.name == "py.typed")
    wanted = {path.relative_to(ROOT / "src").as_posix() for path in paths}
    assert "leansort/configs/search/quick.yaml" in wanted
    assert "leansort/export/cpp/project/include/leansort.hpp" in wanted
    wanted.add("leansort/export/cpp/project/CMakeLists.txt")
    model = shipped_models.default_model().path
    assert {
        f"leansort/models/{model.parent.name}/{name}" for name in (model.name, "README.md", "recipe.json")
    } <= wanted
    assert wanted <= set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.slow
def test_the_demo_runs_without_a_clone(installed: Path, tmp_path: Path) -> None:
    assert done([installed, "recipes", "list"], tmp_path).startswith("sample ")
    done([installed, "run", "sample", *TINY, "--out", "run"], tmp_path)
    picture = next((tmp_path / "run" / "data" / "crops" / "test").glob("*.*"))
    labels = done([installed, "predict", "run/model.leansort", picture, "--format", "csv"], tmp_path)
    assert str(picture) in labels


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment with the wheel and what pip brings for it, without any extra."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=False, symlinks=True)
    python = Path(sysconfig.get_path("scripts", vars={"base": str(home), "platbase": str(home)})) / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    command = [*pip, "install", "--quiet", "-c", ROOT / "constraints.txt", wheel]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}  # a path would be used
    ended = subprocess.run(command, env=plain, capture_output=True, text=True, check=False)
    if ended.returncode and "connection" in ended.stderr.lower():
        pytest.skip(f"no package index can be reached: {ended.stderr.splitlines()[-1]}")
    assert ended.returncode == 0, ended.stderr
    return python.with_name("leansort")


@pytest.mark.slow
def test_a_bare_installation_sorts_a_photo_with_no_bundle_named(bare: Path, tmp_path: Path) -> None:
    draw(tmp_path / "photo.jpg", 0, seed=1)
    python = bare.with_name("python")
    extras = "import importlib.util as u; print(*(n for n in ('torch', 'cv2', 'openvino', 'onnx') if u.find_spec(n)))"
    assert done([python, "-c", extras], tmp_path).strip() == ""
    path, label, _, novelty = done([bare, "predict", "photo.jpg"], tmp_path).rstrip().split("\t")
    assert novelty.startswith("unknown")  # a drawing of stripes is no piece of trash
    with_python = "import leansort; print(leansort.Classifier.load().predict('photo.jpg').label)"
    assert (path, label) == ("photo.jpg", done([python, "-c", with_python], tmp_path).strip())
    name = shipped_models.default_model().name
    assert name in done([bare, "models"], tmp_path)
    assert "## Data, weights and licences" in done([bare, "models", name], tmp_path)
    done([bare, "models", name, "--out", "mine.leansort"], tmp_path)
    assert label in done([bare, "predict", "mine.leansort", "photo.jpg"], tmp_path)


@pytest.fixture(scope="module")
def rejecting(tiny_run: Path, new_cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a scale of novelty, a reference of val and a threshold, made where PyTorch is."""
    path = tmp_path_factory.mktemp("rejecting") / "model.leansort"
    target = ("--manifest", tiny_run, "--target-error", "0.05", "--out", path)
    ended = new_cli("export", tiny_run / "train", *target)
    assert ended.returncode == 0, ended.stderr
    return path


def read_lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
def test_a_bare_installation_tells_novelty_and_rejects_as_one_with_pytorch_does(
    bare: Path, rejecting: Path, folders: Path, new_cli: Cli, tmp_path: Path
) -> None:
    draw(tmp_path / "odd.jpg", 1, seed=5, size=(400, 31))
    command: list[str | Path] = ["predict", rejecting, folders / "val", "odd.jpg", "--format", "json", "--statistics"]
    command += ["--engine", "onnxruntime"]
    here, there = read_lines(new_cli(*command, cwd=tmp_path).stdout), read_lines(done([bare, *command], tmp_path))
    assert len(there) == 25
    for mine, theirs in zip(here, there, strict=True):
        assert (mine["image"], mine["label"], mine["accepted"]) == (
            theirs["image"],
            theirs["label"],
            theirs["accepted"],
        )
        assert theirs["novelty"] == pytest.approx(mine["novelty"], abs=0.05)  # decoded by Pillow in place of OpenCV
        assert theirs["known"] is (float(str(theirs["novelty"])) <= 1)
    sure = sorted(float(str(item["probability"])) for item in there)
    (tmp_path / "costs.json").write_text(json.dumps({"reject": 1 - sure[len(sure) // 2]}))  # half are not sure enough
    command += ["--costs", "costs.json"]
    here, there = read_lines(new_cli(*command, cwd=tmp_path).stdout), read_lines(done([bare, *command], tmp_path))
    assert [item["accepted"] for item in there] == [item["accepted"] for item in here]
    assert {item["accepted"] for item in there} == {True, False}


@pytest.mark.slow
def test_a_bare_installation_watches_a_folder_and_in_a_robots_program(
    bare: Path, rejecting: Path, folders: Path, tmp_path: Path
) -> None:
    told = json.loads(
        done([bare, "watch", rejecting, folders / "val", "--shuffle", "--out", "val", "--json"], tmp_path)
    )
    assert (told["status"]["photos"], told["status"]["level"], told["page"]) == (24, "green", None)  # without Jinja2
    for number in range(150):  # flat and white; many, as of so few val photos no single one proves much
        (tmp_path / f"flat-{number}.jpg").write_bytes(flat_photo(number))
    program = (
        "import pathlib, sys, leansort\n"
        "with leansort.Classifier.load(sys.argv[1], watch='robot') as classifier:\n"
        "    for photo in sorted(pathlib.Path().glob('flat-*.jpg')):\n"
        "        classifier.predict(photo)\n"
        "    print(classifier.journal.watch.level)\n"
    )
    assert done([bare.with_name("python"), "-c", program, rejecting], tmp_path).strip() == "red"
    assert "brightness" in (tmp_path / "robot" / "alarms.jsonl").read_text()


def flat_photo(number: int) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (96, 72), (250, 250, 255 - number % 9)).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.slow
def test_a_bare_installation_measures_what_bad_light_and_dirt_cost(
    bare: Path, rejecting: Path, folders: Path, tmp_path: Path
) -> None:
    kinds = ["--kinds", "darker,noise,dirt", "--levels", "1,5", "--json"]
    command: list[str | Path] = [
        bare,
        "stress",
        rejecting,
        "--data",
        folders,
        "--split",
        "val",
        "--out",
        "stress",
        *kinds,
    ]
    told = json.loads(done(command, tmp_path))
    curves = {curve["kind"]: curve for curve in told["bundles"][0]["kinds"]}
    assert set(curves) == {"darker", "noise", "dirt"}
    assert (tmp_path / "stress" / "stress.json").is_file()

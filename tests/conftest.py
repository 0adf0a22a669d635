"""Shared ground: small data made on the spot, and the real data where it is at hand."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

# Two workers run at once; threads of one that spin on both cores make the other's work take many times as long.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", OMP_WAIT_POLICY="passive")
if (worker := os.environ.get("PYTEST_XDIST_WORKER", "")) and hasattr(os, "sched_setaffinity"):
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})  # and so for all that it starts

import cv2
import numpy as np
import pytest
import torch
from filelock import FileLock

from leansort.core.seeds import Seeds
from tests.support import command_server, torchlib_memo
from tests.support.command_server import CommandServer

torchlib_memo.remember_operators()
ROOT = Path(__file__).parent.parent
CLASSES = ("Metal", "Paper", "Plastic")
Cli = Callable[..., subprocess.CompletedProcess[str]]


def real_data(name: str) -> Path:
    """The folder of a real data set; skips the test where it is absent."""
    folder = Path(os.environ.get("LEANSORT_DATA", ROOT.parent / "shared" / "data")) / name
    if not folder.exists():
        pytest.skip(f"{folder} is not here; set LEANSORT_DATA to run this test")
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Small networks gain nothing from more threads; a training in this process, which takes all, leaves it so."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def trashnet() -> Path:
    return real_data("trashnet")


@pytest.fixture(scope="session")
def taco() -> Path:
    return real_data("taco")


@pytest.fixture(scope="session")
def new_cli() -> Cli:
    """Run the command line in a Python that starts anew, as a user's does."""

    def run(*arguments: str | Path, stdin: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "leansort", *(str(a) for a in arguments)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=cwd, check=False)

    return run


@pytest.fixture(scope="session")
def cli(new_cli: Cli) -> Iterator[Cli]:
    """Run the command line in a process of its own, forked where it can be: that saves seconds of imports each time."""
    if not command_server.possible():
        yield new_cli
        return
    server = CommandServer(ROOT)

    def run(*arguments: str | Path, stdin: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        if not server.serves():
            return new_cli(*arguments, stdin=stdin, cwd=cwd)
        return server.run([str(a) for a in arguments], stdin, cwd)

    yield run
    server.close()


def listening() -> None:
    """For a child process: hear Ctrl-C, even where the tests run in the background, which turns a deaf ear to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def draw(path: Path, kind: int, seed: int, size: tuple[int, int] = (96, 72)) -> None:
    """Write a JPEG whose class is told by stripes, checks or rings, not by colour."""
    rng = Seeds(seed).child("test/draw").numpy()
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    patterns = ((x // 6) % 2, ((x // 8) + (y // 8)) % 2, (np.hypot(x - width / 2, y - height / 2) // 6) % 2)
    colours = rng.integers(0, 256, (2, 3))
    picture = np.where(patterns[kind][..., None] > 0, colours[0], colours[1]) + rng.normal(0, 6, (height, width, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.clip(picture, 0, 255).astype(np.uint8))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest of the long runs come first, so that no worker is left alone with one at the end.

    With `--dist loadgroup` the contract tests of a network go to one worker, which then exports it once.
    """
    items.sort(key=lambda item: not any(mark.kwargs.get("longest") for mark in item.iter_markers("slow")))
    for item in items:
        if network := network_of(item):
            item.add_marker(pytest.mark.xdist_group(network))


def network_of(item: pytest.Item) -> str:
    """The backbone that a contract test is about; empty of other tests."""
    if not (isinstance(item, pytest.Function) and hasattr(item, "callspec") and "contract" in item.path.parts):
        return ""
    given = item.callspec.params
    network = given.get("spec", given.get("backbone", ""))
    return str(getattr(network, "base", network)).partition("-")[0]


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A path that the workers of one session share: the first that needs it makes it, the others wait meanwhile.

    Args:
        factory: of the session's temporary folders.
        name: of the path, which `make` is given and has to create.
        make: makes it; where it fails, the next one that needs the path tries again.
    """
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)
    made = shared / f"{name}.made"
    with FileLock(shared / f"{name}.lock"):
        if not made.exists():
            shutil.rmtree(shared / name, ignore_errors=True)
            make(shared / name)
            made.touch()
    return shared / name


def draw_folders(root: Path) -> None:
    for split, count in (("train", 24), ("val", 8)):
        for kind, name in enumerate(CLASSES):
            for i in range(count):
                draw(
                    root / split / name / f"{split}_{name}_{i:02d}.jpg",
                    kind,
                    seed=kind * 1000 + i + 500 * (split == "val"),
                )


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders: 3 classes, 24 train and 8 val pictures of each. Treat as read-only."""
    return made_once(tmp_path_factory, "folders", draw_folders)


RECIPE = """\
name: tiny
data: {{source: folder, path: {path}}}
preprocess: {{size: 32}}
arch: {{base: tiny_s, width: 0.25, dropout: 0.1}}
augment: {{randaugment: 1}}
train: {{epochs: 3, batch: 16, lr: 2.0e-3, warmup: 1, workers: 0, threads: 1}}
bench: {{seconds: 0.1, queries: 20, starts: 1}}
"""


@pytest.fixture(scope="session")
def tiny_recipe(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "tiny.yaml", lambda path: path.write_text(RECIPE.format(path=folders)))


@pytest.fixture(scope="session")
def tiny_run(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory, new_cli: Cli) -> Path:
    """A finished run of the tiny recipe. Treat as read-only."""

    def make(out: Path) -> None:
        done = new_cli("run", tiny_recipe, "--out", out)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "tiny", make)

"""docs/extending.md as written: each plugin of the page keeps its contract, and one is installed as a distribution."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from leansort.train.callbacks import TrainingCallback
from leansort.train.loop import train
from tests.conftest import ROOT, Cli
from tests.support.extending_page import code_blocks, contract_suite, plugin_files, write_plugins
from tests.support.jobs import job

PYPROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "leansort-rounding"
version = "2.5"

[project.entry-points."leansort.passes"]
rounding = "leansort_rounding:RoundWeightsPass"

[project.entry-points."leansort.trackers"]
gone = "leansort_rounding.gone:GoneTracker"

[tool.setuptools]
py-modules = ["leansort_rounding"]
"""
SUITE = """
from leansort.testing import PassContract


class TestRounding(PassContract):
    names = ("rounding",)
    settings = {"rounding": {"bits": 6}}
"""


def run_suite(suite: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a file of tests by itself, in a process that knows none of ours."""
    (folder / "test_suite.py").write_text(suite)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "test_suite.py"]
    merged = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=merged, check=False)


def test_every_plugin_of_the_page_keeps_its_contract(tmp_path: Path) -> None:
    write_plugins(tmp_path / "plugins")
    assert len(plugin_files()) == 5
    done = run_suite(contract_suite(), tmp_path, LEANSORT_PLUGINS=str(tmp_path / "plugins"))
    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in done.stdout


def test_a_plugin_that_breaks_its_contract_fails(tmp_path: Path) -> None:
    write_plugins(tmp_path / "plugins")
    file = tmp_path / "plugins" / "passes" / "round_weights.py"
    file.write_text(
        file.read_text().replace("        weights = {", "        model.weights.popitem()\n        weights = {")
    )
    suite = contract_suite().split("class TestMyEngine")[0].replace("class TestMyBackbone", "class OtherBackbone")
    done = run_suite(suite, tmp_path, LEANSORT_PLUGINS=str(tmp_path / "plugins"))
    assert done.returncode == 1, done.stdout[-3000:]
    assert "test_what_it_made_is_rebuilt_and_what_it_was_given_stays" in done.stdout


def test_the_callback_of_the_page_ends_a_training(tmp_path: Path) -> None:
    [text] = [block for block in code_blocks() if "class StopAtTarget" in block]
    names: dict[str, type[TrainingCallback]] = {}
    exec(text, names)  # the page's own code
    train(job(), tmp_path, callbacks=[names["StopAtTarget"](0.0)])  # type: ignore[call-arg]
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1


def test_an_installed_distribution_keeps_its_contract(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built and installed by pip from a folder, without a network; its second entry point is broken."""
    project, site = tmp_path / "project", tmp_path / "site"
    project.mkdir()
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "leansort_rounding.py").write_text(plugin_files()["passes/round_weights.py"])
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-build-isolation", "--no-deps"]
    built = subprocess.run(
        [*command, "--target", str(site), str(project)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert built.returncode == 0, built.stderr
    path = os.pathsep.join([str(site), *os.environ.get("PYTHONPATH", "").split(os.pathsep), str(ROOT)])
    done = run_suite(SUITE, tmp_path, PYTHONPATH=path)
    assert done.returncode == 0, done.stdout[-3000:]
    monkeypatch.setenv("PYTHONPATH", path)
    listed = cli("plugins")
    assert listed.returncode == 0
    assert "the distribution leansort-rounding 2.5" in listed.stdout
    wrong = cli("train", "sample", "--tracker", "gone", "--out", tmp_path / "out")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "error: tracker 'gone' of the distribution leansort-rounding 2.5 cannot be imported: Modul" in wrong.stderr
    assert not (tmp_path / "out").exists()

"""The wheel and the source distribution, built from a copy of this tree and checked as the package index would."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import leansort
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distributions")]
FILES = ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md",
         "SECURITY.md", "constraints.txt")  # fmt: skip


def run(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both; the wheel is built from the source distribution, as anybody's would be."""
    pytest.importorskip("build", reason="build is not installed")
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in FILES:
        shutil.copy(ROOT / name, tree)
    run("-m", "build", "--no-isolation", "--outdir", tree / "dist", tree, cwd=tree)
    return tree / "dist"


def test_both_pass_the_index_check_and_state_version_and_licence(built: Path) -> None:
    pytest.importorskip("twine", reason="twine is not installed")
    names = sorted(path.name for path in built.iterdir())
    version = leansort.__version__
    assert names == [f"leansort-{version}-py3-none-any.whl", f"leansort-{version}.tar.gz"]
    told = run("-m", "twine", "check", "--strict", *(built / name for name in names), cwd=built)
    assert told.count("PASSED") == 2
    with zipfile.ZipFile(built / names[0]) as wheel:
        listed = wheel.namelist()
        (path,) = [name for name in listed if name.endswith(".dist-info/METADATA")]
        stated = Parser().parsestr(wheel.read(path).decode())
    assert (stated["Version"], stated["License-Expression"]) == (version, "Apache-2.0")
    assert "leansort/py.typed" in listed
    assert any(name.endswith("licenses/LICENSE") for name in listed)
    assert not [name for name in listed if name.split("/")[0] in ("tests", "docs", "benchmarks")]


def test_the_source_distribution_holds_what_a_reader_wants_and_no_tests(built: Path) -> None:
    with tarfile.open(built / f"leansort-{leansort.__version__}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(FILES) <= names
    assert "src/leansort/models/trashnet-lean/README.md" in names
    assert not [name for name in names if name.startswith(("tests", "benchmarks")) or "__pycache__" in name]


def test_the_bill_of_materials_names_what_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx_py", reason="cyclonedx-bom is not installed")
    out = tmp_path / "sbom.json"
    run(
        "-m",
        "cyclonedx_py",
        "environment",
        "--output-reproducible",
        "--of",
        "JSON",
        "-o",
        out,
        sys.executable,
        cwd=ROOT,
    )
    tree = json.loads(out.read_text())
    assert tree["bomFormat"] == "CycloneDX"
    found = {item["name"].lower(): item for item in tree["components"]}
    assert {"leansort", "numpy", "torch", "onnxruntime"} <= set(found)
    assert found["leansort"]["version"] == leansort.__version__
    assert found["numpy"]["licenses"]

"""What is installed and what is pinned."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib

import pytest

from leansort.core.process.extras import EXTRAS
from tests.conftest import ROOT


def pins() -> dict[str, str]:
    lines = (line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#")
    return {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines)}


def test_every_requirement_of_every_extra_has_an_exact_pin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    names = {re.split(r"[\[<>=!~ ]", line)[0].lower() for line in wanted} - {"leansort"}
    assert names <= pins().keys()
    assert {"openvino", "train", "tune", "compress", "all"} <= project["optional-dependencies"].keys()
    assert pins()["torch"] == "2.13.0"


def test_no_cuda_package_is_pinned_or_installed() -> None:
    cuda = re.compile(r"nvidia|cuda|triton")
    assert not [name for name in pins() if cuda.match(name)]
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        installed = {dist.metadata["Name"].lower() for dist in importlib.metadata.distributions()}
        assert not [name for name in installed if cuda.match(name)]


def test_every_library_that_an_extra_brings_is_named_where_it_is_missing() -> None:
    """Else the command line would answer with a traceback."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / "src").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    names += [item.name for node in nodes if isinstance(node, ast.Import) for item in node.names]
    base = {
        "numpy",
        "PIL",
        "onnxruntime",
        "pydantic",
        "pydantic_core",
        "typer",
        "click",
        "rich",
        "filelock",
        "platformdirs",
        "leansort",
        "typing_extensions",
    }
    foreign = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - base
    assert {"torch", "cv2", "optuna"} <= foreign <= EXTRAS.keys()

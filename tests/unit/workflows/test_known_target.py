"""A bundle in its run's folder is run by the target of the recipe beside it, and that is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leansort.workflows.deploy.known_target import engine_of_recipe
from tests.support.graphs import colour_bundle


def folder(path: Path, target: dict[str, object] | None, graph_format: str = "onnx") -> Path:
    path.mkdir()
    colour_bundle(graph_format).save(path / "model.leansort")
    tree = {"name": "x", "bench": {"threads": 1}} | ({} if target is None else {"target": target})
    (path / "recipe.json").write_text(json.dumps(tree))
    return path / "model.leansort"


def test_the_recipe_beside_a_bundle_names_its_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = folder(tmp_path / "run", {"engine": "onnxruntime", "threads": 2})
    assert engine_of_recipe([bundle, tmp_path / "answers.csv"]) == "onnxruntime:threads=2"
    assert engine_of_recipe([bundle], threads=3) == "onnxruntime:threads=3"
    assert "engine onnxruntime:threads=2, the target of " in capsys.readouterr().err


@pytest.mark.parametrize("target", [None, {}, {"threads": 2}])
def test_no_target_is_the_engine_that_suits_the_bundle(
    tmp_path: Path, target: dict[str, object] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = folder(tmp_path / "run", target)
    assert engine_of_recipe([bundle]) == ""
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("engine", ["torch", "tpu"])
def test_an_engine_that_cannot_run_it_is_named(tmp_path: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert engine_of_recipe([folder(tmp_path / "run", {"engine": engine})]) == ""
    assert f"{engine}, the target's engine of " in capsys.readouterr().err


def test_bundles_for_several_targets_take_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [folder(tmp_path / str(threads), {"engine": "onnxruntime", "threads": threads}) for threads in (1, 2)]
    assert engine_of_recipe(paths) == ""
    assert "name several targets, onnxruntime, onnxruntime:threads=2: --engine names one" in capsys.readouterr().err


def test_a_bundle_elsewhere_is_not_that_recipes(tmp_path: Path) -> None:
    bundle = folder(tmp_path / "run", {"engine": "onnxruntime"})
    other = bundle.rename(bundle.with_name("other.leansort"))
    assert engine_of_recipe([other]) == ""

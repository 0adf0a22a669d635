"""`leansort average`: the mean network is written whole and judged on val; what has no mean is one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from leansort.arch import trained_model
from leansort.core import manifest as manifests
from leansort.core.errors import IntegrityError, UserError
from leansort.core.labels import LabelSet
from leansort.core.manifest import Manifest
from leansort.core.run_folder import AverageFolder, RunFolder
from leansort.recipe.load import load_recipe
from leansort.workflows.averaging.average import AverageResult, average, average_table
from leansort.workflows.training.train import train_once

RECIPE = """\
name: averaged
data: {{source: folder, path: {path}}}
preprocess: {{size: 32}}
arch: {{base: tiny_s, width: 0.25}}
train: {{epochs: 6, batch: 8, lr: 0.01, ema: 0.5, workers: 0, threads: 1, warmup: 0}}
"""


@pytest.fixture(scope="module")
def run(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    place = tmp_path_factory.mktemp("average")
    (place / "averaged.yaml").write_text(RECIPE.format(path=folders))
    train_once(load_recipe(place / "averaged.yaml"), place / "run")
    return RunFolder(place / "run")


@pytest.fixture
def rows(run: RunFolder) -> Manifest:
    return manifests.load(run.path)


def moved(run: RunFolder, path: Path, by: float) -> Path:
    """The trained network with its classifier moved."""
    model = trained_model.load(run.training.path)
    last = next(name for name, tensor in model.weights.items() if name.endswith("bias") and len(tensor) == 3)
    replace(model, weights={**model.weights, last: model.weights[last] + by * torch.tensor([1.0, 0, 0])}).save(path)
    return path


def test_the_mean_lies_between_and_is_judged_on_val(run: RunFolder, rows: Manifest, tmp_path: Path) -> None:
    near, far = moved(run, tmp_path / "near.safetensors", 1e-3), moved(run, tmp_path / "far.safetensors", 1e3)
    given = [run.training.path, near, far]
    result = average(given, rows, tmp_path / "mean", run.cache)
    assert [network.path for network in result.networks] == [str(path) for path in given]
    assert [network.taken for network in result.networks] == [True, True, False]
    assert result.val_macro_f1 >= result.networks[0].val_macro_f1 > result.networks[2].val_macro_f1
    made = trained_model.load(tmp_path / "mean")
    assert made.provenance["averaged"] == 2
    assert made.provenance["val_macro_f1"] == result.val_macro_f1
    first, second = (trained_model.load(path) for path in given[:2])
    name = next(name for name in first.weights if not torch.equal(first.weights[name], second.weights[name]))
    assert torch.equal(made.weights[name], (first.weights[name] + second.weights[name]) / 2)
    assert AverageFolder(tmp_path / "mean").recipe.path.read_text() == run.training.recipe.path.read_text()
    assert AverageFolder(tmp_path / "mean").result.read(AverageResult, "average") == result
    assert average_table(result).splitlines()[-1].startswith("mean of 2 ")


def test_what_has_no_mean_is_one_line_and_writes_nothing(run: RunFolder, rows: Manifest, tmp_path: Path) -> None:
    model = trained_model.load(run.training.path)
    other, path, out = model.spec.model_copy(update={"dropout": 0.5}), tmp_path / "other.safetensors", tmp_path / "out"
    replace(model, spec=other).save(path)
    with pytest.raises(UserError, match="got 1 network, need two or more"):
        average([run.training.path], rows, out)
    with pytest.raises(UserError, match=r"other\.safetensors has another architecture"):
        average([run.training.path, path], rows, out)
    (tmp_path / "model.leansort").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(IntegrityError, match=r"model\.leansort is a zip archive, as bundles are; need a network"):
        average([run.training.path, tmp_path / "model.leansort"], rows, out)
    with pytest.raises(UserError, match="labels differ: the networks has"):
        average([run.training.path] * 2, replace(rows, labels=LabelSet(("x", "y", "z"))), out)
    replace(model, preprocess=model.preprocess.model_copy(update={"mean": (0.1, 0.1, 0.1)})).save(path)
    with pytest.raises(UserError, match=r"other\.safetensors normalizes pixels otherwise"):
        average([run.training.path, path], rows, out)
    assert not out.exists()
    out.mkdir()
    (out / "mine.txt").write_text("kept")
    with pytest.raises(UserError, match="not empty"):
        average([run.training.path] * 2, rows, out)
    assert [item.name for item in out.iterdir()] == ["mine.txt"]

"""A network that cannot be exported is refused before its training, and one that can is not asked twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leansort.arch.build import build
from leansort.arch.spec.spec import ArchSpec, Resize
from leansort.arch.trained_model import TrainedModel, compute_logits
from leansort.compress.compress_config import FinetuneConfig
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.preprocess import Preprocess
from leansort.data.loading.loader import eval_batches
from leansort.export import parity
from leansort.recipe.load import validate_recipe
from leansort.recipe.schema import Recipe
from leansort.workflows.data.import_data import import_data
from leansort.workflows.training import export_check
from leansort.workflows.training.network_finetuning import Finetuning
from leansort.workflows.training.train import exportable
from leansort.workflows.training.untrained_network import draw_untrained_network, noise

CODE = """
import torch
from torch import nn
from leansort.arch.spec.backbone import Backbone

class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)

    def forward(self, x):
        x = self.conv(x)
        {body}
        return x

class Network(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stem, self.body, self.head = nn.Conv2d(3, 3, 1), Body(), nn.Linear(16, classes)

    def forward(self, x):
        return self.head(self.body(self.stem(x)).mean((2, 3))[:, :16])

class Odd(Backbone):
    def build(self, spec):
        return Network(spec.classes)
"""
FICKLE = "x = x * 2 if x.mean() > 0 else x"
FICKLE_WHEN_CUT = "x = x * 2 if self.conv.out_channels < 16 and x.mean() > 0 else x"
TWO_FACED = "x = x * 2 if torch.compiler.is_exporting() else x"


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(export_check, "proven_networks", set())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def backbone(body: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "backbones").mkdir()
    (folder / "backbones" / "odd.py").write_text(CODE.format(body=body))
    monkeypatch.setenv("LEANSORT_PLUGINS", str(folder))


def recipe(base: str, **sections: Any) -> Recipe:
    tree = {"name": "x", "data": {"source": "folder", "path": "."}, "arch": {"base": base}, "preprocess": {"size": 32}}
    return validate_recipe({**tree, **sections}, "x")


@pytest.mark.parametrize("graph_format", ["onnx", "openvino"])
def test_a_network_that_looks_at_values_is_refused_by_layer(
    graph_format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(graph_format)
    backbone(FICKLE, tmp_path, monkeypatch)
    with pytest.raises(
        UserError, match=rf"arch: odd cannot be trained to be exported \({graph_format}, 32 px\): layer 'body' \(Body\)"
    ) as caught:
        exportable(recipe("odd", export={"format": graph_format}))
    assert str(caught.value).endswith("what it does depends on the values of its input, which no graph can follow")
    assert "def forward" not in capfd.readouterr().err  # as PyTorch prints a graph that it could not finish
    exportable(recipe("odd", export={"format": "torch"}))  # whose engines run the network's own code


def test_a_graph_that_differs_is_refused_by_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone(TWO_FACED, tmp_path, monkeypatch)
    with pytest.raises(UserError, match=r"the graph differs from the network.*first layer that differs is 'head'"):
        exportable(recipe("odd"))


def test_a_format_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(LeansortError, match="this needs 'openvino', which is not installed"):
        exportable(recipe("tiny_s", export={"format": "openvino"}))


def test_it_is_asked_once_for_an_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    original = export_check.provisional

    def noted(model: TrainedModel, graph_format: str, *, quick: bool) -> Bundle:
        asked.append(model.spec.base)
        return original(model, graph_format, quick=quick)

    monkeypatch.setattr(export_check, "provisional", noted)
    for base in ("tiny_s", "tiny_s", "lean_v4", "tiny_s"):
        exportable(recipe(base))
    assert asked == ["tiny_s", "lean_v4"]
    exportable(recipe("tiny_s", preprocess={"size": 48}))
    assert asked == ["tiny_s", "lean_v4", "tiny_s"]


def test_what_is_known_of_timms_is_kept_for_the_next_process(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub", reason="timm is not installed")
    exportable(recipe("timm:test_resnet"))
    monkeypatch.setattr(export_check, "proven_networks", set())
    monkeypatch.setattr(export_check, "provisional", None)  # as in a process of another time: not called
    exportable(recipe("timm:test_resnet"))
    with pytest.raises(TypeError):
        exportable(recipe("timm:test_resnet", preprocess={"size": 48}))


def test_a_network_that_a_pass_has_changed_is_asked_again_before_it_is_trained_on(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone(FICKLE_WHEN_CUT, tmp_path, monkeypatch)
    wanted = recipe("odd", train={"epochs": 1, "batch": 8}, data={"source": "folder", "path": str(folders)})
    exportable(wanted)
    manifest = import_data(wanted.data, tmp_path / "data", seed=0)
    labels = manifest.labels
    cut = Resize(layers={"body.conv": (3, 8, 1), "head": (8, len(labels), 1)})
    spec = ArchSpec(base="odd", classes=len(labels)).edited(cut)
    model = TrainedModel(spec, build(spec).state_dict(), Preprocess(size=32), labels)
    training = Finetuning(wanted, manifest, tmp_path / "cache", tmp_path / "start")
    with pytest.raises(LeansortError, match=r"layer 'body' \(Body\) cannot be exported"):
        training(model, FinetuneConfig(epochs=1, teachers=()), tmp_path / "tuned")
    assert not (tmp_path / "tuned").exists()


@pytest.mark.parametrize("base", ["mnasnet", "tiny_s", "timm:fbnetv3_b"])
def test_untrained_outputs_show_a_difference_and_no_rounding(base: str) -> None:
    if base.startswith("timm:"):  # so deep that rounding is magnified to a tenth of a probability where it can be
        pytest.importorskip("huggingface_hub", reason="timm is not installed")
    model, pixels = draw_untrained_network(ArchSpec(base=base, classes=6), Preprocess(size=64)), noise(64)
    assert parity.rounding(model, pixels) < 1e-4
    values = compute_logits(model.network(), model.preprocess, eval_batches(pixels, 3))
    assert values.shape == (3, 2)
    assert float(values.std(0).max()) > 0.1  # from picture to picture
    assert 0.5 < float(values.std()) < 2.0

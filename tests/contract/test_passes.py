"""Every compression pass that is found, on every backbone: what it makes is rebuilt from its own file, bit for bit."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.compress import passes_api
from leansort.compress.compress_config import FinetuneConfig
from leansort.compress.evaluation import predict_classes
from leansort.compress.passes_api import CompressionPass, PassOutcome
from leansort.compress.pipeline import artifact_store
from leansort.compress.pipeline.accuracy_budget import Budget, judge
from leansort.compress.pipeline.step_search import StepSearch
from leansort.core import plugins
from leansort.core.bundle import Bundle
from leansort.core.seeds import Seeds
from leansort.export.fast_export import export_for_timing
from leansort.measure.timing import latency
from leansort.testing import PassContract, sample_networks
from leansort.testing.pass_contract import QUICK, context, require_rebuilt
from tests.contract.test_backbones import CASES, SIBLINGS, model_of

SMALL = Path(tempfile.gettempdir()) / f"leansort-small-{os.getpid()}.safetensors"  # what `cascade` has answer first
SETTINGS: dict[str, dict[str, Any]] = {  # of passes that need some; the others are tried as they come
    "prune": {"macs": 0.6, "round_to": 2},
    "finetune": {"epochs": 1},
    "distill": {"epochs": 1},
    "qat": {"epochs": 1},
    "quantize": {"crops": 8},
    "truncate": {"parts": 4},
    "resize_input": {"size": [56, 40]},
    "cascade": {"small": str(SMALL)},
}
PASSES = sorted(plugins.list_plugins("passes"))
MODEL_PASSES = [name for name in PASSES if plugins.load("passes", name, CompressionPass).stage == "model"]
FEW = ("mobilenetv3_small", "tiny_s", "timm:lcnet_050")  # plain blocks, gates and hard swish, and one of timm's
KINDS = (*FEW, "mnasnet", "rep_v4", "robnet-free", "timm:repvit_m0_9")  # and branches, cells, and a network of others
SWEPT = ("prune", "quantize")  # change every layer of a network, each in its way: tried on every backbone


@pytest.fixture(scope="module", autouse=True)
def small_network() -> Iterator[None]:
    """A network of a quarter of the width; written once, since settings name it by its path."""
    sample_networks.model_of(ArchSpec(base="tiny_s", classes=6, width=0.25)).save(SMALL)
    yield
    SMALL.unlink()


class TestPasses(PassContract):
    """Every pass on a few backbones; on one of each kind, and two passes on every family, in the long runs."""

    names = PASSES
    settings = SETTINGS

    def cases(self) -> list[Any]:
        families = [backbone for backbone in CASES if backbone not in SIBLINGS]
        pairs = [(name, backbone) for name in self.names for backbone in (families if name in SWEPT else KINDS)]
        return [
            pytest.param(
                name, CASES[backbone], id=f"{name}-{backbone}", marks=[] if backbone in FEW else [pytest.mark.slow]
            )
            for name, backbone in pairs
        ]

    @pytest.fixture(autouse=True)
    def timm_is_installed(self, request: pytest.FixtureRequest) -> None:
        if "timm:" in request.node.name:
            pytest.importorskip("huggingface_hub", reason="timm is not installed")

    def graph_is_rebuilt(self, name: str, bundle: Bundle, folder: Path) -> PassOutcome:
        """Ours make any graph smaller, too; a cascade holds it as it was."""
        outcome = super().graph_is_rebuilt(name, bundle, folder)
        assert not outcome.left_alone
        assert isinstance(outcome.artifact, Bundle)
        if outcome.artifact.stages:
            assert outcome.artifact.stages[1].digest == bundle.digest
            return outcome
        assert weight_bytes(outcome.artifact) < 0.6 * weight_bytes(bundle)  # of tiny layers the file itself may grow
        return outcome


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "BLOCK_S", QUICK.compress.seconds)


def load(name: str) -> CompressionPass:
    return passes_api.load(name, SETTINGS.get(name, {}))


def weight_bytes(bundle: Bundle) -> int:
    """What kernels and matrices take in an ONNX graph."""
    stored = onnx.load_from_string(bundle.graph).graph.initializer
    return sum(
        numpy_helper.to_array(item).nbytes for item in stored if len(item.dims) > 1 and math.prod(item.dims) > 256
    )


def faster_passes() -> list[tuple[str, str]]:
    """Every pass that promises speed on a few backbones, and pruning, which knows most of blocks, on every kind."""
    names = [name for name in MODEL_PASSES if load(name).faster]
    return [(name, backbone) for name in names for backbone in (KINDS if name == "prune" else FEW)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "backbone"), faster_passes())
def test_it_is_faster_or_left_alone(name: str, backbone: str, tmp_path: Path) -> None:
    """Through a step of a pipeline, timed on the engine; a busy machine may leave more alone, never fewer."""
    model, tools = model_of(backbone), replace(context(tmp_path), export=export_for_timing)
    classes = predict_classes(model, tools.val)
    truth = np.asarray(tools.val.labels)
    record = StepSearch(
        name=f"1-{name}", given=model, bundle=export_for_timing(model), step_pass=load(name),
        finetune=FinetuneConfig(), faster=True, retries=0,
        judge=lambda made: judge(
            truth, classes, predict_classes(made, tools.of(made).val), model.labels.names, Budget(1, 1, sure=False)
        ),
        context=tools,
    ).run()  # fmt: skip
    if record.state == "accepted":
        assert record.speed is not None
        assert record.speed.low > 1.0
        require_rebuilt(PassOutcome(artifact_store.load(tmp_path, "model")), tmp_path / "made")
    else:
        assert record.state == "left alone"
        assert "left alone" in record.reason


@pytest.mark.parametrize("ranks", [[4], [8, 8], [100_000]])
@pytest.mark.parametrize("name", ["tucker", "cp"])
def test_given_ranks_are_at_most_what_a_layer_can_have(name: str, ranks: list[int], tmp_path: Path) -> None:
    """A stem that reads three channels has no rank of eight."""
    item = passes_api.load(name, {"ranks": ranks, "measured": False})
    outcome = item.run(model_of("tiny_s"), context(tmp_path))
    assert bool(outcome.left_alone) == (ranks == [100_000])
    require_rebuilt(outcome, tmp_path / "made")


def test_reset_draws_from_the_seed_of_the_step_alone(tmp_path: Path) -> None:
    tools, model = context(tmp_path), model_of("tiny_s")
    first = next(key for key in model.weights if model.weights[key].ndim == 4)

    def drawn(seed: int) -> torch.Tensor:
        made = load("reset").run(model, replace(tools, seeds=Seeds(seed))).artifact
        assert isinstance(made, TrainedModel)
        assert made.spec == model.spec
        return made.weights[first]

    assert torch.equal(drawn(5), drawn(5))
    assert not torch.equal(drawn(5), drawn(6))
    assert not torch.equal(drawn(5), model.weights[first])

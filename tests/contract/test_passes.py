"""Every compression pass that is found, on every backbone: what it makes is rebuilt from its own file, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from leansort.arch import trained_model
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.compress import passes_api
from leansort.compress.compress_config import FinetuneConfig
from leansort.compress.evaluation import artifact_logits, predict_classes
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome, Prepare
from leansort.compress.pipeline import artifact_store
from leansort.compress.pipeline.accuracy_budget import Budget, judge
from leansort.compress.pipeline.step_search import StepSearch
from leansort.core import plugins
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.seeds import Seeds
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.loading.crops import Crops
from leansort.export.fast_export import export_for_timing
from leansort.export.onnx import export_onnx
from leansort.measure.timing import latency
from leansort.recipe.load import validate_recipe
from leansort.train.job import TrainingJob
from leansort.train.loop import train
from leansort.train.train_config import TrainConfig
from leansort.workflows.compression.compress import time_bundles, time_layers
from tests.contract.test_backbones import CASES, model_of

SETTINGS: dict[str, dict[str, Any]] = {  # of passes that need some; the others are tried as they come
    "prune": {"macs": 0.6, "round_to": 2},
    "finetune": {"epochs": 1},
    "distill": {"epochs": 1},
    "qat": {"epochs": 1},
    "quantize": {"crops": 8},
}
PASSES = sorted(plugins.list_plugins("passes"))
MODEL_PASSES = [name for name in PASSES if plugins.load("passes", name, CompressionPass).stage == "model"]
GRAPH_PASSES = [name for name in PASSES if name not in MODEL_PASSES]
FEW = ("mnasnet", "mobilenetv3_small", "tiny_s", "timm:lcnet_050")
QUICK = validate_recipe({"name": "quick", "data": {"source": "sample"}, "compress": {"seconds": 0.02}}, "quick")
TRAINING = {"finetune", "distill", "qat"}


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "BLOCK_S", QUICK.compress.seconds)


def crops(count: int, seed: int) -> Crops:
    rng = np.random.default_rng(seed)
    return Crops(rng.integers(0, 256, (count, 64, 64, 3)).astype(np.uint8), [at % 6 for at in range(count)])


def finetune(model: TrainedModel, config: FinetuneConfig, folder: Path, prepare: Prepare | None = None) -> TrainedModel:
    training = TrainConfig(epochs=config.epochs, batch=8, lr=1e-3, workers=0, threads=1, warmup=0, ema=0.5)
    job = TrainingJob(
        model.spec, model.preprocess, model.labels, crops(16, 0), crops(12, 1), training, AugmentConfig(), Seeds(0), {}
    )
    network = model.network()
    return train(job, folder, network=prepare(network) if prepare else network)


def context(folder: Path) -> PassContext:
    return PassContext(
        train=crops(24, 0), val=crops(24, 1), seeds=Seeds(5), folder=folder, finetune=finetune, export=export_onnx,
        time_bundles=partial(time_bundles, QUICK), time_layers=partial(time_layers, QUICK), say=lambda text: None,
    )  # fmt: skip


def load(name: str) -> CompressionPass:
    return passes_api.load(name, SETTINGS.get(name, {}))


@cache
def bundle_of(name: str) -> Bundle:
    return export_onnx(model_of(name))


def unchanged(weights: Mapping[str, torch.Tensor], model: TrainedModel) -> bool:
    return all(torch.equal(weights[key], model.weights[key]) for key in weights)


def require_rebuilt(outcome: PassOutcome, folder: Path) -> None:
    """What was made says the same once it was written and read."""
    artifact_store.save(outcome.artifact, folder)
    stage: passes_api.Stage = "graph" if isinstance(outcome.artifact, Bundle) else "model"
    again = artifact_store.load(folder, stage)
    val = crops(6, 3)
    made = artifact_logits(outcome.artifact, val)
    assert np.isfinite(made).all()
    np.testing.assert_array_equal(artifact_logits(again, val), made)
    if isinstance(again, TrainedModel):
        assert ArchSpec.model_validate(again.spec.to_json()) == again.spec == trained_model.load(folder).spec


def by_pass(names: list[str]) -> list[Any]:
    """Every pass on every backbone; trainings and graphs on a few, the others of these in the long runs."""
    pairs = [(name, backbone) for name in names for backbone in CASES]
    slow = [(item not in MODEL_PASSES or item in TRAINING) and backbone not in FEW for item, backbone in pairs]
    return [
        pytest.param(*pair, marks=[pytest.mark.slow] if long else [])
        for pair, long in zip(pairs, slow, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "backbone"), by_pass(MODEL_PASSES))
def test_a_network_that_a_pass_made_is_rebuilt_from_its_file(name: str, backbone: str, tmp_path: Path) -> None:
    model = model_of(backbone)
    before = {key: value.clone() for key, value in model.weights.items()}
    text = load(name)
    if "measured" in type(text.config).model_fields:  # here it is the splitting that is tried, not the clock
        text = replace(text, config=text.config.model_copy(update={"measured": False}))
    outcome = text.run(model, context(tmp_path))
    assert unchanged(before, model), "the given network was changed"
    assert isinstance(outcome.artifact, TrainedModel)
    assert outcome.left_alone == "" or outcome.artifact is model
    require_rebuilt(outcome, tmp_path / "made")
    if not outcome.left_alone:
        same_weights = outcome.artifact.weights.keys() == before.keys() and unchanged(before, outcome.artifact)
        assert outcome.artifact.spec != model.spec or not same_weights, "it says that it did something"


def weight_bytes(bundle: Bundle) -> int:
    """What kernels and matrices take in an ONNX graph."""
    stored = onnx.load_from_string(bundle.graph).graph.initializer
    return sum(
        numpy_helper.to_array(item).nbytes for item in stored if len(item.dims) > 1 and math.prod(item.dims) > 256
    )


@pytest.mark.parametrize(("name", "backbone"), by_pass(GRAPH_PASSES))
def test_a_graph_that_a_pass_made_is_read_again(name: str, backbone: str, tmp_path: Path) -> None:
    bundle = bundle_of(backbone)
    before = bundle.to_bytes()
    outcome = load(name).run(bundle, context(tmp_path))
    assert bundle.to_bytes() == before
    assert isinstance(outcome.artifact, Bundle)
    assert outcome.artifact.labels == bundle.labels
    assert outcome.artifact.meta.preprocess == bundle.meta.preprocess
    assert not outcome.left_alone
    assert weight_bytes(outcome.artifact) < 0.6 * weight_bytes(bundle)  # of tiny layers the file itself may grow
    require_rebuilt(outcome, tmp_path / "made")


@pytest.mark.parametrize("name", PASSES)
def test_settings_are_strict_and_documented(name: str) -> None:
    kind = plugins.load("passes", name, CompressionPass)
    with pytest.raises(UserError, match=r"steps\.1\.no_such_key: unknown key"):
        passes_api.load(name, {**SETTINGS.get(name, {}), "no_such_key": 1}, "steps.1.")
    text = kind.Config.__doc__ or ""
    assert kind.__doc__
    own = set(kind.Config.model_fields) - set(FinetuneConfig.model_fields)
    assert [field for field in own if f"{field}:" not in text] == []


@pytest.mark.parametrize("name", [name for name in PASSES if load(name).weaker(1.0)])
def test_weaker_settings_are_settings_and_full_strength_is_no_change(name: str) -> None:
    item = load(name)
    assert item.weaker(1.0) == item
    halved = item.weaker(0.5)
    assert halved is not None
    assert halved != item
    assert type(halved.config).model_validate(halved.config.model_dump(exclude_unset=True)) == halved.config


def faster_passes() -> list[tuple[str, str]]:
    """Every pass that promises speed on every backbone.

    cp chooses layers as tucker does, so a few show it; the larger RobNet has the cells of the other.
    """
    names = [name for name in MODEL_PASSES if load(name).faster]
    backbones = [backbone for backbone in CASES if backbone != "robnet-large"]
    return [(name, backbone) for name in names for backbone in (FEW if name == "cp" else backbones)]


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
            truth, classes, predict_classes(made, tools.val), model.labels.names, Budget(1, 1, sure=False)
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

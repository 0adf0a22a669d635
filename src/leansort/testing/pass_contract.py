"""What a compression pass has to keep: what it makes is rebuilt from its own file, and what it is given stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from leansort.arch import trained_model
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.compress import passes_api
from leansort.compress.compress_config import FinetuneConfig
from leansort.compress.evaluation import artifact_logits
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome, Prepare
from leansort.compress.pipeline import artifact_store
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.loading.crops import Crops
from leansort.export.onnx import export_onnx
from leansort.measure.timing import latency
from leansort.recipe.load import validate_recipe
from leansort.testing.contract import PluginContract
from leansort.testing.sample_networks import bundle_of, crops, model_of
from leansort.train.job import TrainingJob
from leansort.train.loop import train
from leansort.train.train_config import TrainConfig
from leansort.workflows.compression.step_cascade import assemble_unfitted
from leansort.workflows.compression.step_timing import time_bundles, time_layers

SIDE = 64  # of the crops that sample networks take
SPLITS = ("train", "val")
QUICK = validate_recipe({"name": "quick", "data": {"source": "sample"}, "compress": {"seconds": 0.02}}, "quick")


def finetune(model: TrainedModel, config: FinetuneConfig, folder: Path, prepare: Prepare | None = None) -> TrainedModel:
    """Train on a few crops of noise, as many epochs as a pass asks for."""
    training = TrainConfig(epochs=config.epochs, batch=8, lr=1e-3, workers=0, threads=1, warmup=0, ema=0.5)
    job = TrainingJob(
        model.spec,
        model.preprocess,
        model.labels,
        crops(16, 0, model.preprocess.size),
        crops(12, 1, model.preprocess.size),
        training,
        AugmentConfig(),
        Seeds(0),
        {},
    )
    network = model.network()
    return train(job, folder, network=prepare(network) if prepare else network)


def context(folder: Path) -> PassContext:
    """Data and tools as a pipeline hands them to a pass."""

    def noise(split: str, preprocess: Preprocess) -> Crops:
        return crops(24, SPLITS.index(split), preprocess.size)

    return PassContext(
        crops=noise, preprocess=Preprocess(size=SIDE),
        seeds=Seeds(5), folder=folder, finetune=finetune, export=export_onnx,
        make_cascade=partial(assemble_unfitted, export_onnx),
        time_bundles=partial(time_bundles, QUICK, ()), time_layers=partial(time_layers, QUICK), say=_hush,
    )  # fmt: skip


def _hush(text: str) -> None:
    """Tell nobody."""


def unchanged(weights: Mapping[str, torch.Tensor], model: TrainedModel) -> bool:
    """Whether a model still has these weights, bit for bit."""
    return all(torch.equal(weights[key], model.weights[key]) for key in weights)


def require_rebuilt(outcome: PassOutcome, folder: Path) -> None:
    """Assert that what was made says the same once it was written and read."""
    artifact_store.save(outcome.artifact, folder)
    stage: passes_api.Stage = "graph" if isinstance(outcome.artifact, Bundle) else "model"
    again = artifact_store.load(folder, stage)
    val = crops(6, 3, outcome.artifact.preprocess.size)
    made = artifact_logits(outcome.artifact, val)
    assert np.isfinite(made).all()
    np.testing.assert_array_equal(artifact_logits(again, val), made)
    if isinstance(again, TrainedModel):
        assert ArchSpec.model_validate(again.spec.to_json()) == again.spec == trained_model.load(folder).spec


class PassContract(PluginContract):
    """Runs every pass on small networks.

    Attributes:
        settings: of the passes that need some, by name; the others are tried as they come.
        networks: backbones that the passes are tried on.
    """

    group = "passes"
    base = CompressionPass
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    networks: ClassVar[Sequence[str]] = ("tiny_s",)

    def cases(self) -> list[Any]:
        """Pairs of a pass and the spec of a network; may be `pytest.param` with marks."""
        specs = [ArchSpec(base=base, classes=6, width=0.5) for base in self.networks]
        return [pytest.param(name, spec, id=f"{name}-{spec.base}") for name in self.names for spec in specs]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that takes `spec` on every pair, the others on every pass."""
        if "spec" in metafunc.fixturenames:
            metafunc.parametrize(("name", "spec"), self.cases())
        else:
            super().pytest_generate_tests(metafunc)

    @pytest.fixture(autouse=True)
    def short_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Time for moments only."""
        monkeypatch.setattr(latency, "BLOCK_S", QUICK.compress.seconds)

    def load(self, name: str) -> CompressionPass:
        """A pass with the settings to try it with; what it measures is not measured here."""
        item = passes_api.load(name, self.settings.get(name, {}))
        return item.changed(measured=False) if "measured" in type(item.config).model_fields else item

    def test_what_it_made_is_rebuilt_and_what_it_was_given_stays(
        self, name: str, spec: ArchSpec, tmp_path: Path
    ) -> None:
        """Model in, model out, or bundle in, bundle out; the same once it was written and read."""
        if self.load(name).stage == "model":
            self.model_is_rebuilt(name, model_of(spec), tmp_path)
        else:
            self.graph_is_rebuilt(name, bundle_of(model_of(spec)), tmp_path)

    def model_is_rebuilt(self, name: str, model: TrainedModel, folder: Path) -> PassOutcome:
        """Hold a pass of the stage `model` to it."""
        before = {key: value.clone() for key, value in model.weights.items()}
        outcome = self.load(name).run(model, context(folder))
        assert unchanged(before, model), "the given network was changed"
        assert isinstance(outcome.artifact, TrainedModel)
        assert outcome.left_alone == "" or outcome.artifact is model
        require_rebuilt(outcome, folder / "made")
        if not outcome.left_alone:
            made = outcome.artifact
            same_weights = made.weights.keys() == before.keys() and unchanged(before, made)
            same_shape = (made.spec, made.preprocess) == (model.spec, model.preprocess)
            assert not (same_shape and same_weights), "it says that it did something"
        return outcome

    def graph_is_rebuilt(self, name: str, bundle: Bundle, folder: Path) -> PassOutcome:
        """Hold a pass of the stage `graph` to it."""
        before = bundle.to_bytes()
        outcome = self.load(name).run(bundle, context(folder))
        assert bundle.to_bytes() == before, "the given bundle was changed"
        assert isinstance(outcome.artifact, Bundle)
        assert outcome.left_alone == "" or outcome.artifact is bundle
        assert outcome.artifact.labels == bundle.labels
        assert outcome.artifact.meta.preprocess == bundle.meta.preprocess
        require_rebuilt(outcome, folder / "made")
        return outcome

    def test_the_same_seed_gives_the_same(self, name: str, tmp_path: Path) -> None:
        """A step that is done again comes to the same weights."""
        spec = ArchSpec(base="tiny_s", classes=6, width=0.5)
        given = model_of(spec) if self.load(name).stage == "model" else bundle_of(model_of(spec))
        made = [self.load(name).run(given, context(tmp_path / at)).artifact for at in ("a", "b")]
        val = crops(6, 3, made[0].preprocess.size)
        np.testing.assert_array_equal(artifact_logits(made[0], val), artifact_logits(made[1], val))

    def test_settings_are_strict_and_documented(self, name: str) -> None:
        """An unknown key is refused, and every own key is explained."""
        kind = type(self.load(name))
        with pytest.raises(UserError, match=r"steps\.1\.no_such_key: unknown key"):
            passes_api.load(name, {**self.settings.get(name, {}), "no_such_key": 1}, "steps.1.")
        assert kind.__doc__
        own = set(kind.Config.model_fields) - set(FinetuneConfig.model_fields)
        assert [field for field in own if f"{field}:" not in (kind.Config.__doc__ or "")] == []

    def test_weaker_settings_are_settings_and_full_strength_is_no_change(self, name: str) -> None:
        """A pass that is tried again weaker is still a valid one."""
        item = self.load(name)
        halved = item.weaker(0.5)
        if halved is None:
            return
        assert replace(item, config=item.weaker(1.0).config) == item  # type: ignore[union-attr]
        assert halved != item
        assert type(halved.config).model_validate(halved.config.model_dump(exclude_unset=True)) == halved.config

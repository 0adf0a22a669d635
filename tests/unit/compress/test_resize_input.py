"""Another input: the network behind it, the crops that follow it, and the sizes that are refused or tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.compress import passes_api
from leansort.compress.compress_config import CompressConfig, StressLimit
from leansort.compress.passes_api import PassContext, read_step
from leansort.compress.pipeline import runner
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.preprocess import Preprocess
from leansort.data.loading.crops import Crops
from leansort.export.fast_export import export_for_timing
from leansort.measure.robustness.stressed_crops import StressedCrops, StressFacts
from leansort.measure.timing.latency import Seconds
from leansort.testing.pass_contract import context
from leansort.testing.sample_networks import crops, model_of


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return model_of(ArchSpec(base="tiny_s", classes=6, width=0.5))


def resized(model: TrainedModel, folder: Path, **settings: Any) -> TrainedModel:
    made = passes_api.load("resize_input", settings).run(model, context(folder).of(model)).artifact
    assert isinstance(made, TrainedModel)
    return made


def tools(folder: Path) -> PassContext:
    """Everything gains speed, and nothing is exported by the slow exporter."""

    def timed(bundles: Mapping[str, Bundle]) -> dict[str, Seconds]:
        return {"before": np.linspace(2.0, 2.1, 50), "now": np.linspace(1.0, 1.1, 50)}

    return replace(context(folder), export=export_for_timing, time_bundles=timed)


def ran(model: TrainedModel, out: Path, *steps: Mapping[str, Any], **config: Any) -> runner.PipelineResult:
    read = [read_step(tree, f"compress.steps.{number}.") for number, tree in enumerate(steps, 1)]
    return runner.run_pipeline(CompressConfig(**config), read, model, tools(out), out)


def test_the_weights_stay_and_the_preprocessing_is_another(model: TrainedModel, tmp_path: Path) -> None:
    made = resized(model, tmp_path, size=48, fit="crop")
    assert made.preprocess == model.preprocess.model_copy(update={"size": 48, "fit": "crop"})
    assert (made.spec, made.weights) == (model.spec, model.weights)
    assert made.provenance["resized_input"] == {
        "from": {"size": 64, "fit": "pad"}, "to": {"size": 48, "fit": "crop"},
    }  # fmt: skip


def test_the_fit_alone_can_change_and_nothing_to_change_is_left_alone(model: TrainedModel, tmp_path: Path) -> None:
    assert resized(model, tmp_path, fit="stretch").preprocess.fit == "stretch"
    outcome = passes_api.load("resize_input", {"size": 64}).run(model, context(tmp_path))
    assert outcome.artifact is model
    assert outcome.left_alone == "the input is 64 px, pad, already"


def test_of_several_sizes_the_smallest_is_full_strength_and_weaker_ones_are_larger() -> None:
    item = passes_api.load("resize_input", {"size": [32, 56, 40, 48]})
    assert item.config.size == (56, 48, 40, 32)
    weaker = [item.weaker(fraction) for fraction in (1.0, 0.75, 0.5, 0.25, 0.1)]
    assert [kind.config.size[-1] for kind in weaker if kind] == [32, 40, 48, 56, 56]
    assert passes_api.load("resize_input", {"size": 32}).weaker(0.5) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "needs size, fit, or both"),
        ({"fit": "pda"}, r"steps\.1\.fit: got 'pda', input should be 'pad', 'stretch' or 'crop'"),
        ({"size": 8}, r"steps\.1\.size.*got 8"),
        ({"size": []}, r"steps\.1\.size"),
        ({"sise": 32}, "did you mean 'size'"),
        ({"fit": "pad", "larger": True}, "larger has no effect without size"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        passes_api.load("resize_input", settings, "steps.1.")


def test_larger_sizes_are_refused_before_the_first_step_unless_allowed(model: TrainedModel, tmp_path: Path) -> None:
    steps: list[dict[str, Any]] = [{"pass": "fuse"}, {"pass": "resize_input", "size": [96, 48]}]
    wrong = r"compress\.steps\.2\.size: got 96, the network takes 64 px; allowed: 16 to 64, or more with larger: true"
    with pytest.raises(UserError, match=wrong):
        ran(model, tmp_path / "out", *steps)
    assert not (tmp_path / "out").exists()
    assert resized(model, tmp_path, size=96, larger=True).preprocess.size == 96


def test_a_later_step_cannot_undo_an_earlier_one_unasked(model: TrainedModel, tmp_path: Path) -> None:
    steps = [{"pass": "resize_input", "size": 32}, {"pass": "resize_input", "size": 48}]
    with pytest.raises(UserError, match=r"size is 48, larger than the 32 px in step 1 \(resize_input\)"):
        ran(model, tmp_path / "out", *steps)


def test_a_size_that_the_network_cannot_take_is_refused_before_the_first_step(tmp_path: Path) -> None:
    rows = [{"block": "avg_pool", "kernel": 40, "stride": 1}, {"block": "pool"}, {"block": "linear"}]
    needy = model_of(ArchSpec(base="x", model={"rows": rows}, classes=6))
    with pytest.raises(UserError, match=r"compress\.steps\.1\.size: got 32, which the network cannot take: .*32 px"):
        ran(needy, tmp_path / "out", {"pass": "resize_input", "size": [48, 32]})
    assert not (tmp_path / "out").exists()
    assert resized(needy, tmp_path, size=48).preprocess.size == 48


def test_everything_behind_it_sees_its_crops(model: TrainedModel, tmp_path: Path) -> None:
    """Training, judging and calibration: a network at 64 px is given none of 32, and the other way round."""
    steps = [
        {"pass": "resize_input", "size": 32, "finetune": {"epochs": 1, "teachers": []}},
        {"pass": "prune", "macs": 0.7, "round_to": 2, "importance": "taylor"},
        {"pass": "quantize", "crops": 8},
    ]  # fmt: skip
    result = ran(model, tmp_path / "out", *steps, max_f1_drop=1.0)
    assert [step.state for step in result.steps] == ["start", "accepted", "accepted", "accepted"]
    assert [step.input_size for step in result.steps] == [64, 32, 32, 32]
    assert result.bundle.preprocess == Preprocess(size=32)
    assert result.steps[1].macs < 0.3 * result.steps[0].macs
    assert result.bundles["start"].preprocess.size == 64


def test_where_the_smallest_costs_too_much_larger_ones_are_tried_each_once(
    model: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only 56 px keeps what 64 px say: it is found by bisection, and no size is trained or judged twice."""
    judged = list[int]()
    answers = np.arange(24) % 6

    def predicted(artifact: TrainedModel | Bundle, crops: Crops, engine: str = "") -> Any:
        size = artifact.preprocess.size
        assert np.asarray(crops.pixels).shape[1] == size
        judged.append(size)
        return answers if size >= 56 else (answers + 1) % 6

    monkeypatch.setattr(runner, "predict_classes", predicted)
    steps = [{"pass": "resize_input", "size": [56, 48, 40, 32]}]
    result = ran(model, tmp_path / "out", *steps, max_f1_drop=0.1, retries=8)
    record = result.steps[1]
    assert judged[2:] == [32, 48, 56]  # behind the start, which is judged against itself
    assert [item.state for item in record.tries] == ["refused", "refused", "accepted"]
    assert record.input_size == 56
    assert record.notes["to"] == {"size": 56, "fit": "pad"}


def test_stress_follows_the_input(model: TrainedModel, tmp_path: Path) -> None:
    asked = list[int]()

    def stressed(preprocess: Preprocess) -> StressedCrops:
        asked.append(preprocess.size)
        val = crops(24, 1, preprocess.size)
        facts = StressFacts(("darker",), 3, 24, 0, f"at {preprocess.size}")
        labels = np.asarray(val.labels, np.int64)
        return StressedCrops(facts, np.asarray(val.pixels) // 2, labels, np.ones((1, 24), np.bool_))

    read = [read_step({"pass": "resize_input", "size": 32}, "compress.steps.1.")]
    config = CompressConfig(steps=({"pass": "resize_input"},), stress=StressLimit(kinds=("darker",)), max_f1_drop=1.0)
    result = runner.run_pipeline(config, read, model, tools(tmp_path), tmp_path / "out", stressed)
    assert result.steps[1].verdict is not None
    assert result.steps[1].verdict.stress is not None
    assert set(asked) == {64, 32}

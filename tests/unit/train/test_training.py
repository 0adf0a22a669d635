"""The training loop: what it promises, run on crops of few pixels."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lightning_fabric.plugins.precision.amp import MixedPrecision
from torch import Tensor, nn

from leansort.arch.build import build
from leansort.arch.trained_model import compute_logits, load_tensors, save_tensors
from leansort.core.errors import LeansortError, UserError
from leansort.core.seeds import Seeds
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.augmentation.robust.robust_config import RobustConfig
from leansort.data.loading.loader import EpochSampler, eval_batches
from leansort.measure.accuracy.metrics import macro_f1
from leansort.train import checkpoint, loop, training_run
from leansort.train.checkpoint import TrainingProgress, TrainingState
from leansort.train.distillation.teachers import NetworkTeacher
from leansort.train.hardware import compile_choice
from leansort.train.hardware.compile_choice import CompileChoice
from leansort.train.hardware.device import Fabric, devices, precision
from leansort.train.interrupt import catch_stop_signals
from leansort.train.optimization.optim import build_optimizer
from leansort.train.optimization.weight_average import WeightAverage
from leansort.train.train_config import DistillConfig, TrainConfig
from leansort.train.training_run import TrainingRun
from tests.support.jobs import (
    AS_THEY_ARE,
    NORMED,
    PLAIN,
    Recorder,
    WithoutClassifier,
    job,
    kept,
    pressed,
    require_equal,
    stopped,
    timeless,
    trained,
)

MIXED = AugmentConfig(mixup=0.4, cutmix=1.0)


def difference(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    return max(float((first[name].double() - second[name].double()).abs().max()) for name in first)


# ---- what a run gives


def test_a_run_learns_and_says_how_it_went(tmp_path: Path) -> None:
    model, records = trained(job(PLAIN, lr=0.03, epochs=6, augment=AS_THEY_ARE), tmp_path)
    assert [record["epoch"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert records[0]["loss"] == pytest.approx(math.log(3), abs=0.15)  # a classifier of zeros knows nothing
    assert records[-1]["loss"] < 0.7 * records[0]["loss"]
    best = max(records, key=lambda record: float(record["val_macro_f1"]))
    assert best["val_macro_f1"] > 0.9
    assert (model.provenance["epoch"], model.provenance["val_macro_f1"]) == (best["epoch"], best["val_macro_f1"])
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert timeless(lines) == records
    assert all(line["seconds"] > 0 and line["images_per_s"] > 0 and 0 <= line["waited"] <= 1 for line in lines)
    assert list((tmp_path / "tensorboard").iterdir())


def test_the_model_is_the_best_epochs_average_and_scores_what_it_says(tmp_path: Path) -> None:
    item = job(epochs=4, lr=0.03)
    model, records = trained(item, tmp_path)
    out_nc = compute_logits(model.network(), item.preprocess, eval_batches(item.val.pixels, 7))
    f1 = macro_f1(np.asarray(item.val.labels), out_nc.argmax(1).numpy(), 3)
    assert f1 == model.provenance["val_macro_f1"] == max(record["val_macro_f1"] for record in records)


@pytest.mark.parametrize("fields", [{}, {"optimizer": "sgd", "lr": 0.1, "sampler": "inverse"}, {"precision": "bf16"}])
def test_a_run_repeated_gives_identical_metrics_and_files(tmp_path: Path, fields: dict[str, Any]) -> None:
    for name in ("first", "second"):
        trained(job(augment=MIXED, epochs=2, **fields), tmp_path / name)
    require_equal(tmp_path / "first", tmp_path / "second")
    same = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second")]
    assert same[0] == same[1]


def test_another_seed_gives_another_run(tmp_path: Path) -> None:
    _, first = trained(job(epochs=1), tmp_path / "first")
    _, second = trained(job(epochs=1, seed=1), tmp_path / "second")
    assert first[0]["loss"] != second[0]["loss"]


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    item = job(epochs=2, augment=MIXED)
    trained(item, tmp_path / "none")
    trained(replace(item, config=item.config.model_copy(update={"workers": 1})), tmp_path / "one")
    require_equal(tmp_path / "none", tmp_path / "one")


def test_test_time_augmentation_is_the_mean_over_four_flips_and_reported_apart(tmp_path: Path) -> None:
    item = job(epochs=2, lr=0.03)
    _, plain = trained(item, tmp_path / "plain")
    with_tta = replace(item, config=item.config.model_copy(update={"tta": True}))
    model, records = trained(with_tta, tmp_path / "tta")
    assert [{k: v for k, v in record.items() if k != "val_macro_f1_tta"} for record in records] == plain
    x_nchw = torch.from_numpy(item.val.pixels).permute(0, 3, 1, 2)
    network = model.network()
    soft_nc = sum(
        compute_logits(network, item.preprocess, [x_nchw.flip(dims)]).softmax(1) for dims in ([], [2], [3], [2, 3])
    )  # fmt: skip
    by_hand = macro_f1(np.asarray(item.val.labels), torch.as_tensor(soft_nc).argmax(1).numpy(), 3)
    assert records[model.provenance["epoch"] - 1]["val_macro_f1_tta"] == by_hand


# ---- accumulation, clipping, average


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "sgd", "lr": 0.3},
        {"optimizer": "adamw"},
        {"class_weights": "inverse", "loss": "focal"},
        {"class_weights": "effective", "clip": 0.05},
        {"optimizer": "sgd", "lr": 0.3, "freeze": 1, "layer_decay": 0.5, "head_lr": 2.0, "average_from": 0.4},
    ],
)
@pytest.mark.parametrize("count", [64, 61])  # 61: the last step is of one whole batch and one of five crops
def test_accumulated_batches_are_one_of_their_size(tmp_path: Path, fields: dict[str, Any], count: int) -> None:
    """A network without batch norms; float32 sums in another order are all that may differ."""
    _, whole = trained(job(PLAIN, count=count, batch=16, **fields), tmp_path / "whole")
    _, parts = trained(job(PLAIN, count=count, batch=8, accumulate=2, **fields), tmp_path / "parts")
    assert [record["loss"] for record in parts] == pytest.approx([record["loss"] for record in whole], rel=1e-5)
    assert [record["lr"] for record in parts] == [record["lr"] for record in whole]
    ours, theirs = kept(tmp_path / "parts")[0], kept(tmp_path / "whole")[0]
    assert difference(ours, theirs) < 1e-5
    assert float(theirs["model.network.2.weight"].abs().max()) > 5e-3  # from zero: they have gone a way together


def test_accumulation_takes_fewer_steps(tmp_path: Path) -> None:
    trained(job(PLAIN, count=60, batch=8, accumulate=3, epochs=2), tmp_path)
    assert kept(tmp_path)[0]["optimizer.0.step"] == 2 * 3  # eight batches an epoch: 3, 3 and 2


def test_clipping_bounds_a_step(tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "optimizer": "sgd",
        "momentum": 0,
        "weight_decay": 0,
        "lr": 1.0,
        "warmup": 0,
        "schedule": "constant",
    }
    item = job(PLAIN, count=8, batch=8, epochs=1, **fields)
    begun = {f"model.network.{name}": value for name, value in build(item.spec, item.seeds).state_dict().items()}

    def moved(clip: float) -> float:
        config = item.config.model_copy(update={"clip": clip})
        trained(replace(item, config=config), tmp_path / str(clip))
        after = kept(tmp_path / str(clip))[0]
        return math.sqrt(sum(float((after[name] - begun[name]).square().sum()) for name in begun))

    free = moved(0.0)
    assert moved(free / 10) == pytest.approx(free / 10, rel=1e-3)
    assert moved(free * 10) == pytest.approx(free, rel=1e-6)


def test_the_average_follows_as_the_formula_says() -> None:
    model, averages = nn.Linear(1, 1, bias=False), WeightAverage(nn.Linear(1, 1, bias=False), 0.3)
    nn.init.zeros_(model.weight)
    ema = WeightAverage(model, 0.3)
    nn.init.ones_(model.weight)
    seen = []
    for step in range(4):
        ema.update(model, step)
        seen.append(float(ema.average.weight))  # type: ignore[arg-type]
    left = list(itertools.accumulate([min(0.3, (1 + step) / (10 + step)) for step in range(4)], lambda a, b: a * b))
    assert seen == pytest.approx([1 - share for share in left])
    assert not any(parameter.requires_grad for parameter in averages.average.parameters())


def test_without_an_average_the_network_itself_is_kept(tmp_path: Path) -> None:
    trained(job(epochs=2, ema=0.0), tmp_path)
    tensors = kept(tmp_path)[0]
    averaged = {name.removeprefix("ema."): value for name, value in tensors.items() if name.startswith("ema.")}
    assert averaged
    assert all(torch.equal(value, tensors[f"model.network.{name}"]) for name, value in averaged.items())


# ---- freezing, early stopping, growing


def test_freezing_leaves_the_body_and_its_norms_untouched(tmp_path: Path) -> None:
    item = job(epochs=2, freeze=2, optimizer="sgd", weight_decay=0.5, lr=0.1)
    begun = build(item.spec, item.seeds).state_dict()
    trained(item, tmp_path / "frozen")
    after = kept(tmp_path / "frozen")[0]
    changed = {name for name in begun if not torch.equal(after[f"model.network.{name}"], begun[name])}
    assert changed == {"5.weight", "5.bias"}
    averaged = {name for name in begun if not torch.equal(after[f"ema.{name}"], begun[name])}
    assert averaged == changed


def test_while_it_is_frozen_the_body_has_no_gradients(tmp_path: Path) -> None:
    item = job(epochs=2, freeze=1)
    run = TrainingRun(item, devices(item.config), build(item.spec, item.seeds), [])
    run.freeze(0)
    assert [name for name, p in run.network.named_parameters() if p.requires_grad] == ["5.weight", "5.bias"]
    run.freeze(1)
    assert all(p.requires_grad for p in run.student.parameters())


def test_after_freezing_all_is_tuned(tmp_path: Path) -> None:
    item = job(epochs=2, freeze=1)
    begun = build(item.spec, item.seeds).state_dict()
    trained(item, tmp_path)
    after = kept(tmp_path)[0]
    assert all(not torch.equal(after[f"model.network.{name}"], value) for name, value in begun.items())


def test_freezing_needs_a_classifier(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.freeze: .* no linear classifier"):
        loop.train(job(freeze=1), tmp_path, network=WithoutClassifier())


@pytest.mark.parametrize("patience", [1, 2])
def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path, patience: int) -> None:
    item = job(PLAIN, lr=1e-9, epochs=9, patience=patience)  # it never gets better than it began
    _, records = trained(item, tmp_path)
    assert len(records) == 1 + patience
    _, more = trained(item, tmp_path, resume=True)
    assert more == []


def test_a_run_that_gets_better_is_not_stopped(tmp_path: Path) -> None:
    _, records = trained(job(PLAIN, lr=0.03, epochs=4, patience=3, augment=AS_THEY_ARE), tmp_path)
    assert len(records) == 4


def test_growing_crops_reach_the_network_and_val_stays_whole(tmp_path: Path) -> None:
    item = job(size=96, epochs=8, grow_from=0.3, count=16)
    network = build(item.spec, item.seeds)
    seen: list[tuple[bool, int]] = []

    def note(module: nn.Module, given_x: tuple[Tensor, ...]) -> None:
        seen.append((module.training, given_x[0].shape[-1]))

    network.register_forward_pre_hook(note)
    trained(item, tmp_path, network=network)
    in_training = [size for training, size in seen if training]
    assert in_training == [size for epoch in range(8) for size in 2 * [item.size(epoch)]]
    assert sorted(set(in_training)) == [32, 64, 96]
    assert in_training == sorted(in_training)
    assert {size for training, size in seen if not training} == {96}


@settings(max_examples=200, deadline=None)
@example(72, 0.25, 8)  # 72 / 32 rounds down
@example(33, 0.39638559821034125, 4)  # the share at three quarters is a little less than one
@given(st.integers(16, 512), st.floats(0.25, 1.0), st.integers(1, 50))
def test_sizes_grow_in_steps_and_are_whole_for_the_last_quarter(whole: int, grow_from: float, epochs: int) -> None:
    config = TrainConfig(epochs=epochs, grow_from=grow_from)
    text = replace(job(), preprocess=job().preprocess.model_copy(update={"size": whole}), config=config)
    sizes = [text.size(epoch) for epoch in range(epochs)]
    assert sizes == sorted(sizes)
    assert all(size == whole or (size % 32 == 0 and size < whole) for size in sizes)
    assert all(size == whole for epoch, size in enumerate(sizes) if epoch >= max(1, 0.75 * epochs))
    assert grow_from < 1 or set(sizes) == {whole}


# ---- stopping and resuming

RESUMED: dict[str, tuple[Sequence[dict[str, Any]], AugmentConfig, dict[str, Any]]] = {
    "sgd, dropout, mixup": (NORMED, AugmentConfig(mixup=0.4), {"optimizer": "sgd", "lr": 0.1}),
    "adamw, mixup or cutmix, sampler, accumulation": (NORMED, MIXED, {"sampler": "inverse", "accumulate": 3}),
    "lamb, focal, weights": (
        NORMED,
        AugmentConfig(randaugment=2, erase=0.1),
        {"optimizer": "timm:lamb", "loss": "focal", "class_weights": "sqrt", "accumulate": 2},
    ),
    "adan, one cycle, bce": (PLAIN, MIXED, {"optimizer": "timm:adan", "schedule": "one_cycle", "loss": "bce"}),
    "restarts, freeze, bf16, tta": (
        NORMED,
        AugmentConfig(cutmix=1.0),
        {"schedule": "restarts", "freeze": 1, "precision": "bf16", "tta": True, "patience": 5},
    ),
    "layer decay, freeze, equal mean, accumulation": (
        NORMED,
        MIXED,
        {"layer_decay": 0.7, "head_lr": 4.0, "freeze": 1, "average_from": 0.4, "accumulate": 2},
    ),
    "robust": (NORMED, AugmentConfig(robust=RobustConfig(jpeg=0.5, noise=0.5, distance=0.3, crop_error=0.3)), {}),
    "frozen norms, sgd": (
        NORMED,
        AugmentConfig(randaugment=1),
        {"optimizer": "sgd", "lr": 0.1, "layer_decay": 0.9, "freeze_norms": True, "average_from": 0.0},
    ),
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    done: dict[str, Path] = {}

    def run(name: str) -> Path:
        if name not in done:
            if ("lamb" in name or "adan" in name) and not importlib.util.find_spec("timm"):
                pytest.skip("timm is not installed")
            done[name] = tmp_path_factory.mktemp("unbroken")
            rows, augment, fields = RESUMED[name]
            trained(job(rows, augment=augment, **fields), done[name])
        return done[name]

    return run


# Sixty crops an epoch in eight batches: in the first one, in the middle, in the last of an epoch, in the second epoch.
@pytest.mark.parametrize("after", [1, 20, 58, 85])
@pytest.mark.parametrize("name", RESUMED)
def test_stopped_in_mid_epoch_and_resumed_it_ends_as_unbroken(
    tmp_path: Path, unbroken: Callable[[str], Path], name: str, after: int
) -> None:
    rows, augment, fields = RESUMED[name]
    whole, item = unbroken(name), job(rows, augment=augment, **fields)
    stopped(item, tmp_path, after)
    _, meta = load_tensors(tmp_path / "last.safetensors", "checkpoint")
    accumulate = item.config.accumulate
    batches = -(-(after % 60) // 8)  # fetched before the signal was seen; then the step is finished
    assert (meta["epoch"], meta["batch"]) == (after // 60, min(8, -(-batches // accumulate) * accumulate))
    torch.manual_seed(after)  # whatever the new process has drawn already
    trained(item, tmp_path, resume=True)
    require_equal(tmp_path, whole)


def test_stopped_again_and_again_it_ends_as_unbroken(tmp_path: Path, unbroken: Callable[[str], Path]) -> None:
    name = "adamw, mixup or cutmix, sampler, accumulation"
    rows, augment, fields = RESUMED[name]
    item = job(rows, augment=augment, **fields)
    stopped(item, tmp_path, 20)
    for _ in range(5):
        stopped(item, tmp_path, 10, resume=True)
    trained(item, tmp_path, resume=True)
    require_equal(tmp_path, unbroken(name))


def test_stopped_while_workers_read_ahead_it_ends_as_unbroken(tmp_path: Path, unbroken: Callable[[str], Path]) -> None:
    name = "sgd, dropout, mixup"
    rows, augment, fields = RESUMED[name]
    item = job(rows, augment=augment, **{**fields, "workers": 1})
    stopped(item, tmp_path, 70)  # the worker presses it, some batches ahead
    trained(item, tmp_path, resume=True)
    require_equal(tmp_path, unbroken(name))


def test_sigterm_stops_as_ctrl_c_does_and_the_handlers_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(signal, "SIGINT", signal.SIGTERM)  # what `Pressed` sends
    stopped(job(), tmp_path, 20)
    monkeypatch.undo()
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_second_ctrl_c_stops_at_once() -> None:
    def told(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, told)
    try:
        with catch_stop_signals() as stop:
            assert not stop
            signal.raise_signal(signal.SIGINT)
            assert stop
            assert stop.signal == signal.SIGINT
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_is_shown_on_the_way_goes_on_after_resuming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "time", SimpleNamespace(perf_counter=itertools.count().__next__))
    item = job(epochs=1)
    whole, rest = Recorder(), Recorder()
    trained(item, tmp_path / "whole", whole)
    stopped(item, tmp_path / "broken", 30)
    trained(item, tmp_path / "broken", rest, resume=True)
    assert [(step.epoch, step.batch, step.batches) for step in whole.steps] == [(1, batch, 8) for batch in range(1, 9)]
    assert rest.steps == whole.steps[4:]


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    item = job(epochs=1)
    trained(item, tmp_path)
    before = (tmp_path / "last.safetensors").read_bytes()
    model, records = trained(item, tmp_path, resume=True)
    assert records == []
    assert model.provenance["epoch"] == 1
    assert (tmp_path / "last.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    "fields", [{"lr": 0.02}, {"optimizer": "sgd"}, {"epochs": 4}, {"augment": MIXED}, {"seed": 1}, {"batch": 16}]
)
def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    trained(job(epochs=1), tmp_path)
    with pytest.raises(UserError, match="another recipe, data set or seed"):
        trained(job(**{"epochs": 1, **fields}), tmp_path, resume=True)


def test_a_checkpoint_of_more_processes_is_refused(tmp_path: Path) -> None:
    item = job(epochs=1)
    network = build(item.spec, item.seeds)
    state = TrainingState(network, WeightAverage(network, 0.9), build_optimizer(network, item.config))
    checkpoint.save(tmp_path / "last.safetensors", state, TrainingProgress(ranks=2), item.identity)
    with pytest.raises(UserError, match="of 2 processes, here are 1"):
        checkpoint.resume(tmp_path / "last.safetensors", state, item.identity, 1)
    assert checkpoint.resume(tmp_path / "last.safetensors", state, item.identity, 2) == TrainingProgress(ranks=2)


def test_resuming_needs_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there"):
        trained(job(), tmp_path, resume=True)


def test_another_device_without_scaled_gradients_goes_on(tmp_path: Path) -> None:
    """A GPU that does no bf16 scales its gradients; a checkpoint of it can be gone on with where nothing does."""
    item = job(epochs=2)
    stopped(item, tmp_path, 70)
    tensors, meta = load_tensors(tmp_path / "last.safetensors", "checkpoint")
    save_tensors(tmp_path / "last.safetensors", tensors, {**meta, "scaler": {"scale": 1024.0}})
    _, records = trained(item, tmp_path, resume=True)
    assert [record["epoch"] for record in records] == [2]


def test_the_scale_of_fp16_gradients_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU's number types on the CPU, with a scale that changes every few steps and overflows at first."""

    def scaled(config: TrainConfig) -> Fabric:
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**22, growth_interval=3)
        return Fabric(accelerator="cpu", devices=1, plugins=[MixedPrecision("16-mixed", "cpu", scaler)])

    monkeypatch.setattr(loop, "devices", scaled)
    item = job(precision="fp16", lr=0.03)
    trained(item, tmp_path / "whole")
    for after in (20, 85):
        folder = tmp_path / str(after)
        stopped(item, folder, after)
        _, meta = load_tensors(folder / "last.safetensors", "checkpoint")
        assert meta["scaler"]["scale"] != 2.0**22
        trained(item, folder, resume=True)
        require_equal(folder, tmp_path / "whole")
        ends = [load_tensors(entry / "last.safetensors", "checkpoint")[1] for entry in (folder, tmp_path / "whole")]
        assert ends[0]["scaler"] == ends[1]["scaler"]
    assert kept(tmp_path / "whole")[0]["optimizer.0.step"] < 3 * 8  # steps that overflowed were left out


# ---- faults


@pytest.mark.parametrize("clip", [0.0, 5.0])
def test_a_training_that_diverges_says_so_in_one_line(tmp_path: Path, clip: float) -> None:
    fields: dict[str, Any] = {"optimizer": "sgd", "lr": 9.9, "weight_decay": 0.99, "schedule": "constant", "warmup": 0}
    item = job(PLAIN, batch=2, epochs=9, clip=clip, **fields)
    with pytest.raises(LeansortError, match=r"training diverged in epoch \d.* lower train.lr, now 9.9") as caught:
        trained(item, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_diverged_training_that_is_stopped_says_so_too(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"optimizer": "sgd", "lr": 9.9, "weight_decay": 0.99, "schedule": "constant", "warmup": 0}
    item = job(PLAIN, batch=2, epochs=1, count=200, **fields)
    with pytest.raises(LeansortError, match="training diverged"):
        loop.train(pressed(item, 195), tmp_path)
    assert not (tmp_path / "last.safetensors").exists()


# ---- order of several processes


@settings(max_examples=200, deadline=None)
@given(st.integers(8, 300), st.integers(2, 40), st.integers(1, 4))
def test_processes_share_every_crop_once_in_the_order_of_one_with_all_batches(
    length: int, batch: int, ranks: int
) -> None:
    alone = EpochSampler(length, batch * ranks, Seeds(3))
    parts = [EpochSampler(length, batch, Seeds(3), rank=rank, ranks=ranks) for rank in range(ranks)]
    for epoch in (0, 5):
        shared = [part.begin(epoch, 0) for part in parts]
        assert {len(batches) for batches in shared} == {len(parts[0])}
        seen = [key for batches in shared for batch in batches for key in batch]
        assert sorted(seen) == [(epoch, index) for index in range(length)]
        together = [sorted(key for item in step for key in item) for step in zip(*shared, strict=True)]
        assert [len(step) for step in together] == parts[0].sizes
        if length % (batch * ranks) == 0:  # otherwise too short a last batch may join the one before at another length
            assert together == [sorted(item) for item in alone.begin(epoch, 0)]


def test_an_order_is_begun_where_it_was_left() -> None:
    sampler = EpochSampler(50, 8, Seeds(1))
    whole = sampler.begin(2, 3)
    assert len(whole) == len(sampler) == len(sampler.sizes)
    assert list(sampler) == whole[3:]
    assert sampler.begin(2, 0) == whole


# ---- number types, compiling


@pytest.mark.parametrize(
    ("wanted", "cuda", "native", "given_type"),
    [
        ("auto", False, False, "32-true"),
        ("auto", True, True, "bf16-mixed"),
        ("auto", True, False, "16-mixed"),
        ("fp32", True, True, "32-true"),
        ("bf16", False, False, "bf16-mixed"),
        ("fp16", True, True, "16-mixed"),
    ],
)
def test_number_types(monkeypatch: pytest.MonkeyPatch, wanted: str, cuda: bool, native: bool, given_type: str) -> None:
    asked: list[bool] = []

    def supported(including_emulation: bool = True) -> bool:
        asked.append(including_emulation)
        return native

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert precision(TrainConfig.model_validate({"precision": wanted}), cuda=cuda) == given_type
    assert asked == ([False] if wanted == "auto" and cuda else [])  # emulated bf16 is no speed


def test_bf16_is_used_where_it_is_asked_for(tmp_path: Path) -> None:
    item = job(epochs=1, precision="bf16")
    network = build(item.spec, item.seeds)
    seen: set[tuple[bool, torch.dtype]] = set()
    head = cast(nn.Sequential, network)[-1]
    head.register_forward_hook(lambda module, _, out: seen.add((module.training, out.dtype)))
    trained(item, tmp_path, network=network)
    assert seen == {(True, torch.bfloat16), (False, torch.float32)}  # scored as it will be deployed
    assert {value.dtype for value in kept(tmp_path)[0].values()} == {torch.float32, torch.int64}


@pytest.mark.parametrize(
    ("eager", "compiled", "cost", "steps", "pays"),
    [(2.0, 1.0, 50, 51, True), (2.0, 1.0, 50, 50, False), (1.0, 2.0, 0, 10_000, False), (1.0, math.inf, 3, 99, False)],
)
def test_compiling_pays_where_the_steps_save_more_than_it_costs(
    eager: float, compiled: float, cost: float, steps: int, pays: bool
) -> None:
    choice = CompileChoice(eager, compiled, cost, steps)
    assert choice.pays is pays
    assert str(choice).startswith(f"compile: {'on' if pays else 'off'}; a step takes {eager * 1000:.1f} ms")


class Clock:
    """Time that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


def normed() -> nn.Module:
    return nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 2))


def measured(monkeypatch: pytest.MonkeyPatch, network: nn.Module, cost: float, fails: bool = False) -> CompileChoice:
    """Measure a network that takes 2 s a step as it is, 1 s compiled and `cost` to compile."""
    clock = Clock()
    monkeypatch.setattr(compile_choice, "time", clock)

    def compile_it(module: nn.Module) -> None:
        module.is_compiled = True  # type: ignore[assignment]
        clock.now += cost
        if fails:
            raise RuntimeError("no compiler")

    monkeypatch.setattr(nn.Module, "compile", compile_it)

    def step(network: nn.Module) -> Tensor:
        clock.now += 1.0 if getattr(network, "is_compiled", False) else 2.0
        return cast(Tensor, network(torch.randn(4, 3))).sum()

    return compile_choice.measure_compile(network, step, steps=100, rounds=4)


def test_a_measurement_times_both_ways_and_leaves_the_network_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network, random = normed(), torch.get_rng_state()
    choice = measured(monkeypatch, network, cost=40.0)
    assert torch.equal(torch.get_rng_state(), random)
    assert (choice.eager_s, choice.compiled_s, choice.compile_s, choice.steps) == (2.0, 1.0, 41.0, 100)
    assert choice.pays
    assert not hasattr(network, "is_compiled")
    assert all(parameter.grad is None for parameter in network.parameters())
    assert network.state_dict()["0.num_batches_tracked"] == 0


def test_where_it_does_not_compile_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = measured(monkeypatch, normed(), cost=1.0, fails=True)
    assert choice.compiled_s == math.inf
    assert not choice.pays


def test_asked_for_and_impossible_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(module: nn.Module) -> None:
        module._compiled_call_impl = lambda *given: (_ for _ in ()).throw(RuntimeError("no compiler\nfound"))

    monkeypatch.setattr(nn.Module, "compile", fail)
    with pytest.raises(UserError, match=r"train\.compile: got on, .* \(no compiler found\); use auto or off"):
        loop.train(job(compile="on"), tmp_path)


def elsewhere(fabric: Fabric) -> Fabric:
    """A device that is no CPU and computes nothing."""
    here = SimpleNamespace(device=torch.device("meta"), broadcast=fabric.broadcast, autocast=fabric.autocast)
    return cast(Fabric, here)


@pytest.mark.parametrize("saves", [True, False])
def test_compiling_is_measured_decided_said_and_kept(monkeypatch: pytest.MonkeyPatch, saves: bool) -> None:
    item, asked, compiled, texts = job(epochs=5), list[int](), list[nn.Module](), list[str]()
    choice = CompileChoice(2.0, 1.0 if saves else 3.0, 1.0, 40)

    def fake(network: nn.Module, step: compile_choice.Step, steps: int) -> CompileChoice:
        asked.append(steps)
        return choice

    monkeypatch.setattr(compile_choice, "measure_compile", fake)
    monkeypatch.setattr(training_run, "say", texts.append)
    monkeypatch.setattr(nn.Module, "compile", lambda module: compiled.append(module))
    fabric = devices(item.config)
    run = TrainingRun(item, fabric, build(item.spec), [])
    on_cpu = TrainingProgress()
    run.compile(on_cpu)
    assert (on_cpu.compiled, asked, texts) == (False, [], [])  # there it is not worth the wait
    run.fabric, progress = elsewhere(fabric), TrainingProgress()
    run.compile(progress)
    assert (progress.compiled, asked, texts) == (saves, [5 * 8], [str(choice)])
    assert compiled == ([run.network] if saves else [])
    run.compile(progress)  # as a resumed run does: it is not measured again, and comes out the same
    assert (len(asked), len(texts), len(compiled)) == (1, 1, 2 * saves)


@pytest.fixture(scope="module")
def compiler() -> None:
    try:
        torch.compile(torch.nn.Linear(2, 2))(torch.zeros(1, 2))
    except Exception as error:
        pytest.skip(f"torch.compile does not work here: {type(error).__name__}")


def test_a_compiled_network_trains_as_it_does_uncompiled(tmp_path: Path, compiler: None) -> None:
    fields: dict[str, Any] = {"epochs": 1, "count": 16, "augment": AS_THEY_ARE}
    _, plain = trained(job(PLAIN, **fields), tmp_path / "plain")
    model, compiled = trained(job(PLAIN, **fields, compile="on"), tmp_path / "compiled")
    assert compiled[0]["loss"] == pytest.approx(plain[0]["loss"], rel=1e-4)
    assert set(model.weights) == set(build(model.spec).state_dict())
    assert load_tensors(tmp_path / "compiled" / "last.safetensors", "checkpoint")[1]["compiled"] is True


@pytest.mark.slow  # half a minute of compiling
def test_compiled_norms_dropout_and_hints_come_out_as_uncompiled(tmp_path: Path, compiler: None) -> None:
    losses = []
    for compiled in ("off", "on"):
        item = job(epochs=2, count=45, compile=compiled, distill=DistillConfig(hints=1.0))
        teacher = NetworkTeacher(build(item.spec, Seeds(5)), item.preprocess, 3, hints=True)
        _, records = trained(item, tmp_path / compiled, teachers=[teacher])
        losses.append([record["loss"] for record in records])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)

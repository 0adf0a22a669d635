"""What pretrained weights need: rates by depth, a classifier trained first, norms that stay, weights averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn
from torch.optim import swa_utils

from leansort.arch.build import build
from leansort.arch.spec.apply_edits import apply_edits
from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.spec.spec import ArchSpec, Factorize, Factorized, Remove, Resize
from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.core.errors import UserError
from leansort.train import loop
from leansort.train.finetuning.layer_depths import decayed_scales, group_by_depth
from leansort.train.finetuning.norm_statistics import recompute_statistics
from leansort.train.optimization.optim import build_optimizer
from leansort.train.optimization.schedules import learning_rate
from leansort.train.optimization.weight_average import WeightAverage
from leansort.train.train_config import TrainConfig
from tests.support.jobs import AS_THEY_ARE, NORMED, PLAIN, WithoutClassifier, job, kept, trained

ONE_STEP: dict[str, Any] = {
    "optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "warmup": 0, "schedule": "constant", "epochs": 1,
    "count": 8, "batch": 8, "clip": 0.0, "ema": 0.0, "augment": AS_THEY_ARE,
}  # fmt: skip


def depths(network: nn.Module, classes: int = 3) -> dict[str, int]:
    """The depth of each weight by its name."""
    groups = group_by_depth(network, find_classifiers(network, classes))
    found = {id(weight): depth for depth, weights in enumerate(groups) for weight in weights}
    return {name: found[id(weight)] for name, weight in network.named_parameters()}


def moved(folder: Path, network: nn.Module) -> dict[str, Tensor]:
    """How far training has moved each weight from where a network stands."""
    after = kept(folder)[0]
    return {name: after[f"model.network.{name}"] - weight.detach() for name, weight in network.named_parameters()}


# ---- depths


def test_depths_are_blocks_from_the_input_to_the_classifier() -> None:
    item = job()
    found = depths(build(item.spec))
    by_module = {name.split(".")[0]: depth for name, depth in found.items()}
    assert by_module == {"0": 0, "1": 1, "2": 2, "5": 3}  # a convolution, a block of two repeats, the classifier
    assert list(found.values()) == sorted(found.values())


@pytest.mark.parametrize("base", ["mobilenetv4_conv_small", "lean_v4", "mnasnet", "tiny_s"])
def test_every_weight_of_a_network_has_one_depth(base: str) -> None:
    network = build(ArchSpec(base=base, classes=3))
    groups = group_by_depth(network, find_classifiers(network, 3))
    assert sorted(id(weight) for group in groups for weight in group) == sorted(map(id, network.parameters()))
    assert len(groups) > 6
    assert {weight.shape[0] for weight in groups[-1]} == {3}


def test_code_is_looked_into_cell_by_cell() -> None:
    network = build(ArchSpec(base="robnet", classes=3, options={"layers": 4, "channels": 8}))
    found = depths(network)
    assert len(set(found.values())) >= 6  # stem, four cells, classifier
    assert list(found.values()) == sorted(found.values())


def require_one_order(ours: Mapping[str, int], theirs: Mapping[str, int]) -> None:
    """One count of depths may be finer than the other, but none contradicts it."""
    pairs = sorted({(depth, theirs[name]) for name, depth in ours.items()})
    assert [depth for _, depth in pairs] == sorted(depth for _, depth in pairs)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "convnext_atto", "vit_tiny_patch16_224"])
def test_depths_are_timms_own_groups_and_the_classifier(name: str) -> None:
    network: Any = build(ArchSpec(base=f"timm:{name}", classes=3))
    theirs = _timm_models().group_parameters(network, network.group_matcher(coarse=False), reverse=True)
    found = depths(network)
    require_one_order(found, theirs)
    assert abs(len(set(found.values())) - len(set(theirs.values()))) <= 1  # a classifier, or a norm, by itself
    last = {key for key, depth in found.items() if depth == max(found.values())}
    assert {network.get_parameter(key).shape[0] for key in last} == {3}


def _timm_models() -> Any:
    try:
        return import_torchvision("timm.models", "timm")
    except UserError:
        pytest.skip("timm is not installed")


def test_timm_networks_without_a_word_are_taken_by_their_order() -> None:
    _timm_models()
    network: Any = build(ArchSpec(base="timm:tf_efficientnet_lite0", classes=3))
    said = depths(network)
    network.group_matcher = None
    require_one_order(depths(network), said)
    assert max(depths(network).values()) == max(said.values()) + 1  # timm counts the head's convolution to the body


def test_pruned_and_factorized_networks_keep_their_depths() -> None:
    network = build(job().spec)
    before = depths(network)
    names = {name for name, part in network.named_modules() if isinstance(part, nn.Conv2d)}
    wide = next(name for name in sorted(names) if name.startswith("1.") and network.get_submodule(name).groups == 1)
    made = apply_edits(network, (Factorize(layers={wide: Factorized(method="svd", ranks=(2,))}), Remove(layers=("2",))))
    after = depths(made)
    assert after[f"{wide}.0.weight"] == after[f"{wide}.1.weight"] == before[f"{wide}.weight"]
    assert sorted(set(after.values())) == [0, 1, 2]  # the block that is gone leaves no gap in the rates


@settings(max_examples=50, deadline=None)
@given(st.floats(0.05, 0.99), st.integers(1, 8), st.booleans())
def test_scales_fall_from_one_at_the_classifier(decay: float, repeats: int, normed: bool) -> None:
    body = [nn.Sequential(nn.Linear(2, 2), *([nn.BatchNorm1d(2)] if normed else [])) for _ in range(repeats)]
    network = nn.Sequential(*body, nn.Linear(2, 3))
    scales = [decayed_scales(network, [network[-1]], decay)[id(weight)] for weight in network.parameters()]
    assert scales == sorted(scales)
    assert scales[-2:] == [1.0, 1.0]
    assert sorted(set(scales), reverse=True) == [decay**depth for depth in range(repeats + 1)]


def test_the_first_step_is_shorter_by_the_factor_of_its_depth(tmp_path: Path) -> None:
    item = job(PLAIN, lr=0.5, **ONE_STEP)
    network: Any = build(item.spec, item.seeds)
    with torch.no_grad():
        network[2].weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))  # else the body gets no gradient
    start = {name: weight.clone() for name, weight in network.state_dict().items()}
    found = {}
    variants: dict[str, dict[str, Any]] = {"plain": {}, "decayed": {"layer_decay": 0.25, "head_lr": 3.0}}
    for name, fields in variants.items():
        network.load_state_dict(start)
        trained(job(PLAIN, lr=0.5, **ONE_STEP, **fields), tmp_path / name, network=network)
        network.load_state_dict(start)
        found[name] = moved(tmp_path / name, network)
    for name, step in found["plain"].items():
        assert float(step.abs().max()) > 1e-4
        factor = 3.0 if name.startswith("2.") else 0.25
        torch.testing.assert_close(found["decayed"][name], factor * step, rtol=1e-3, atol=1e-7)


def test_without_decay_the_optimizer_has_the_two_groups_it_had() -> None:
    network = build(job().spec)
    groups = build_optimizer(network, TrainConfig()).param_groups
    assert [(group["weight_decay"], group["lr_scale"], group["lr"]) for group in groups] == [
        (0.05, 1.0, 2e-3),
        (0.0, 1.0, 2e-3),
    ]


def test_the_factor_of_the_classifier_needs_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.head_lr: .* no linear classifier"):
        loop.train(job(head_lr=2.0), tmp_path, network=WithoutClassifier())
    loop.train(
        job(epochs=1, layer_decay=0.5), tmp_path, network=WithoutClassifier()
    )  # one depth: there is nothing to tell apart


# ---- the classifier first


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["cosine", "one_cycle", "restarts", "constant"]),
    st.integers(1, 20),
    st.integers(1, 10),
    st.integers(1, 9),
    st.floats(0, 12),
)
def test_warm_up_and_schedule_begin_after_the_frozen_epochs(
    schedule: Any, epochs: int, freeze: int, steps: int, warmup: float
) -> None:
    whole = TrainConfig(epochs=epochs, warmup=warmup, schedule=schedule)
    probed = TrainConfig(epochs=epochs + freeze, freeze=freeze, warmup=warmup, schedule=schedule)
    rates = [learning_rate(step, steps, probed) for step in range((epochs + freeze) * steps)]
    assert rates[: freeze * steps] == [probed.lr] * (freeze * steps)
    assert rates[freeze * steps :] == [learning_rate(step, steps, whole) for step in range(epochs * steps)]


def test_while_frozen_features_are_the_same_in_every_epoch(tmp_path: Path) -> None:
    """No batch norm drifts, nothing is dropped, and no backward pass goes into the body."""
    item = job(epochs=3, freeze=2, augment=AS_THEY_ARE, count=8, batch=8)
    network, seen = build(item.spec, item.seeds), []

    def note(module: nn.Module, given_x: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            seen.append((given_x[0].detach().sort(0).values, given_x[0].requires_grad))

    find_classifiers(network, 3)[0].register_forward_pre_hook(note)
    trained(item, tmp_path, network=network)
    (first, _), (second, _), (third, _) = seen
    torch.testing.assert_close(first, second)  # another order of the same crops
    assert not torch.allclose(second, third)
    assert [gradients for _, gradients in seen] == [False, False, True]


# ---- frozen statistics


def test_frozen_norms_keep_their_statistics_and_train_the_rest(tmp_path: Path) -> None:
    item = job(epochs=2, freeze_norms=True, lr=0.05)
    begun = build(item.spec, item.seeds).state_dict()
    trained(item, tmp_path)
    after = kept(tmp_path)[0]
    same = {name for name, value in begun.items() if torch.equal(after[f"model.network.{name}"], value)}
    assert same == {name for name in begun if name.rpartition(".")[2] in _STATISTICS}
    assert all(torch.equal(after[f"ema.{name}"], begun[name]) for name in same)


_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def test_norms_that_are_not_there_cannot_be_frozen(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.freeze_norms: the network has no batch norms"):
        loop.train(job(PLAIN, freeze_norms=True), tmp_path)


# ---- the equal mean


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-9, 9), min_size=1, max_size=30), st.integers(0, 29), st.floats(0, 0.999))
def test_from_its_first_step_on_the_average_is_the_plain_mean(values: list[float], first: int, decay: float) -> None:
    model = nn.Linear(1, 1, bias=False)
    average, moving = WeightAverage(model, decay, first), WeightAverage(model, decay)
    for step, value in enumerate(values):
        nn.init.constant_(model.weight, value)
        for item in (average, moving):
            item.update(model, step)
        wanted = sum(values[first : step + 1]) / (step + 1 - first) if step >= first else float(_only(moving))
        assert float(_only(average)) == pytest.approx(wanted, abs=1e-4)


def _only(average: WeightAverage) -> Tensor:
    return next(iter(average.average.parameters()))


def test_a_training_averages_its_last_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item, steps = job(epochs=4, average_from=0.5, accumulate=3, count=60), list[dict[str, Tensor]]()
    update = WeightAverage.update

    def note(self: WeightAverage, model: nn.Module, step: int) -> None:
        assert step == len(steps)
        steps.append({name: weight.detach().clone() for name, weight in model.named_parameters()})
        update(self, model, step)

    monkeypatch.setattr(WeightAverage, "update", note)
    trained(item, tmp_path)
    after = kept(tmp_path)[0]
    assert len(steps) == 4 * 3
    for name in steps[0]:
        wanted = torch.stack([step[name] for step in steps[6:]]).mean(0)
        torch.testing.assert_close(after[f"ema.{name}"], wanted, rtol=1e-4, atol=1e-6)  # of means taken one by one


def test_statistics_are_recomputed_as_pytorch_does() -> None:
    torch.manual_seed(0)
    spec = ArchSpec(base="x", model={"rows": [row for row in NORMED if row["block"] != "dropout"]}, classes=3)
    batches = list(torch.randn(5, 8, 3, 16, 16))
    ours, theirs = build(spec), build(spec)
    momenta = [norm.momentum for norm in ours.modules() if isinstance(norm, nn.BatchNorm2d)]
    recompute_statistics(ours, batches)
    swa_utils.update_bn(batches, theirs)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    assert [norm.momentum for norm in ours.modules() if isinstance(norm, nn.BatchNorm2d)] == momenta
    assert not any(part.training for part in ours.modules())


def test_averaged_weights_are_scored_with_statistics_of_their_own(tmp_path: Path) -> None:
    item = job(epochs=2, average_from=0.5, lr=0.05)
    trained(item, tmp_path)
    after = kept(tmp_path)[0]
    counters = [int(value) for name, value in after.items() if name.startswith("ema.") and "tracked" in name]
    assert set(counters) == {8}  # the batches of the last epoch, not the steps of both
    running = [name for name in after if name.startswith("ema.") and name.endswith("running_mean")]
    assert running
    assert all(not torch.equal(after[name], after["model.network" + name[3:]]) for name in running)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.floats(0, 1), st.integers(1, 50))
def test_a_fraction_below_one_always_averages_something(epochs: int, average_from: float, batches: int) -> None:
    item = job(epochs=epochs, average_from=average_from, count=3)
    first = item.first_equal_step(batches)
    assert (first is None) is (average_from == 1.0)
    if first is not None:
        assert 0 <= first <= (epochs - 1) * item.steps(batches)
        assert first == item.first_equal_epoch * item.steps(batches)


# ---- what has no effect


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"freeze_norms": True, "sync_norms": True}, "sync_norms has no effect"),
        ({"epochs": 3, "freeze": 3, "layer_decay": 0.9}, "layer_decay has no effect while freeze, 3, covers all 3"),
        ({"epochs": 3, "freeze": 4, "freeze_norms": True}, "freeze_norms has no effect while freeze, 4"),
        ({"epochs": 8, "freeze": 3, "average_from": 0.25}, "average_from, 0.25, begins in epoch 3 of 8, but freeze"),
        ({"layer_decay": 0.0}, "greater than 0"),
        ({"layer_decay": 1.1}, "less than or equal to 1"),
        ({"head_lr": 0}, "greater than 0"),
    ],
)
def test_settings_without_effect_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainConfig(**fields)


def test_resized_networks_train_by_depth(tmp_path: Path) -> None:
    """As pruning leaves them: a body of fewer channels, and the classifier that reads it."""
    spec = ArchSpec(base="x", model={"rows": list(PLAIN)}, classes=3)
    dense = next(name for name, part in build(spec).named_modules() if isinstance(part, nn.Linear))
    item = job(PLAIN, epochs=1, layer_decay=0.5)
    cut = spec.edited(Resize(layers={dense: (3, 7, 1), "2": (7, 3, 1)}))
    network = build(cut, item.seeds)
    start = build(cut, item.seeds)
    trained(replace(item, spec=cut), tmp_path, network=network)
    assert all(float(step.abs().max()) > 0 for step in moved(tmp_path, start).values())

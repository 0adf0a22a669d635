"""Losses against closed forms, PyTorch's own and each other."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from leansort.data.loading.class_balance import class_weights
from leansort.train.optimization.losses import TrainingLoss
from leansort.train.train_config import TrainConfig

CPU = torch.device("cpu")
COUNTS = [50, 30, 15, 5]
LOSSES = ("cross_entropy", "focal", "bce")


def objective(counts: list[int] = COUNTS, **fields: Any) -> TrainingLoss:
    return TrainingLoss(TrainConfig(**{"label_smoothing": 0.0, **fields}), counts, CPU)


def batch(crops: int = 12, classes: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits_bc = 3 * torch.randn(crops, classes, generator=generator)
    return logits_bc, torch.randint(classes, (crops,), generator=generator)


def shares(crops: int = 12, classes: int = 4, seed: int = 1) -> Tensor:
    return torch.rand(crops, classes, generator=torch.Generator().manual_seed(seed)).softmax(1)


def one_hot(target_b: Tensor) -> Tensor:
    return F.one_hot(target_b, 4).float()


def smoothed(shares_bc: Tensor, smoothing: float) -> Tensor:
    return shares_bc * (1 - smoothing) + smoothing / 4


def test_undecided_logits_cost_the_logarithm_of_the_classes() -> None:
    zeros, target = torch.zeros(6, 4), torch.tensor([0, 1, 2, 3, 3, 3])
    assert float(objective()(zeros, target)) == pytest.approx(math.log(4))
    assert float(objective(label_smoothing=0.3)(zeros, target)) == pytest.approx(math.log(4))
    assert float(objective(loss="focal", focal_gamma=2.0)(zeros, target)) == pytest.approx(0.75**2 * math.log(4))
    assert float(objective(loss="bce")(zeros, target)) == pytest.approx(4 * math.log(2))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_cross_entropy_is_the_closed_form(smoothing: float) -> None:
    logits_bc, target = batch()
    wanted = -(smoothed(one_hot(target), smoothing) * logits_bc.log_softmax(1)).sum(1).mean()
    assert float(objective(label_smoothing=smoothing)(logits_bc, target)) == pytest.approx(float(wanted), rel=1e-6)
    reference = F.cross_entropy(logits_bc, target, label_smoothing=smoothing)
    assert float(objective(label_smoothing=smoothing)(logits_bc, target)) == pytest.approx(float(reference), rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_bce_is_pytorchs_summed_over_classes(smoothing: float) -> None:
    logits_bc, target = batch()
    wanted_bc = F.binary_cross_entropy(logits_bc.sigmoid(), smoothed(one_hot(target), smoothing), reduction="none")
    given = objective(loss="bce", label_smoothing=smoothing)(logits_bc, target)
    assert float(given) == pytest.approx(float(wanted_bc.sum(1).mean()), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_is_the_papers(gamma: float) -> None:
    logits_bc, target = batch()
    right_b = logits_bc.softmax(1).gather(1, target[:, None])[:, 0]
    wanted = -((1 - right_b) ** gamma * right_b.log()).mean()
    assert float(objective(loss="focal", focal_gamma=gamma)(logits_bc, target)) == pytest.approx(float(wanted), 1e-5)


# With both weights and smoothing they differ: cross-entropy weighs every class's term by itself, focal the crop.
@pytest.mark.parametrize(("smoothing", "kind"), [(0.0, "none"), (0.1, "none"), (0.0, "inverse")])
def test_focal_of_gamma_zero_is_cross_entropy(smoothing: float, kind: str) -> None:
    logits_bc, target = batch()
    for either in (target, one_hot(target)):
        focal = objective(loss="focal", focal_gamma=0.0, label_smoothing=smoothing, class_weights=kind)
        plain = objective(label_smoothing=smoothing, class_weights=kind)
        assert float(focal(logits_bc, either)) == pytest.approx(float(plain(logits_bc, either)), rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["none", "inverse", "sqrt", "effective"])
def test_an_index_and_its_one_hot_share_cost_the_same(loss: str, smoothing: float, kind: str) -> None:
    logits_bc, target = batch()
    item = objective(loss=loss, label_smoothing=smoothing, class_weights=kind)
    assert float(item(logits_bc, target)) == pytest.approx(float(item(logits_bc, one_hot(target))), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_shared_targets_cost_the_mix_of_what_their_classes_cost(loss: str) -> None:
    logits_bc, _ = batch()
    shares_bc, item = shares(), objective(loss=loss, class_weights="none")
    of_classes = torch.stack([item(logits_bc[at : at + 1], torch.tensor([c])) for at in range(12) for c in range(4)])
    wanted = (shares_bc * of_classes.reshape(12, 4)).sum(1).mean()
    assert float(item(logits_bc, shares_bc)) == pytest.approx(float(wanted), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_class_counts_as_often_as_its_weight_says(loss: str) -> None:
    weights = class_weights(COUNTS, "inverse")
    logits_bc, target = batch()
    plain, weighted = objective(loss=loss), objective(loss=loss, class_weights="inverse")
    for label in range(4):
        part = target == label
        ratio = float(weighted(logits_bc[part], target[part])) / float(plain(logits_bc[part], target[part]))
        assert ratio == pytest.approx(weights[label], rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["none", "inverse", "effective"])
def test_a_batch_costs_the_mean_of_its_halves(loss: str, kind: str) -> None:
    """What accumulation and several processes rely on, with weights too."""
    logits_bc, target = batch()
    item = objective(loss=loss, class_weights=kind, label_smoothing=0.1)
    halves = (item(logits_bc[:6], target[:6]) + item(logits_bc[6:], target[6:])) / 2
    assert float(item(logits_bc, target)) == pytest.approx(float(halves), rel=1e-5)


def test_weights_over_all_crops_leave_the_loss_its_size() -> None:
    target = torch.tensor([label for label, count in enumerate(COUNTS) for _ in range(count)])
    logits_bc = torch.zeros(len(target), 4)
    for kind in ("inverse", "sqrt", "effective"):
        assert float(objective(class_weights=kind)(logits_bc, target)) == pytest.approx(math.log(4), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_logit_adjustment_adds_the_logarithm_of_the_shares(loss: str) -> None:
    logits_bc, target = batch()
    margin_c = torch.tensor(COUNTS).float().div(100).log()
    for strength in (0.5, 1.0, 2.0):
        shifted = objective(loss=loss)(logits_bc + strength * margin_c, target)
        given = objective(loss=loss, logit_adjustment=strength)(logits_bc, target)
        assert float(given) == pytest.approx(float(shifted), rel=1e-5)


def test_logit_adjustment_asks_more_of_rare_classes() -> None:
    even, item = torch.zeros(1, 4), objective(logit_adjustment=1.0)
    costs = [float(item(even, torch.tensor([label]))) for label in range(4)]
    assert costs == pytest.approx([-math.log(count / 100) for count in COUNTS], rel=1e-5)  # the prior's surprise
    assert costs == sorted(costs)


def test_a_class_without_crops_keeps_everything_finite() -> None:
    logits_bc, target = batch()
    for fields in ({"logit_adjustment": 1.0}, {"class_weights": "inverse"}, {"class_weights": "effective"}):
        item = objective([60, 30, 10, 0], **fields)
        assert math.isfinite(float(item(logits_bc, target % 3)))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_gradients_of_sure_predictions_are_finite(loss: str, gamma: float) -> None:
    logits_bc = torch.tensor([[60.0, 0, 0, 0], [0, 0, -60.0, 0], [0, 0, 0, 0]], requires_grad=True)
    for target in (torch.tensor([0, 2, 1]), shares(3)):
        given = objective(loss=loss, focal_gamma=gamma, label_smoothing=0.1)(logits_bc, target)
        (slope_bc,) = torch.autograd.grad(given, logits_bc)
        assert slope_bc.isfinite().all()
        assert slope_bc[2].abs().sum() > 0


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(LOSSES),
    st.sampled_from(["none", "inverse", "sqrt", "effective"]),
    st.floats(0, 0.9),
    st.floats(0, 5),
    st.floats(0, 2),
    st.integers(0, 1000),
)
def test_every_loss_is_finite_and_not_negative(
    loss: str, kind: str, smoothing: float, gamma: float, adjustment: float, seed: int
) -> None:
    logits_bc, target = batch(seed=seed)
    item = objective(
        loss=loss, class_weights=kind, label_smoothing=smoothing, focal_gamma=gamma, logit_adjustment=adjustment
    )
    for given_target in (target, shares(seed=seed)):
        value = float(item(logits_bc, given_target))
        assert math.isfinite(value)
        assert value >= 0


def test_half_precision_logits_are_judged_in_full() -> None:
    logits_bc, target = batch()
    exact = float(objective()(logits_bc.bfloat16().float(), target))
    assert float(objective()(logits_bc.bfloat16(), target)) == exact

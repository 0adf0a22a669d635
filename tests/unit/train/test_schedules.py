"""The learning rate as a function of the step, and the optimizers it drives."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from leansort.arch.spec.memory_format import channels_last
from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.core.errors import UserError
from leansort.train import checkpoint
from leansort.train.checkpoint import TrainingProgress, TrainingState
from leansort.train.optimization.optim import build_optimizer
from leansort.train.optimization.schedules import learning_rate
from leansort.train.optimization.weight_average import WeightAverage
from leansort.train.train_config import TrainConfig

Schedule = Literal["cosine", "one_cycle", "restarts", "constant"]
SCHEDULES: tuple[Schedule, ...] = ("cosine", "one_cycle", "restarts", "constant")


def rates(steps: int = 10, **fields: Any) -> list[float]:
    config = TrainConfig(**{"lr": 0.4, "warmup": 0, "epochs": 10, **fields})
    return [learning_rate(step, steps, config) for step in range(steps * config.epochs)]


def test_constant_is_constant() -> None:
    assert set(rates(schedule="constant")) == {0.4}


def test_cosine_falls_along_half_a_wave() -> None:
    given_rates = rates(schedule="cosine")
    assert given_rates == pytest.approx([0.2 * (1 + math.cos(math.pi * step / 100)) for step in range(100)])
    assert given_rates == sorted(given_rates, reverse=True)
    assert 0 < given_rates[-1] < 1e-3 * 0.4


def test_warm_up_rises_evenly_and_hands_over_at_the_peak() -> None:
    given_rates = rates(schedule="cosine", warmup=2)
    assert given_rates[:20] == pytest.approx([0.4 * (step + 1) / 20 for step in range(20)])
    assert given_rates[19] == given_rates[20] == 0.4
    assert given_rates[20:] == pytest.approx([0.2 * (1 + math.cos(math.pi * step / 80)) for step in range(80)])


@pytest.mark.parametrize("warmup", [0.01, 0.15, 0.25, 1.37, 9.95])
def test_warm_up_of_part_of_an_epoch_never_passes_the_peak(warmup: float) -> None:
    assert max(rates(schedule="constant", warmup=warmup)) == 0.4


def test_warm_up_longer_than_the_training_is_cut_short() -> None:
    given_rates = rates(schedule="cosine", warmup=20)
    assert given_rates == pytest.approx([0.4 * (step + 1) / 200 for step in range(100)])


def test_one_cycle_climbs_for_a_third_and_brings_its_own_warm_up() -> None:
    given_rates = rates(schedule="one_cycle", warmup=5)
    assert given_rates == rates(schedule="one_cycle", warmup=0)
    assert given_rates[0] == pytest.approx(0.4 / 25)
    assert given_rates.index(max(given_rates)) == 30
    assert given_rates[30] == 0.4
    assert given_rates[:31] == sorted(given_rates[:31])
    assert given_rates[30:] == sorted(given_rates[30:], reverse=True)
    assert given_rates[-1] < 1e-3 * 0.4


def test_restarts_are_so_many_equal_cosines() -> None:
    given_rates = rates(schedule="restarts", cycles=4)
    quarter = [0.2 * (1 + math.cos(math.pi * step / 25)) for step in range(25)]
    assert given_rates == pytest.approx(4 * quarter, rel=1e-6)
    assert sum(later > earlier for earlier, later in itertools.pairwise(given_rates)) == 3


@pytest.mark.parametrize("cycles", [3, 7, 49, 61, 98])
def test_every_restart_is_at_the_peak_whatever_the_rounding(cycles: int) -> None:
    given_rates = rates(steps=2, schedule="restarts", cycles=cycles, epochs=cycles * 3)
    assert given_rates[::6] == pytest.approx([0.4] * cycles)


def test_restarts_come_after_the_warm_up() -> None:
    given_rates = rates(schedule="restarts", cycles=2, warmup=2)
    assert [step for step, rate in enumerate(given_rates) if rate == pytest.approx(0.4)] == [19, 20, 60]


@settings(max_examples=400, deadline=None)
@example("restarts", 49, 1, 0.0, 49, 0.3)
@example("cosine", 3, 2, 0.75, 3, 0.3)
@example("restarts", 14, 1, 2.0**-24, 7, 1.0)
@given(
    st.sampled_from(SCHEDULES),
    st.integers(1, 60),
    st.integers(1, 40),
    st.floats(0, 70, allow_nan=False),
    st.integers(1, 100),
    st.floats(1e-5, 9.0),
)
def test_the_rate_is_above_zero_and_at_most_the_peak(
    schedule: Schedule, epochs: int, steps: int, warmup: float, cycles: int, lr: float
) -> None:
    given_rates = rates(steps, schedule=schedule, epochs=epochs, warmup=warmup, cycles=cycles, lr=lr)
    assert all(0 < rate <= lr for rate in given_rates)


# ---- optimizers


def network() -> nn.Module:
    torch.manual_seed(0)
    return channels_last(
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 3))
    )


def go(model: nn.Module, item: torch.optim.Optimizer, first: int, end: int) -> None:
    for step in range(first, end):
        torch.manual_seed(step)
        x_bchw = torch.randn(4, 3, 8, 8).to(memory_format=torch.channels_last)
        nn.functional.cross_entropy(model(x_bchw), torch.tensor([0, 1, 2, 0])).backward()  # type: ignore[no-untyped-call]
        item.step()
        item.zero_grad()


def test_biases_and_norms_do_not_decay() -> None:
    model = network()
    for name in ("adamw", "sgd", "timm:lamb"):
        groups = build_optimizer(model, TrainConfig(optimizer=name, weight_decay=0.3)).param_groups
        decay = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
        assert [decay[id(parameter)] for parameter in model.parameters()] == [0.3, 0, 0, 0, 0.3, 0]


def test_sgd_has_nesterov_momentum_where_it_has_any() -> None:
    with_momentum = build_optimizer(network(), TrainConfig(optimizer="sgd", momentum=0.8)).param_groups[0]
    without = build_optimizer(network(), TrainConfig(optimizer="sgd", momentum=0.0)).param_groups[0]
    assert (with_momentum["momentum"], with_momentum["nesterov"]) == (0.8, True)
    assert (without["momentum"], without["nesterov"]) == (0.0, False)


# One takes second derivatives, the others keep lists of tensors, which no checkpoint of ours holds.
REFUSED = ("timm:adahessian", "timm:kron", "timm:kronc", "timm:kronw")
ON_GPUS = ("timm:bnb", "timm:fused")


def known() -> list[str]:
    try:
        names: list[str] = import_torchvision("timm.optim", "timm").list_optimizers()
    except UserError:
        return []
    return [f"timm:{name}" for name in names]


@pytest.mark.parametrize("name", ["adamw", "sgd", *known()])
def test_every_optimizer_goes_on_from_a_checkpoint_or_is_refused(name: str, tmp_path: Path) -> None:
    config = TrainConfig(optimizer=name, lr=1e-3)
    unbroken = network()
    if name in REFUSED or (name.startswith(ON_GPUS) and not torch.cuda.is_available()):
        with pytest.raises(UserError, match=r"train\.optimizer: timm's"):
            build_optimizer(unbroken, config)
        return
    first = build_optimizer(unbroken, config)
    go(unbroken, first, 0, 5)
    broken = network()
    second = build_optimizer(broken, config)
    go(broken, second, 0, 2)
    checkpoint.save(
        tmp_path / "last", TrainingState(broken, WeightAverage(broken, 0.9), second), TrainingProgress(), "x"
    )
    resumed = network()
    third = build_optimizer(resumed, config)
    checkpoint.resume(tmp_path / "last", TrainingState(resumed, WeightAverage(resumed, 0.9), third), "x")
    go(resumed, third, 2, 5)
    for ours, theirs in zip(resumed.state_dict().values(), unbroken.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_an_unknown_optimizer_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match="timm has no 'lamm'; did you mean 'lamb"):
        build_optimizer(network(), TrainConfig(optimizer="timm:lamm"))

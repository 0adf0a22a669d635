"""Networks that end earlier: what stays is what it was, and the new classifier begins at zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from leansort.arch.build import parameters
from leansort.arch.trained_model import TrainedModel
from leansort.compress import passes_api
from leansort.compress.compress_config import FinetuneConfig
from leansort.compress.passes_api import PassOutcome
from leansort.core.errors import UserError
from leansort.core.seeds import Seeds
from leansort.testing.pass_contract import context
from tests.support.pruning import prune_channels
from tests.unit.compress.test_channel_pruning import model_of


def truncated(model: TrainedModel, parts: int, folder: Path) -> PassOutcome:
    return passes_api.load("truncate", {"parts": parts}).run(model, context(folder))


def pruned(model: TrainedModel) -> TrainedModel:
    settings: dict[str, Any] = {"importance": "l2", "scope": "global", "round_to": 2, "gradients": None}
    return prune_channels(model, amount=0.3, seeds=Seeds(0), **settings)


def made(outcome: PassOutcome) -> TrainedModel:
    assert isinstance(outcome.artifact, TrainedModel)
    return outcome.artifact


def test_the_first_parts_stay_and_the_classifier_begins_at_zero(tmp_path: Path) -> None:
    model = model_of("mobilenetv2")
    outcome = truncated(model, 8, tmp_path)
    short = made(outcome)
    assert outcome.notes == {"parts": 8, "of": 22, "channels": 32}
    network, x = short.network(), torch.randn(2, 3, 64, 64)
    assert network(x).shape == (2, 6)
    assert torch.equal(network[:8](x), model.network()[:8](x))  # type: ignore[index]
    assert not network(x).any()


def test_it_goes_on_from_a_pruned_network_and_is_pruned_again(tmp_path: Path) -> None:
    short = made(truncated(pruned(model_of("mobilenetv2")), 8, tmp_path))
    again = pruned(short)
    assert again.weights.keys() == short.weights.keys()
    assert parameters(again.network()) < parameters(short.network())
    assert again.network()(torch.randn(1, 3, 64, 64)).shape == (1, 6)


def test_it_learns(tmp_path: Path) -> None:
    tools = context(tmp_path)
    short = made(truncated(model_of("mobilenetv2"), 4, tmp_path))
    trained = tools.finetune(short, FinetuneConfig(epochs=1), tmp_path / "training")
    assert trained.spec == short.spec
    assert any(not torch.equal(trained.weights[key], short.weights[key]) for key in short.weights)


@pytest.mark.parametrize(
    ("name", "parts", "why"),
    [
        ("mobilenetv2", 22, "the network has 22 parts, 22 are to stay"),
        ("mobilenetv2", 20, "the first 20 parts put out no channels of pictures any more"),
        ("robnet-free", 4, "robnet is no chain of parts that could end earlier"),
    ],
)
def test_what_cannot_end_there_is_left_alone_and_says_why(name: str, parts: int, why: str, tmp_path: Path) -> None:
    model = model_of(name)
    outcome = truncated(model, parts, tmp_path)
    assert outcome.artifact is model
    assert outcome.left_alone == why


@pytest.mark.parametrize("settings", [{}, {"parts": 0}, {"parts": "all"}])
def test_parts_are_a_positive_number(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="parts"):
        passes_api.load("truncate", settings)

"""Mean weights: of what is alike, worked out by hand, and never worse on val than the best network alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.train.finetuning.weight_soup import greedy_soup, mean_weights


def network(value: float) -> TrainedModel:
    weights = {
        "w": torch.full((2,), float(value)),
        "half": torch.tensor([value]).half(),
        "steps": torch.tensor(int(value)),
    }
    return TrainedModel(ArchSpec(classes=3), weights, Preprocess(), LabelSet(("a", "b", "c")), {"seed": value})


def closeness(target: float) -> Callable[[TrainedModel], float]:
    return lambda model: -abs(float(model.weights["w"][0]) - target)


def unchanged(model: TrainedModel) -> TrainedModel:
    return model


def test_the_mean_keeps_types_and_counts() -> None:
    made = mean_weights([network(1), network(2), network(6)])
    assert made["w"].tolist() == [3.0, 3.0]
    assert made["half"].dtype == torch.float16
    assert made["half"].tolist() == [3.0]
    assert made["steps"] == 1


def test_what_makes_it_worse_stays_out() -> None:
    soup = greedy_soup([network(1), network(4), network(20)], unchanged, closeness(2.5))
    assert soup.members == (0, 1)  # both 1.5 away alone; their mean is 2.5
    assert soup.alone == (-1.5, -1.5, -17.5)
    assert soup.score == 0
    assert soup.tried == {1: 0, 2: pytest.approx(2.5 - 25 / 3)}
    assert soup.model.weights["w"].tolist() == [2.5, 2.5]


def test_the_best_alone_is_left_as_it_is_where_no_mean_is_as_good() -> None:
    models = [network(9), network(2), network(7)]
    soup = greedy_soup(models, unchanged, closeness(2.0))
    assert soup.members == (1,)
    assert soup.model is models[1]


def test_a_mean_is_finished_before_it_is_judged() -> None:
    def finish(model: TrainedModel) -> TrainedModel:
        return network(5)

    soup = greedy_soup([network(1), network(2)], finish, closeness(5.0))
    assert soup.members == (1, 0)
    assert soup.model.weights["w"].tolist() == [5.0, 5.0]

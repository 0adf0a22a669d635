"""A candidate of a search is built once: what is counted, exported, checked and trained is one network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from leansort.arch import trained_model as trained_models
from leansort.arch.build import BuiltNetwork, build
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.contest.formulas import Baselines
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.recipe.load import validate_recipe
from leansort.recipe.schema import Recipe
from leansort.search.search_config import SearchConfig
from leansort.workflows.training import built_network, export_check, untrained_network
from leansort.workflows.tuning.cost_evaluator import CostEvaluator

LABELS = LabelSet(("a", "b", "c"))
SPEC = ArchSpec(base="tiny_s", classes=3)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The networks that are built, wherever that is asked for."""
    seen: list[str] = []

    def counted(spec: ArchSpec, seeds: Seeds | None = None) -> torch.nn.Module:
        seen.append(spec.base)
        return build(spec, seeds)

    for module in (trained_models, built_network, untrained_network):
        monkeypatch.setattr(module, "build", counted)
    monkeypatch.setattr(export_check, "proven_networks", set())
    return seen


def recipe() -> Recipe:
    tree = {"name": "tiny", "data": {"source": "folder", "path": "x"}, "arch": {"base": "tiny_s"}, "seed": 3}
    return validate_recipe({**tree, "preprocess": {"size": 32}}, "test")


def evaluator(folder: Path) -> CostEvaluator:
    config = SearchConfig.model_validate({
        "name": "s", "recipe": "none", "space": {"train.lr": {"float": [0.001, 0.1]}},
        "objectives": ["macro_f1", "size_mb"], "constraints": {"stride": 64},
    })  # fmt: skip
    return CostEvaluator(config, recipe().target, config.wanted(Baselines()), LABELS, [], "data", folder)


def test_a_candidate_is_built_once_before_it_is_trained(builds: list[str], tmp_path: Path) -> None:
    coster = evaluator(tmp_path)
    candidate = coster.candidate(recipe())
    costs = coster.costs(candidate)
    export_check.require_exportable(candidate.built.spec, candidate.recipe, candidate.built)
    assert builds == ["tiny_s"]
    assert set(costs.values) == {"macs", "parameters", "stride", "size_mb"}


def test_what_is_looked_at_before_is_trained_as_it_was_drawn(tmp_path: Path) -> None:
    coster = evaluator(tmp_path)
    candidate = coster.candidate(recipe())
    coster.costs(candidate)
    export_check.proof(candidate.built.spec, candidate.recipe, candidate.built)
    fresh, network = build(SPEC, Seeds(3)), candidate.built.network
    assert network.training == fresh.training
    assert [name for name, _ in network.named_parameters()] == [name for name, _ in fresh.named_parameters()]
    assert all(weights.requires_grad for weights in network.parameters())
    for name, value in fresh.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name


def test_a_network_at_hand_is_copied_only_for_its_own_architecture(builds: list[str]) -> None:
    built = BuiltNetwork(SPEC, build(SPEC, Seeds(3)))
    model = TrainedModel(SPEC, built.network.state_dict(), Preprocess(size=32), LABELS, built=built)
    network = model.network()
    assert builds == []
    with torch.no_grad():
        next(iter(network.parameters())).zero_()
    assert bool(next(iter(built.network.parameters())).any())
    wider = SPEC.model_copy(update={"width": 2.0})
    other = TrainedModel(wider, build(wider, Seeds(0)).state_dict(), Preprocess(size=32), LABELS, built=built)
    assert sum(p.numel() for p in other.network().parameters()) > sum(p.numel() for p in network.parameters())
    assert builds == ["tiny_s"]

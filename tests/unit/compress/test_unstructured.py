"""Weights that become zero: which, how many, and what that gains."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import nn

from leansort.arch.build import build
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.spec.spec import ArchSpec, Factorize, Factorized
from leansort.arch.trained_model import TrainedModel
from leansort.compress.pruning.unstructured import compressed_bytes, zero_smallest_weights
from leansort.contest.contest_classes import CONTEST_CLASSES
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from tests.unit.compress.test_channel_pruning import model_of

NAMES = ("tiny_s", "mobilenetv3_small", "robnet-free", "timm:lcnet_050")


def raw_bytes(model: TrainedModel) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in model.weights.values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scope", ["local", "global"])
def test_the_smallest_weights_of_inner_layers_become_zero(name: str, scope: Literal["local", "global"]) -> None:
    model = model_of(name)
    given = {key: tensor.clone() for key, tensor in model.weights.items()}
    sparse, zeros = zero_smallest_weights(model, 0.6, scope)
    assert sparse.spec == model.spec
    assert sparse.network()(torch.randn(1, 3, 32, 32)).shape == (1, 6)
    network = model.network()
    heads = find_classifiers(network, 6)
    inner = [name for name, module in network.named_modules()
             if isinstance(module, nn.Conv2d | nn.Linear) and module not in heads]  # fmt: skip
    assert list(zeros) == inner
    gone = total = 0
    for key, before in given.items():
        assert torch.equal(model.weights[key], before)
        after = sparse.weights[key]
        if key.removesuffix(".weight") not in inner:
            assert torch.equal(after, before)
            continue
        stays = after != 0
        assert torch.equal(after[stays], before[stays])
        assert zeros[key.removesuffix(".weight")] == pytest.approx(float((~stays).float().mean()))
        assert float(before[~stays].abs().max()) <= float(before[stays].abs().min())
        gone, total = gone + int((~stays).sum()), total + stays.numel()
        if scope == "local":
            assert int((~stays).sum()) == round(0.6 * stays.numel())
    assert gone / total == pytest.approx(0.6, abs=1e-3)
    assert all(fraction < 1.0 for fraction in zeros.values())  # no layer is shut, however small its weights are drawn


def test_zeros_pack_well_and_the_file_as_it_is_stays_as_large() -> None:
    model = model_of("tiny_s")
    sizes = [compressed_bytes(zero_smallest_weights(model, amount, "global")[0]) for amount in (0.0, 0.5, 0.9)]
    assert sizes[0] == compressed_bytes(model)
    assert sizes[1] < 0.75 * sizes[0]
    assert sizes[2] < 0.35 * sizes[0]
    assert 0.8 * raw_bytes(model) < sizes[0] < raw_bytes(model)
    assert raw_bytes(zero_smallest_weights(model, 0.9, "global")[0]) == raw_bytes(model)


def test_none_all_and_nonsense() -> None:
    model = model_of("tiny_s")
    same, zeros = zero_smallest_weights(model, 0.0, "local")
    assert all(torch.equal(same.weights[key], tensor) for key, tensor in model.weights.items())
    assert set(zeros.values()) == {0.0}
    assert set(zero_smallest_weights(model, 1.0, "global")[1].values()) == {1.0}
    with pytest.raises(ValueError, match=r"need an amount in 0..1, got 1.2"):
        zero_smallest_weights(model, 1.2, "local")


def test_fused_and_factorized_layers_count_and_half_precision_packs() -> None:
    model = model_of("tiny_s")
    network, spec = fold_batch_norms(model.network(), model.spec)
    merged = TrainedModel(spec, network.state_dict(), model.preprocess, model.labels)
    sparse, _ = zero_smallest_weights(merged, 0.5, "local")
    assert all(torch.equal(sparse.weights[key], merged.weights[key]) for key in merged.weights if key.endswith("bias"))

    factored = ArchSpec(base="tiny_s", classes=6, width=0.5).edited(
        Factorize(layers={"8.0": Factorized(method="svd", ranks=(8,)), "11": Factorized(method="svd", ranks=(4,))})
    )
    split = TrainedModel(
        factored, build(factored, Seeds(1)).state_dict(), Preprocess(size=32), LabelSet(CONTEST_CLASSES)
    )
    zeros = zero_smallest_weights(split, 0.5, "local")[1]
    assert {"8.0.0", "8.0.1", "11.0"} <= zeros.keys()
    assert "11.1" not in zeros  # it puts out the classes
    halves = TrainedModel(
        model.spec, {key: tensor.bfloat16() for key, tensor in model.weights.items()}, model.preprocess, model.labels
    )
    assert compressed_bytes(halves) < 0.6 * compressed_bytes(model)

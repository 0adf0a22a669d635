"""Residual blocks that leave a network whole: what they added is gone, what they were given goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from leansort.arch import trained_model
from leansort.arch.layers.blocks import Residual
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.spec import ArchSpec, Remove
from leansort.arch.trained_model import TrainedModel
from leansort.compress.pruning.residual_block_removal import find_removable_blocks, remove_blocks
from leansort.core.errors import UserError
from leansort.core.seeds import Seeds
from tests.contract.test_backbones import CASES
from tests.support.pruning import prune_channels
from tests.unit.compress.test_channel_pruning import model_of

REMOVABLE = {
    "tiny_s": ["1", "4", "6"],
    "mnasnet": ["3", "4", "6", "7", "9", "10", "12", "14", "15", "16"],
    "mobilenetv3_small": ["3", "5", "6", "7", "8", "10", "11"],
    "mobilenetv4_conv_small": ["6", "7", "8", "9", "10", "12", "13", "14", "15", "16"],
    "moga_a": ["3", "5", "6", "8", "9", "10", "12", "14", "15"],
    "robnet-free": [],  # its cells read two others and lay four nodes side by side
    "timm:lcnet_050": [],
    "timm:ghostnet_100": ["blocks.0.0", "blocks.2.0", "blocks.4.0", *(f"blocks.6.{i}" for i in (0, 1, 2, 4)),
                          *(f"blocks.8.{i}" for i in range(4))],
    "timm:repvit_m0_9": [],  # its shortcuts begin behind the depthwise convolution of a block
}  # fmt: skip


@pytest.mark.parametrize("name", REMOVABLE)
def test_residual_blocks_are_found_and_leave(name: str, tmp_path: Path) -> None:
    model = model_of(name)
    given = {key: tensor.clone() for key, tensor in model.weights.items()}
    removable_blocks = find_removable_blocks(model)
    assert removable_blocks == REMOVABLE[name]
    short = remove_blocks(model, removable_blocks)
    assert all(torch.equal(model.weights[key], given[key]) for key in given)
    if not removable_blocks:
        assert short is model
        return
    assert short.spec.edits[-1] == Remove(layers=tuple(removable_blocks))
    assert ArchSpec.model_validate(json.loads(json.dumps(short.spec.to_json()))) == short.spec
    assert short.weights.keys() == {
        key for key in given if not key.startswith(tuple(f"{removable_block}." for removable_block in removable_blocks))
    }
    assert find_removable_blocks(short) == []
    short.save(tmp_path / "short.safetensors")
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(trained_model.load(tmp_path / "short.safetensors").network()(x), short.network()(x))


def test_the_rows_own_residual_blocks_are_those_found() -> None:
    for name in ("tiny_s", "mnasnet", "mobilenetv3_small", "mobilenetv4_conv_small", "moga_a"):
        network = model_of(name).network()
        own = [path for path, part in network.named_modules() if isinstance(part, Residual) and part.residual]
        assert own == REMOVABLE[name]


@pytest.mark.parametrize(
    ("name", "block", "last"),
    [("mnasnet", "9", ["9.body.2.1"]), ("timm:ghostnet_100", "blocks.6.1",
     ["blocks.6.1.ghost2.primary_conv.1", "blocks.6.1.ghost2.cheap_operation.1"])],
)  # fmt: skip
def test_what_is_left_is_the_shortcut(name: str, block: str, last: list[str]) -> None:
    model = model_of(name)
    network = model.network()
    for norm in last:  # the branch adds nothing
        for part in ("weight", "bias"):
            nn.init.zeros_(network.get_parameter(f"{norm}.{part}"))
    silent = replace(model, weights=network.state_dict())
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(remove_blocks(silent, [block]).network()(x), silent.network()(x), atol=1e-6, rtol=1e-6)
    assert not torch.allclose(remove_blocks(model, [block]).network()(x), model.network()(x), atol=1e-3)


def test_blocks_whose_sum_is_activated_and_blocks_of_a_stage_are_found_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("huggingface_hub", reason="timm is not installed")
    monkeypatch.setitem(CASES, "timm:resnet10t", ArchSpec(base="timm:resnet10t", classes=6))
    assert find_removable_blocks(model_of("timm:resnet10t")) == ["layer1.0"]


def test_blocks_leave_fused_and_pruned_networks_and_channels_leave_shorter_ones() -> None:
    model = model_of("mobilenetv3_small")
    network, spec = fold_batch_norms(model.network(), model.spec)
    merged = TrainedModel(spec, network.state_dict(), model.preprocess, model.labels)
    assert find_removable_blocks(merged) == REMOVABLE["mobilenetv3_small"]

    def cut(item: TrainedModel) -> TrainedModel:
        return prune_channels(
            item, amount=0.5, importance="l1", scope="local", round_to=4, gradients=None, seeds=Seeds(0)
        )  # fmt: skip

    both = remove_blocks(cut(remove_blocks(merged, ["5"])), ["3", "11"])
    assert [edit.op for edit in both.spec.edits] == ["fuse_batch_norm", "remove", "resize", "remove"]
    assert find_removable_blocks(both) == ["6", "7", "8", "10"]
    assert both.network()(torch.randn(1, 3, 32, 32)).shape == (1, 6)


def test_a_block_that_is_none_is_said_with_those_that_are() -> None:
    model = model_of("tiny_s")
    for name in ("2", "1.body", "nothing"):
        with pytest.raises(UserError, match=f"block to drop: got '{name}', allowed: 1, 4, 6"):
            remove_blocks(model, ["1", name])
    assert remove_blocks(model, []) is model

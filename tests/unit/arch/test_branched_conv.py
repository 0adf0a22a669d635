"""Convolutions trained as branches: folded exactly, through edits, formats, pruning, factorizing and quantizing."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.arch.build import build, macs, parameters
from leansort.arch.layers.blocks import ConvBlock
from leansort.arch.layers.branched_conv import BranchedConv, branch_kernels
from leansort.arch.spec.batch_norm_folding import fold_batch_norms, fold_batch_norms_inplace, merge_branches
from leansort.arch.spec.spec import ArchSpec, Remove
from leansort.compress.pruning.channel_pruning import count_parameters, prune_to_target
from leansort.core.errors import UserError
from leansort.core.seeds import Seeds
from leansort.testing.sample_networks import model_of
from leansort.workflows.arch import show_architecture

ROWS: list[dict[str, Any]] = [
    {"block": "conv", "out": 8, "kernel": 3, "stride": 2, "branches": 2},
    {"block": "universal", "out": 8, "expand": 2, "start": 5, "middle": 3, "branches": 1},
    {"block": "depthwise", "out": 8, "kernel": 7, "branches": 1},
    {"block": "star", "out": 8, "expand": 2, "kernel": 5, "branches": 1},
    {"block": "inverted_residual", "out": 16, "expand": 2, "stride": 2, "branches": 1},
    {"block": "pool"},
    {"block": "linear"},
]
SPEC = ArchSpec(base="branched", classes=6, model={"rows": ROWS})


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "branches"} for row in rows]


@settings(max_examples=25, deadline=None)
@given(
    kernel=st.sampled_from([1, 3, 5, 7]),
    stride=st.integers(1, 2),
    copies=st.integers(1, 3),
    groups=st.sampled_from([1, 2, 4, 8]),
    wider=st.booleans(),
    double=st.booleans(),
)
def test_any_kernel_folds_into_one_convolution(
    kernel: int, stride: int, copies: int, groups: int, wider: bool, double: bool
) -> None:
    block = ConvBlock(8, 16 if wider else 8, kernel, stride, groups, branches=copies)
    block = block.double() if double else block
    kind = torch.float64 if double else torch.float32
    with torch.no_grad():
        for _ in range(3):
            block.train()(1 + 2 * torch.randn(4, 8, 15, 14, dtype=kind))
        x_bchw = torch.randn(2, 8, 15, 14, dtype=kind)
        want = block.eval()(x_bchw)
        folded = fold_batch_norms_inplace(block)
        torch.testing.assert_close(folded(x_bchw), want, atol=1e-12 if double else 1e-5, rtol=0)
    (conv,) = [part for part in folded.modules() if isinstance(part, nn.Conv2d)]
    assert type(conv) is nn.Conv2d
    assert conv.bias is not None
    assert conv.weight.dtype is kind
    assert not [part for part in folded.modules() if isinstance(part, (_BatchNorm, BranchedConv))]


def test_the_kernels_of_the_branches() -> None:
    assert branch_kernels(7, 1) == [7, 3, 1]
    assert branch_kernels(3, 2) == [3, 3, 1]
    assert branch_kernels(1, 2) == [1, 1]


def test_it_is_deployed_as_the_same_network_without_branches() -> None:
    network, bare = build(SPEC), build(ArchSpec(classes=6, model={"rows": plain(ROWS)}))
    merged, fast = merge_branches(network), fold_batch_norms(network, SPEC)[0]
    assert parameters(network) > parameters(merged) > parameters(fast)
    assert macs(network, 64) > macs(merged, 64) == macs(fast, 64)
    assert macs(fast, 64) == macs(fold_batch_norms(bare, SPEC)[0], 64)
    assert [part for part in network.modules() if isinstance(part, BranchedConv)] != []  # itself it is left as it was
    assert merge_branches(bare) is bare
    shown = show_architecture(SPEC, 64).total
    assert (shown.parameters, shown.macs) == (parameters(merged), macs(merged, 64))


def test_pruned_with_its_branches_it_still_folds() -> None:
    """What channels each branch loses is one choice: the proof in `remove_channels` runs, and folding is exact."""
    pytest.importorskip("torch_pruning")
    model = model_of(SPEC, 32)
    smaller, _ = prune_to_target(
        model, target=count_parameters, fraction=0.6, importance="l2", scope="global", round_to=2, gradients=None,
        seeds=Seeds(0),
    )  # fmt: skip
    assert count_parameters(smaller) <= 0.6 * count_parameters(model)
    network = smaller.network()
    assert [part for part in network.modules() if isinstance(part, BranchedConv)]
    fast, spec = fold_batch_norms(network, smaller.spec)
    x_bchw = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(fast.double()(x_bchw.double()), network.double()(x_bchw.double()), atol=1e-5, rtol=0)
    again = build(ArchSpec.model_validate(json.loads(json.dumps(spec.to_json()))))
    again.load_state_dict(fast.float().state_dict(), strict=True)
    assert count_parameters(smaller) > parameters(again)


def test_a_branched_block_can_be_removed_whole() -> None:
    spec = SPEC.edited(Remove(layers=("1",)))
    network = build(spec).eval()
    x_bchw = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(fold_batch_norms(network, spec)[0](x_bchw), network(x_bchw), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"kernel": 4, "branches": 1}, "row 1, conv: branches need an odd kernel, got 4, 3 channels come in"),
        ({"padding": "same", "branches": 1}, "branches are padded by half the kernel, got padding same"),
        ({"branches": 9}, "row 1: branches: got 9, need a whole number from 0 to 8"),
        ({"branches": True}, "row 1: branches: got True"),
        ({"branhces": 1}, "row 1: field: got 'branhces'.*did you mean 'branches'"),
    ],
)
def test_what_cannot_be_branched_is_one_line(row: dict[str, Any], message: str) -> None:
    rows = [{"block": "conv", "out": 8, **row}, *ROWS[-2:]]
    with pytest.raises(UserError, match=message):
        build(ArchSpec(classes=6, model={"rows": rows}))

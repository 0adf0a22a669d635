"""Strided 1x1 convolutions of few channels, whose gradient on a CPU corrupts memory where nothing is done about it."""

from __future__ import annotations

import onnx
import pytest
import torch
from torch import Tensor, nn

from leansort.arch.build import build
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.export.onnx import export_onnx

ROWS = [
    {"block": "conv", "out": 8, "kernel": 1, "stride": 2},
    {"block": "conv", "out": 24, "kernel": 1, "stride": 2},
    {"block": "conv", "out": 8, "kernel": 1, "stride": 2},
    {"block": "pool"},
    {"block": "linear"},
]
SPEC = ArchSpec(base="small", classes=3, model={"rows": ROWS})


def read_sizes(network: nn.Module) -> list[int]:
    """Heights that the convolutions' computation is given in a step of training."""
    seen: list[int] = []
    original = nn.Conv2d._conv_forward

    def noted(self: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        seen.append(x.shape[2])
        return original(self, x, weight, bias)  # type: ignore[no-any-return]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Conv2d, "_conv_forward", noted)
        network(torch.randn(2, 3, 112, 112)).sum().backward()
    return seen


def test_pixels_are_cut_out_before_few_channels_and_no_others() -> None:
    assert read_sizes(build(SPEC)) == [56, 28, 28]


@pytest.mark.parametrize("merged", [False, True])
def test_gradients_are_those_of_double_precision(merged: bool) -> None:
    network = fold_batch_norms(build(SPEC), SPEC)[0] if merged else build(SPEC)
    exact = fold_batch_norms(build(SPEC), SPEC)[0].double() if merged else build(SPEC).double()
    nn.init.normal_(list(network.parameters())[-2], generator=torch.Generator().manual_seed(1))
    exact.load_state_dict(network.state_dict())
    for side in (57, 64, 112):
        x = torch.randn(4, 3, side, side).contiguous(memory_format=torch.channels_last)
        for item, given in ((network, x), (exact, x.double())):
            item.zero_grad()
            item(given).square().sum().backward()
        for a, b in zip(network.parameters(), exact.parameters(), strict=True):
            assert a.grad is not None  # of the biases, too, that stand for batch norms
            assert b.grad is not None
            torch.testing.assert_close(a.grad.double(), b.grad, atol=1e-3, rtol=1e-3)
    assert [c.stride for c in network.modules() if isinstance(c, nn.Conv2d)] == [(2, 2)] * 3


def test_a_failed_forward_leaves_the_stride_as_it_was() -> None:
    network = build(SPEC)
    with pytest.raises(RuntimeError):
        network(torch.randn(1, 5, 32, 32))
    assert next(c.stride for c in network.modules() if isinstance(c, nn.Conv2d)) == (2, 2)


def test_exported_graphs_keep_the_stride() -> None:
    labels = LabelSet.of(["a", "b", "c"])
    bundle = export_onnx(TrainedModel(SPEC, build(SPEC).state_dict(), Preprocess(size=32), labels, {}))
    nodes = onnx.load_from_string(bundle.graph).graph.node
    strides = [list(a.ints) for node in nodes if node.op_type == "Conv" for a in node.attribute if a.name == "strides"]
    assert strides == [[2, 2]] * 3
    assert "Slice" not in {node.op_type for node in nodes}

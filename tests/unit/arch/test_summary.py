"""What `arch show` says of a network, against figures worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from leansort.arch.analysis.summary import require_input_size, summarize_parts
from leansort.arch.build import build, macs, parameters
from leansort.arch.spec.spec import ArchSpec
from leansort.core.errors import UserError

SMALL = [
    {"block": "conv", "out": 8, "kernel": 3, "stride": 2},
    {"block": "depthwise", "out": 8, "kernel": 5, "name": "wide"},
    {"block": "max_pool", "kernel": 2},
    {"block": "mobile", "out": 16, "expand": 2, "kernel": 3, "se": True},
    {"block": "pool"},
    {"block": "linear"},
]


def small() -> nn.Module:
    return build(ArchSpec(base="small", classes=3, model={"rows": SMALL}))


def test_shapes_fields_and_costs() -> None:
    """Receptive field: 3; then 5 at step 2: 3 + 4 * 2; pool of 2 at step 2: + 2; 3x3 at step 4: + 8."""
    taken = summarize_parts(small(), 32)
    assert [part.out for part in taken] == [[8, 16, 16], [8, 16, 16], [8, 8, 8], [16, 8, 8], [16], [3]]
    assert [part.receptive for part in taken] == [3, 11, 13, 21, None, None]
    assert [part.downsampling for part in taken] == [2, 2, 4, 4, None, None]
    assert taken[0].macs == 8 * 16 * 16 * 3 * 9
    assert taken[1].macs == 8 * 16 * 16 * 25
    # The stem: the picture and what the convolution makes of it; then batch norm's input and output.
    assert taken[0].memory == 4 * (3 * 32 * 32 + 8 * 16 * 16)
    assert taken[2].memory == 4 * (8 * 16 * 16 + 8 * 8 * 8)


@pytest.mark.parametrize("base", ["mobilenetv3_small", "robnet", "timm:ghostnet_100"])
def test_sums_agree_with_the_whole(base: str) -> None:
    if base.startswith("timm:"):
        pytest.importorskip("huggingface_hub", reason="timm is not installed")
    options = {"layers": 3, "channels": 16} if base == "robnet" else {}
    network = build(ArchSpec(base=base, classes=6, options=options))
    taken = summarize_parts(network, 64)
    assert sum(part.parameters for part in taken) == parameters(network)
    assert sum(part.macs for part in taken) == macs(network, 64)
    assert taken[-1].out == [6]


def test_rows_that_read_others_say_so() -> None:
    rows = [{"block": "conv", "out": 4, "name": "a"}, {"block": "conv", "out": 4},
            {"block": "concat", "from": ["a", -1]}, {"block": "pool"}, {"block": "linear"}]  # fmt: skip
    taken = summarize_parts(build(ArchSpec(base="x", classes=3, model={"rows": rows})), 16)
    assert [part.reads for part in taken][2] == ["rows.0", "rows.1"]
    assert taken[2].memory == 4 * 16 * 16 * (4 + 4 + 8)


def test_too_small_an_input_names_the_row() -> None:
    rows = [{"block": "conv", "out": 4}, {"block": "max_pool", "kernel": 9}, {"block": "pool"}, {"block": "linear"}]
    network = build(ArchSpec(base="x", classes=3, model={"rows": rows}))
    assert require_input_size(network, 16) is network
    for look in (require_input_size, summarize_parts):
        with pytest.raises(UserError, match="x row 2, max_pool: "):
            look(network, 8)


def test_pooling_what_is_flat_already_names_the_row() -> None:
    rows = [{"block": "flatten"}, {"block": "pool"}, {"block": "linear"}]
    network = build(ArchSpec(base="x", classes=3, model={"rows": rows}))
    for look in (require_input_size, summarize_parts):
        with pytest.raises(UserError, match="x row 2, pool: "):
            look(network, 8)


def test_what_depends_on_values_cannot_be_traced() -> None:
    class Fickle(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(UserError, match="Fickle cannot be traced"):
        summarize_parts(Fickle(), 16)
    assert torch.equal(Fickle()(torch.ones(1)), torch.ones(1))

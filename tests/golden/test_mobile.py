"""Parameter and multiply-add counts of the mobile networks.

Origin: the papers' networks as public implementations count them with 6 classes (torchvision's MobileNetV2 and
MobileNetV3, the authors' MoGA-A), multiply-adds of convolutions and linear layers at 224 px.
"""

from __future__ import annotations

import pytest
import torch

from leansort.arch.archspec import ArchSpec
from leansort.arch.build import build, macs, parameters
from leansort.arch.mobile import MobileResidual, SqueezeExcite, make_divisible

AUTHORS_MOGA = 4_712_976
COUNTS = {
    "mobilenetv2": (2_231_558, 299_501_952),
    "mobilenetv3_large": (4_209_718, 215_317_440),
    "mobilenetv3_small": (1_524_006, 55_492_544),
    "moga_a": (3_886_488, 302_769_856),  # the authors' 4,712,976 has weights that are never used: see below
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str) -> None:
    network = build(ArchSpec(base=name, classes=6))
    assert (parameters(network), macs(network, 224)) == COUNTS[name]


def test_moga_without_the_weights_that_its_authors_carry_along() -> None:
    """Their every block holds a squeeze-and-excitation, used or not; ours only where it is used."""
    network = build(ArchSpec(base="moga_a", classes=6))
    unused = 0
    for block in network.modules():
        if isinstance(block, MobileResidual) and not any(isinstance(m, SqueezeExcite) for m in block.modules()):
            hidden = block.body[-1][0].in_channels  # type: ignore[index]
            unused += parameters(SqueezeExcite(hidden, hidden // 4))
    assert parameters(network) + unused == AUTHORS_MOGA


@pytest.mark.parametrize(("value", "expected"), [(3, 8), (11, 16), (12, 16), (88.0008, 88), (92, 96), (8.8, 8)])
def test_channels_are_made_divisible(value: float, expected: int) -> None:
    """Origin: by hand. 11 rounds to 8, which loses more than a tenth, so 16."""
    assert make_divisible(value) == expected


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("width", [0.5, 0.75])
def test_narrower_is_smaller_and_runs_at_any_even_size(name: str, width: float) -> None:
    network = build(ArchSpec(base=name, classes=6, width=width)).eval()
    assert parameters(network) < COUNTS[name][0]
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 96, 128)).shape == (1, 6)

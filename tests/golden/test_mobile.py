"""Parameter and multiply-add counts of the mobile networks.

Origin: the papers' networks as public implementations count them with 6 classes (torchvision's MobileNetV2 and
MobileNetV3, the authors' MoGA-A, timm's MobileNetV4 and EfficientNet-Lite; the tiny ones are our own, counted by this
code), multiply-adds of convolutions and linear layers at 224 px.
"""

from __future__ import annotations

import pytest
import torch

from leansort.arch.build import build, macs, parameters
from leansort.arch.layers.mobile_blocks import MobileResidual, SqueezeExcite, make_divisible
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.workarounds.torchvision_import import import_torchvision

AUTHORS_MOGA = 4_712_976
COUNTS = {
    "mobilenetv2": (2_231_558, 299_501_952),
    "mobilenetv3_large": (4_209_718, 215_317_440),
    "mobilenetv3_small": (1_524_006, 55_492_544),
    "moga_a": (3_886_488, 302_769_856),  # the authors' 4,712,976 has weights that are never used: see below
    "mobilenetv4_conv_small": (2_500_710, 184_733_248),
    "tiny_s": (86_286, 46_008_224),
    "tiny_m": (245_646, 108_277_408),
    "tiny_l": (617_302, 232_479_456),
    "lean_v4": (304_278, 55_589_088),
    "rep_v4": (469_110, 93_244_208),  # branches counted, as they are trained
    "rep_next": (485_822, 97_293_184),
    "efficientnet_lite0": (3_378_694, 383_915_232),
    "efficientnet_lite1": (4_143_366, 501_195_360),
    "efficientnet_lite2": (4_818_758, 575_237_104),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str) -> None:
    network = build(ArchSpec(base=name, classes=6))
    assert (parameters(network), macs(network, 224)) == COUNTS[name]


@pytest.mark.parametrize(
    ("name", "width", "counts"),
    [
        ("lean_v4", 1.2, (439_214, 44_627_904)),
        ("rep_v4", 1.0, (439_214, 44_627_904)),
        ("rep_next", 1.0, (462_278, 46_875_520)),
    ],
)
def test_deployed_counts_of_the_smallest_at_160_px(name: str, width: float, counts: tuple[int, int]) -> None:
    """Origin: counted by this code. A plain convolution and one of branches are the same network for the robot."""
    spec = ArchSpec(base=name, classes=6, width=width)
    network, _ = fold_batch_norms(build(spec), spec)
    assert (parameters(network), macs(network, 160)) == counts
    assert counts[0] <= 500_000


def test_rep_v4_is_deployed_as_lean_v4_layer_for_layer() -> None:
    shapes = []
    for name, width in (("lean_v4", 1.2), ("rep_v4", 1.0)):
        spec = ArchSpec(base=name, classes=6, width=width)
        shapes.append(
            [(key, tensor.shape) for key, tensor in fold_batch_norms(build(spec), spec)[0].state_dict().items()]
        )
    assert shapes[0] == shapes[1]


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


@pytest.mark.parametrize("width", [0.5, 0.75, 1.0, 1.4])
def test_other_widths_count_as_torchvision_counts_them(width: float) -> None:
    models = import_torchvision("torchvision.models")
    theirs = models.mobilenet_v2(width_mult=width, num_classes=6)
    assert parameters(build(ArchSpec(base="mobilenetv2", classes=6, width=width))) == parameters(theirs)


@pytest.mark.parametrize(
    ("name", "half", "three_quarters"),
    [
        ("mnasnet", (936_762, 93_102_976), (1_867_540, 187_255_104)),
        ("moga_a", (1_327_463, 90_271_480), (2_451_979, 181_241_256)),
        ("mobilenetv3_large", (1_416_206, 67_975_280), (2_720_214, 153_288_304)),
        ("mobilenetv3_small", (573_854, 20_034_704), (1_023_022, 42_381_488)),
        ("mobilenetv4_conv_small", (962_870, 50_824_736), (1_658_638, 107_392_560)),
    ],
)
def test_narrower_counts(name: str, half: tuple[int, int], three_quarters: tuple[int, int]) -> None:
    """Origin: counted by this code once its full width agreed with the published count."""
    result = [build(ArchSpec(base=name, classes=6, width=width)) for width in (0.5, 0.75)]
    assert [(parameters(item), macs(item, 224)) for item in result] == [half, three_quarters]


@pytest.mark.parametrize(
    ("depth", "parameter_count", "mac_count"),
    [
        (0.25, 1_346_286, 140_883_072),
        (0.5, 1_930_926, 204_123_648),
        (0.75, 2_525_358, 249_902_976),
        (1.0, 3_109_998, 313_143_552),
    ],
)
def test_depths_of_mnasnet(depth: float, parameter_count: int, mac_count: int) -> None:
    """Origin: repeats max(round(n * depth), 1) of its rows, counted by this code."""
    network = build(ArchSpec(classes=6, depth=depth))
    assert (parameters(network), macs(network, 224)) == (parameter_count, mac_count)
    repeats = [3, 3, 3, 2, 4]
    assert len(list(network.children())) == 1 + 1 + sum(max(round(n * depth), 1) for n in repeats) + 1 + 4

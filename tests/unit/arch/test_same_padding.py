"""Layers that pad as TensorFlow does: the same numbers as timm's, at every size, in every form that a robot gets."""

from __future__ import annotations

import importlib
import itertools
from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from leansort.arch.build import build
from leansort.arch.layers.same_padding import LAYERS, SameAvgPool2d, SameConv2d, SameMaxPool2d, pads
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.factorized_layers import build_factor_chain
from leansort.arch.spec.memory_format import channels_last
from leansort.arch.spec.spec import ArchSpec, Factorize, Factorized
from leansort.arch.trained_model import TrainedModel
from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.core.errors import UserError
from leansort.core.seeds import Seeds
from leansort.export import parity
from leansort.export.fast_export import export_for_timing
from leansort.export.layer_bundles import build_layer_bundle
from leansort.export.onnx import export_onnx
from leansort.runtime import engine as engines
from tests.contract.test_backbones import CASES, model_of
from tests.support.pruning import prune_channels

NAME = "timm:tf_efficientnet_lite0"
SHAPES = [*itertools.product((7, 8, 33), (8, 16)), (1, 1)]


def theirs(name: str, *given: Any, **settings: Any) -> nn.Module:
    """A layer of timm's."""
    pytest.importorskip("huggingface_hub", reason="timm is not installed")
    import_torchvision("timm", "timm")
    module = importlib.import_module(f"timm.layers.{'conv' if 'Conv' in name else 'pool'}2d_same")
    made: nn.Module = getattr(module, name)(*given, **settings)
    return made


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 2, 1), (5, 2, 1), (3, 1, 2), ((3, 5), (2, 3), 1), (1, 2, 1)]
)
def test_a_convolution_is_timms_at_every_size(kernel: Any, stride: Any, dilation: Any) -> None:
    settings = {"stride": stride, "dilation": dilation, "groups": 2}
    original = theirs("Conv2dSame", 4, 6, kernel, **settings)
    own = SameConv2d(4, 6, kernel, **settings)
    own.load_state_dict(original.state_dict())
    for shape in SHAPES:
        x = torch.randn(2, 4, *shape)
        assert torch.equal(own(x), original(x))


@pytest.mark.parametrize(("name", "kind"), [("MaxPool2dSame", SameMaxPool2d), ("AvgPool2dSame", SameAvgPool2d)])
def test_pooling_is_timms_at_every_size(name: str, kind: Any) -> None:
    for kernel, stride in ((3, 2), (2, 2), ((3, 5), (2, 1))):
        for shape in SHAPES[:-1]:
            x = torch.randn(2, 3, *shape) - 3  # zeros that were taken for pixels would be the largest
            assert torch.equal(kind(kernel, stride)(x), theirs(name, kernel, stride)(x))


def test_a_network_of_timms_gives_what_timms_own_gives() -> None:
    theirs("Conv2dSame", 1, 1, 1)
    own = build(ArchSpec(base=NAME, classes=6)).eval()
    original = import_torchvision("timm", "timm").create_model(NAME.removeprefix("timm:"), num_classes=6)
    assert sum(isinstance(layer, LAYERS) for layer in own.modules()) == 5
    nn.init.normal_(own.get_parameter("classifier.weight"))
    original.load_state_dict(own.state_dict())  # under the same names, as published weights have
    channels_last(original)
    for size in (64, 65, 160):
        x = torch.randn(2, 3, size, size)
        with torch.inference_mode():
            assert torch.equal(own(x), original.eval()(x))


def padding_of(graph: bytes) -> list[tuple[int, ...]]:
    """What the strided convolutions of a graph with kernels over 1 pad."""
    result = []
    for node in onnx.load_from_string(graph).graph.node:
        fields = {item.name: tuple(item.ints) for item in node.attribute}
        if node.op_type == "Conv" and fields["strides"] == (2, 2) and fields["kernel_shape"] != (1, 1):
            result.append(fields["pads"])
    return result


@pytest.mark.parametrize("size", [64, 65])
def test_in_the_graph_it_is_a_constant_of_the_convolution(size: int) -> None:
    pytest.importorskip("huggingface_hub", reason="timm is not installed")
    model = model_of_size(size)
    bundle = export_onnx(model)
    kinds = Counter(node.op_type for node in onnx.load_from_string(bundle.graph).graph.node)
    assert kinds["Pad"] == 0
    asked = {
        64: [(0, 0, 1, 1), (0, 0, 1, 1), (1, 1, 2, 2), (0, 0, 1, 1), (1, 1, 2, 2)],
        65: [(1, 1, 1, 1), (1, 1, 1, 1), (2, 2, 2, 2), (1, 1, 1, 1), (2, 2, 2, 2)],
    }
    assert padding_of(bundle.graph) == asked[size]
    pixels = np.random.default_rng(0).integers(0, 256, (5, size, size, 3)).astype(np.uint8)
    assert parity.check_parity(model, bundle, pixels).gap < 1e-4
    assert parity.check_parity(model, export_for_timing(model), pixels).gap < 1e-4


def model_of_size(size: int) -> TrainedModel:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CASES, NAME, ArchSpec(base=NAME, classes=6))
        return model_of(NAME, size)


def test_folded_pruned_and_factorized_it_pads_the_same() -> None:
    pytest.importorskip("torch_pruning")
    pytest.importorskip("huggingface_hub", reason="timm is not installed")
    model = model_of_size(65)
    network, _ = fold_batch_norms(model.network(), model.spec)
    assert sum(isinstance(layer, SameConv2d) for layer in network.modules()) == 5
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
    smaller = prune_channels(
        model, amount=0.5, importance="l2", scope="local", round_to=8, gradients=None, seeds=Seeds(0)
    )  # fmt: skip
    cut = smaller.network()
    assert sum(isinstance(layer, SameConv2d) for layer in cut.modules()) == 5
    assert sum(p.numel() for p in cut.parameters()) < 0.6 * sum(p.numel() for p in network.parameters())
    spec = model.spec.edited(Factorize(layers={"conv_stem": Factorized(method="tucker", ranks=(2, 8))}))
    chain = build(spec).conv_stem
    assert [type(layer) for layer in chain] == [nn.Conv2d, SameConv2d, nn.Conv2d]  # type: ignore[union-attr]


@pytest.mark.parametrize("method", ["tucker", "cp"])
def test_a_factorized_layer_and_its_timing_graph_keep_the_shape(method: Any) -> None:
    layer = SameConv2d(4, 8, 5, stride=2)
    chain = build_factor_chain(layer, Factorized(method=method, ranks=(3, 3) if method == "tucker" else (3,)))
    for side in (15, 16):
        x = torch.randn(1, 4, side, side)
        assert chain(x).shape == layer(x).shape
        bundle = build_layer_bundle([layer], (4, side, side))
        padded = next(node for node in onnx.load_from_string(bundle.graph).graph.node if node.op_type == "Conv")
        given = next(tuple(item.ints) for item in padded.attribute if item.name == "pads")
        assert given == pads(layer, side, side) == ((2, 2, 2, 2) if side == 15 else (1, 1, 2, 2))
        pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
        assert np.isfinite(engines.compute_logits(engines.load_engine(bundle, "onnxruntime"), pixels)).all()


ROWS: list[dict[str, Any]] = [
    {"block": "conv", "out": 4, "kernel": 3, "stride": 2, "padding": "same"},
    {"block": "max_pool", "kernel": 3, "stride": 2, "padding": "same"},
    {"block": "separable", "out": 4, "kernel": 5, "stride": 2, "padding": "same"},
    {"block": "universal", "out": 8, "expand": 2, "start": 3, "middle": 3, "stride": 2, "padding": "same"},
    {"block": "mobile", "out": 8, "expand": 2, "padding": "same"},
    {"block": "pool"},
    {"block": "linear"},
]


def test_rows_ask_for_it_where_it_differs() -> None:
    """At stride 1 an odd kernel pads alike on both sides, and a plain convolution does."""
    network = build(ArchSpec(classes=6, model={"rows": ROWS}))
    kinds = Counter(type(layer).__name__ for layer in network.modules() if isinstance(layer, (nn.Conv2d, *LAYERS)))
    assert (kinds["SameConv2d"], kinds["SameMaxPool2d"]) == (3, 1)
    strided = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2)]
    assert all(isinstance(layer, SameConv2d) for layer in strided)
    assert network(torch.zeros(2, 3, 33, 47)).shape == (2, 6)


def test_another_word_than_same_is_refused_by_name() -> None:
    rows = [{**ROWS[0], "padding": "valid"}, *ROWS[5:]]
    with pytest.raises(UserError, match=r"row 1: padding: got 'valid', need a whole number from 0 to 31, or same"):
        build(ArchSpec(classes=6, model={"rows": rows}))

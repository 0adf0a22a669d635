"""Layers as bundles for timing: they compute what PyTorch computes, and nothing is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from leansort.core import bundle as bundles
from leansort.core.errors import UserError
from leansort.export.layer_bundles import SIZE, Shape, build_layer_bundle
from leansort.runtime import engine as engines

PIXELS = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3)).astype(np.uint8)
CHAINS: dict[str, tuple[list[nn.Conv2d | nn.Linear], Shape]] = {
    "conv": ([nn.Conv2d(8, 12, 3, stride=2, padding=1)], (8, 10, 14)),
    "depthwise": ([nn.Conv2d(8, 8, 5, padding=2, groups=8, bias=False)], (8, 9, 7)),
    "oblong": ([nn.Conv2d(4, 6, (1, 3), stride=(2, 1), padding=(0, 1)), nn.Conv2d(6, 6, (3, 1))], (4, 9, 7)),
    "same": ([nn.Conv2d(4, 6, 4, padding="same", dilation=2), nn.Conv2d(6, 3, 2, padding="valid")], (4, 9, 7)),
    "tucker": ([nn.Conv2d(16, 4, 1, bias=False), nn.Conv2d(4, 5, 3, padding=1), nn.Conv2d(5, 16, 1)], (16, 6, 6)),
    "linear": ([nn.Linear(20, 10)], (20, 1, 1)),
    "svd": ([nn.Linear(20, 3, bias=False), nn.Linear(3, 10)], (20, 1, 1)),
    "conv to linear": ([nn.Conv2d(8, 4, 3), nn.Linear(4, 6)], (8, 3, 3)),
    "none": ([], (2, 3, 4)),
}


def expected(layers: Sequence[nn.Module], shape: Shape) -> Tensor:
    mean = torch.from_numpy(PIXELS).float().mean((1, 2, 3)).view(-1, 1, 1, 1)
    x = mean * torch.arange(int(np.prod(shape)), dtype=torch.float32).cos().view(1, *shape).relu() / 255
    for layer in layers:
        x = layer(x.flatten(1) if isinstance(layer, nn.Linear) else x)
    return x.flatten(1).mean(1, keepdim=True) * torch.arange(1, 7)


@pytest.mark.parametrize("engine", engines.installed_engines("onnx"))
@pytest.mark.parametrize("name", CHAINS)
def test_it_says_what_pytorch_says(name: str, engine: str) -> None:
    layers, shape = CHAINS[name]
    bundle = build_layer_bundle(layers, shape)
    with torch.inference_mode():
        right = expected(layers, shape).numpy()
    assert np.ptp(right[:, 0]) > 0
    for batch in (3, 1):
        out = engines.load_engine(bundle, engine).run(PIXELS[:batch])
        np.testing.assert_allclose(out, right[:batch], rtol=1e-3, atol=1e-5)


def test_equal_layers_give_equal_bytes_and_the_file_is_a_bundle(tmp_path: Path) -> None:
    layers, shape = CHAINS["tucker"]
    bundle = build_layer_bundle(layers, shape)
    bundle.save(tmp_path / "m")
    assert bundles.load(tmp_path / "m") == bundle
    assert bundle.to_bytes() == build_layer_bundle(layers, shape).to_bytes()
    onnx.checker.check_model(onnx.load_from_string(bundle.graph), full_check=True)
    assert bundle.meta.parameters == sum(p.numel() for layer in layers for p in layer.parameters())
    assert bundle.meta.macs == 36 * (16 * 4 + 4 * 5 * 9 + 5 * 16)


def test_the_work_around_chains_of_equal_shapes_is_equal() -> None:
    whole, split = ([nn.Conv2d(16, 16, 3, padding=1)], (16, 6, 6)), CHAINS["tucker"]
    kinds = [
        Counter(node.op_type for node in onnx.load_from_string(build_layer_bundle(*chain).graph).graph.node)
        for chain in (whole, split)
    ]
    assert kinds[1] - kinds[0] == Counter(Conv=2)
    assert kinds[0] - kinds[1] == Counter()


def test_nothing_is_computed_beforehand() -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    layers, shape = CHAINS["svd"]
    graph = build_layer_bundle(layers, shape).graph
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    item, other = (session.run(None, {"image": np.full((1, SIZE, SIZE, 3), v, np.uint8)})[0] for v in (10, 200))
    assert not np.allclose(item, other)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([nn.Conv2d(8, 8, 3)], (4, 9, 9)),
        ([nn.Conv2d(8, 8, 5)], (8, 4, 4)),
        ([nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")], (8, 9, 9)),
        ([nn.Linear(8, 8)], (4, 1, 1)),
        ([nn.Linear(8, 8), nn.Conv2d(4, 8, 1)], (8, 1, 1)),
        ([nn.ReLU()], (8, 1, 1)),
    ],
)
def test_what_does_not_fit_is_named(layers: list[nn.Conv2d | nn.Linear], shape: Shape) -> None:
    with pytest.raises(UserError, match=r"layers: \w+\(.* cannot read an input of shape \(\d"):
        build_layer_bundle(layers, shape)

"""Every backbone that is found, whatever its file: build, train one step, fuse, export, save and load."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from leansort.arch import trained
from leansort.arch.archspec import ArchSpec
from leansort.arch.build import build, fused, parameters
from leansort.arch.trained import TrainedModel
from leansort.core import plugins
from leansort.core.errors import IntegrityError, LeansortError, UserError
from leansort.core.labels import CONTEST, LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.export import parity
from leansort.export.onnx import to_bundle

BACKBONES = sorted(plugins.found("backbones"))


def model_of(name: str, size: int = 64) -> TrainedModel:
    spec = ArchSpec(base=name, classes=6, width=0.5)
    network = build(spec, Seeds(3))
    with torch.no_grad():  # a classifier of zeros would make every comparison trivial
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        for module in network.modules():  # batch norms take on what they see, so that signals do not fade on the way
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        network.train()(2 * torch.rand(16, 3, size, size, generator=torch.Generator().manual_seed(2)) - 1)
    return TrainedModel(spec, network.state_dict(), Preprocess(size=size), LabelSet(CONTEST))


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("size", [64, 96, 160])
def test_forward_and_backward(name: str, size: int) -> None:
    network = build(ArchSpec(base=name, classes=4, width=0.5)).train()
    out = network(torch.randn(2, 3, size, size))
    assert out.shape == (2, 4)
    out.square().mean().add(out.sum()).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


@pytest.mark.parametrize("name", BACKBONES)
def test_same_seed_same_weights_and_no_side_effect(name: str) -> None:
    spec = ArchSpec(base=name, classes=4)
    before = torch.random.get_rng_state()
    a, b, c = (build(spec, Seeds(seed)).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert any(not torch.equal(a[key], c[key]) for key in a)


@pytest.mark.parametrize("name", BACKBONES)
def test_fused_equals_unfused_and_its_spec_rebuilds_it(name: str) -> None:
    model = model_of(name)
    network = model.network()
    fast, spec = fused(network, model.spec)
    x = torch.randn(2, 3, 64, 64)
    # In double precision: these drawn weights, unlike trained ones, magnify the rounding of single precision.
    exact = deepcopy(network).double()
    torch.testing.assert_close(fused(exact, model.spec)[0](x.double()), exact(x.double()), atol=1e-5, rtol=0)
    assert parameters(fast) < parameters(network)
    again = TrainedModel(spec, fast.state_dict(), model.preprocess, model.labels).network()
    assert torch.equal(again(x), fast(x))
    assert ArchSpec.model_validate(spec.to_json()) == spec


@pytest.mark.parametrize("name", BACKBONES)
def test_save_load_gives_the_same_outputs_bit_for_bit(name: str, tmp_path: Path) -> None:
    model = model_of(name)
    model.save(tmp_path / "model.safetensors")
    read = trained.load(tmp_path)
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(read.network()(x), model.network()(x))
    assert (read.spec, read.preprocess, read.labels) == (model.spec, model.preprocess, model.labels)


@pytest.mark.parametrize("name", BACKBONES)
def test_export_says_what_the_network_says(name: str) -> None:
    model = model_of(name)
    bundle = to_bundle(model)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3)).astype(np.uint8)
    same = parity.check(model, bundle, pixels)
    assert same.agreement == 1.0
    assert same.gap < 1e-4
    assert bundle.digest == to_bundle(model).digest


def test_the_parity_gate_refuses_a_wrong_normalization() -> None:
    model = model_of("mnasnet")
    wrong = to_bundle(
        TrainedModel(model.spec, model.weights, Preprocess(size=64, mean=(0, 0, 0), std=(1, 1, 1)), model.labels)
    )
    pixels = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3)).astype(np.uint8)
    with pytest.raises(LeansortError, match="refused, the graph differs"):
        parity.check(model, wrong, pixels)


def test_weights_of_another_width_are_refused() -> None:
    model = model_of("mnasnet")
    with pytest.raises(IntegrityError, match="weights do not fit"):
        TrainedModel(ArchSpec(classes=6), model.weights, model.preprocess, model.labels).network()


def test_a_damaged_model_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      rest")
    with pytest.raises(IntegrityError, match="damaged or not a leansort file"):
        trained.load(tmp_path)
    with pytest.raises(UserError, match="is not there"):
        trained.load(tmp_path / "none")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("rows: [{block: cnv, out: 8}]", r"x.yaml row 1: block: got 'cnv'.*did you mean 'conv'"),
        ("rows: [{block: conv, out: 8}, {block: conv, outt: 8}]", r"row 2: field: got 'outt'.*did you mean 'out'"),
        ("rows: [{block: conv, out: 8, act: rellu}]", r"row 1: act: got 'rellu'"),
        ("rows: []", "needs a list called 'rows'"),
        ("{", "not YAML"),
    ],
)
def test_a_wrong_backbone_file_names_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: str, message: str
) -> None:
    (tmp_path / "backbones").mkdir()
    (tmp_path / "backbones" / "x.yaml").write_text(rows)
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path))
    with pytest.raises(UserError, match=message):
        build(ArchSpec(base="x", classes=3))

"""Every backbone that is found, whatever its file: build, train one step, fuse, export, save and load."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from leansort.arch import trained_model
from leansort.arch.build import build, parameters, uses_own_blocks
from leansort.arch.spec.backbone import Backbone
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.spec.spec import ArchSpec, Factorize, Factorized
from leansort.arch.trained_model import TrainedModel
from leansort.contest.classes import CONTEST_CLASSES
from leansort.core import bundle as bundles
from leansort.core import plugins
from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import IntegrityError, LeansortError, UserError
from leansort.core.graphs import limits
from leansort.core.graphs import onnx_shapes as onnx_graphs
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.export import parity
from leansort.export.fast_export import export_for_timing
from leansort.export.formats import export_to_format
from leansort.export.mismatch_location import find_first_mismatch
from leansort.export.onnx import export_onnx
from leansort.runtime.layer_outputs import LAYERS

TIMM = ("mnasnet_100", "mobilenetv4_conv_small", "lcnet_050", "ghostnet_100", "repvit_m0_9")
SIZES = [(64, 64), (96, 96), (128, 128), (192, 192), (224, 224), (64, 96)]


def cases() -> dict[str, ArchSpec]:
    """Every backbone found, small; code backbones in the settings they name as examples; five of timm's families."""
    specs = {}
    for name, plugin in sorted(plugins.list_plugins("backbones").items()):
        examples = plugins.load_class(plugin, Backbone).examples if plugin.suffix == ".py" else {"": {}}
        for example, options in examples.items():
            specs["-".join(filter(None, (name, example)))] = ArchSpec(base=name, classes=6, width=0.5, options=options)
    for name in TIMM:
        specs[f"timm:{name}"] = ArchSpec(base=f"timm:{name}", classes=6)
    return specs


CASES = cases()
each = pytest.mark.parametrize("name", CASES)


def model_of(name: str, size: int = 64) -> TrainedModel:
    """As trained: a classifier of zeros would make every comparison trivial, and so would equal batch norms."""
    spec = needed(name)
    network = build(spec, Seeds(3))
    with torch.no_grad():
        drawn = torch.Generator().manual_seed(1)
        for head in find_classifiers(network, 6):
            head.weight.normal_(0.0, 0.1, generator=drawn)
        for module in network.modules():  # batch norms take on what they see, so that signals do not fade on the way
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.momentum = 1.0
                if module.affine:
                    module.weight.add_(torch.randn(module.weight.shape, generator=drawn), alpha=0.1)
                    module.bias.add_(torch.randn(module.bias.shape, generator=drawn), alpha=0.1)
        network.train()(2 * torch.rand(16, 3, size, size, generator=torch.Generator().manual_seed(2)) - 1)
    return TrainedModel(spec, network.state_dict(), Preprocess(size=size), LabelSet(CONTEST_CLASSES))


@cache
def bundle_of(name: str) -> Bundle:
    """Tracing a network takes seconds, so it is done once."""
    return export_onnx(model_of(name))


def needed(name: str) -> ArchSpec:
    if name.startswith("timm:"):
        pytest.importorskip("huggingface_hub", reason="timm is not installed")
    return CASES[name]


@each
def test_forward_at_every_size(name: str) -> None:
    network = build(needed(name)).eval()
    with torch.inference_mode():
        for height, width in SIZES:
            assert network(torch.randn(1, 3, height, width)).shape == (1, 6)


@each
@pytest.mark.parametrize("batch", [1, 3])
def test_every_parameter_gets_a_finite_gradient(name: str, batch: int) -> None:
    network = build(needed(name)).train()
    with torch.no_grad():
        for head in find_classifiers(network, 6):  # of zeros, it would let no gradient through
            head.weight.normal_()
    out = network(torch.randn(batch, 3, 64, 64))
    assert out.shape == (batch, 6)
    out.square().mean().add(out.sum()).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not bool(p.grad.isfinite().all())] == []


@each
def test_factorized_and_saved_it_is_rebuilt_strictly(name: str, tmp_path: Path) -> None:
    spec = needed(name)
    network = build(spec)
    layers: dict[str, tuple[str, Factorized]] = {}
    for path, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d) and module.groups == 1 and module.kernel_size != (1, 1):
            layers.setdefault("conv", (path, Factorized(method="tucker", ranks=(2, 4))))
        if isinstance(module, torch.nn.Linear):
            layers["linear"] = (path, Factorized(method="svd", ranks=(3,)))
    edited = spec.edited(Factorize(layers=dict(layers.values())))
    assert ArchSpec.model_validate(edited.to_json()) == edited
    assert ArchSpec.model_validate(json.loads(json.dumps(edited.to_json()))) == edited
    factorized = build(edited, Seeds(1)).eval()
    assert parameters(factorized) < parameters(network)
    TrainedModel(edited, factorized.state_dict(), Preprocess(size=64), LabelSet(CONTEST_CLASSES)).save(
        tmp_path / "m.safetensors"
    )
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(trained_model.load(tmp_path / "m.safetensors").network()(x), factorized(x))


@each
def test_same_seed_same_weights_and_no_side_effect(name: str) -> None:
    spec = needed(name)
    before = torch.random.get_rng_state()
    a, b, c = (build(spec, Seeds(seed)).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert any(not torch.equal(a[key], c[key]) for key in a)


@each
def test_fused_equals_unfused_and_its_spec_rebuilds_it(name: str) -> None:
    model = model_of(name)
    network = model.network()
    fast, spec = fold_batch_norms(network, model.spec)
    x = torch.randn(2, 3, 64, 64)
    assert not [m for m in fast.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    # In double precision: these drawn weights, unlike trained ones, magnify the rounding of single precision.
    exact = deepcopy(network).double()
    torch.testing.assert_close(fold_batch_norms(exact, model.spec)[0](x.double()), exact(x.double()), atol=1e-5, rtol=0)
    again = TrainedModel(spec, fast.state_dict(), model.preprocess, model.labels).network()
    assert torch.equal(again(x), fast(x))
    assert ArchSpec.model_validate(spec.to_json()) == spec


@each
def test_save_load_gives_the_same_outputs_bit_for_bit(name: str, tmp_path: Path) -> None:
    model = model_of(name)
    model.save(tmp_path / "model.safetensors")
    read = trained_model.load(tmp_path)
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(read.network()(x), model.network()(x))
    assert (read.spec, read.preprocess, read.labels) == (model.spec, model.preprocess, model.labels)


@each
def test_export_says_what_the_network_says(name: str) -> None:
    model = model_of(name)
    bundle = bundle_of(name)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3)).astype(np.uint8)
    same = parity.check_parity(model, bundle, pixels)
    assert same.agreement == 1.0
    assert same.gap < 1e-4
    if uses_own_blocks(model.spec):  # whose quick export is believed before training
        assert parity.check_parity(model, export_for_timing(model), pixels).gap < 1e-4


@each
def test_a_bundle_of_it_opens_within_the_limits(name: str, tmp_path: Path) -> None:
    bundle = bundle_of(name)
    bundle.save(tmp_path / "m")
    read = bundles.load(tmp_path / "m")
    assert read == bundle
    needs = onnx_graphs.check(read.graph, 64, 6)
    assert 0 < read.numbers == needs.numbers < limits.NUMBERS / 50
    assert 1 < needs.work / bundle.meta.macs < 2  # the rest is what has no multiply-adds


@pytest.mark.parametrize("name", ["tiny_s", "lean_v4", "mobilenetv3_small", "timm:repvit_m0_9"])
@pytest.mark.parametrize("graph_format", FORMATS)
def test_every_format_says_the_same(name: str, graph_format: str, tmp_path: Path) -> None:
    pytest.importorskip(graph_format)
    model = model_of(name)
    bundle = export_to_format(model, graph_format)  # and not the one kept: two must be the same
    assert bundle.format == graph_format
    assert bundle.meta == bundle_of(name).meta
    again = bundle_of(name) if graph_format == "onnx" else export_to_format(model, graph_format)
    assert bundle.digest == again.digest
    bundle.save(tmp_path / "m")
    assert bundles.load(tmp_path / "m") == bundle
    same = parity.check_parity(
        model, bundle, np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3)).astype(np.uint8)
    )
    assert (same.agreement, same.gap < 1e-4) == (1.0, True)
    with pytest.raises(UserError, match=r"format: got 'onx', allowed: .*; did you mean 'onnx'"):
        export_to_format(model, "onx")


@pytest.mark.parametrize("graph_format", FORMATS)
def test_the_parity_gate_refuses_a_wrong_normalization(graph_format: str) -> None:
    pytest.importorskip("openvino")
    model = model_of("mnasnet")
    wrong = export_to_format(
        replace(model, preprocess=Preprocess(size=64, mean=(0, 0, 0), std=(1, 1, 1))), graph_format
    )
    pixels = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3)).astype(np.uint8)
    with pytest.raises(
        LeansortError, match=r"refused, the graph differs.* first layer that differs is '0.0', number 1 of"
    ):
        parity.check_parity(model, wrong, pixels)


@pytest.mark.parametrize("name", ["tiny_s", "mobilenetv3_small", "timm:repvit_m0_9"])
def test_the_parity_gate_names_the_first_layer_that_differs(name: str) -> None:
    model = model_of(name)
    network, _ = fold_batch_norms(model.network(), model.spec)
    layers = [module for module, part in network.named_modules() if isinstance(part, torch.nn.Conv2d | torch.nn.Linear)]
    given = onnx.load_from_string(bundle_of(name).graph)
    nodes = [node for node in given.graph.node if node.op_type in LAYERS]
    assert len(nodes) == len(layers)
    at = len(nodes) // 2
    (weight,) = [item for item in given.graph.initializer if item.name == nodes[at].input[1]]
    weight.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(weight), weight.name))
    wrong = Bundle(bundle_of(name).meta, {"graph.onnx": given.SerializeToString()})
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)
    first_mismatch = find_first_mismatch(model, wrong, pixels)
    assert first_mismatch.endswith(f"number {at + 1} of {len(layers)}")
    assert (
        repr(layers[at]) in first_mismatch or "timm" in name
    )  # what timm merges is listed as it was built, not as it runs
    assert find_first_mismatch(model, bundle_of(name), pixels) == "no layer differs, what comes after the last one does"


def test_weights_of_another_width_are_refused() -> None:
    model = model_of("mnasnet")
    with pytest.raises(IntegrityError, match="weights do not fit"):
        TrainedModel(ArchSpec(classes=6), model.weights, model.preprocess, model.labels).network()


def test_a_damaged_model_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      rest")
    with pytest.raises(IntegrityError, match="damaged or not a leansort file"):
        trained_model.load(tmp_path)
    with pytest.raises(UserError, match="is not there"):
        trained_model.load(tmp_path / "none")


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

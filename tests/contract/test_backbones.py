"""Every backbone that is found, whatever its file: build, train one step, fuse, export, save and load."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from leansort.arch import trained_model
from leansort.arch.build import build
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.contest.contest_classes import CONTEST_CLASSES
from leansort.core import bundle as bundles
from leansort.core import plugins
from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import IntegrityError, LeansortError, UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.export import parity
from leansort.export.formats import export_to_format
from leansort.export.mismatch_location import find_first_mismatch
from leansort.runtime.layer_outputs import LAYERS
from leansort.testing import BackboneContract, sample_networks

SIBLINGS = ("efficientnet_lite1", "efficientnet_lite2", "tiny_m", "tiny_l")  # made of the same rows as a smaller one
LARGER = (
    *SIBLINGS,
    "mobilenetv2",
    "mobilenetv3_large",
    "robnet-large",
    "timm:mnasnet_100",
    "timm:mobilenetv4_conv_small",
)
TIMM = ("mnasnet_100", "mobilenetv4_conv_small", "lcnet_050", "ghostnet_100", "repvit_m0_9")


class TestBackbones(BackboneContract):
    """Every backbone that is found, small, and five of timm's families.

    One of each family at once; the larger ones, of the same blocks, in the long runs.
    """

    names = sorted(plugins.list_plugins("backbones"))
    slow = LARGER

    def specs(self) -> dict[str, ArchSpec]:
        return super().specs() | {f"timm:{name}": ArchSpec(base=f"timm:{name}", classes=6) for name in TIMM}

    @pytest.fixture(autouse=True)
    def timm_is_installed(self, request: pytest.FixtureRequest) -> None:
        if "timm:" in request.node.name:
            pytest.importorskip("huggingface_hub", reason="timm is not installed")


CASES = TestBackbones().specs()


def model_of(name: str, size: int = 64) -> TrainedModel:
    return sample_networks.model_of(needed(name), size, LabelSet(CONTEST_CLASSES))


@cache
def bundle_of(name: str) -> Bundle:
    return sample_networks.bundle_of(model_of(name))


def needed(name: str) -> ArchSpec:
    if name.startswith("timm:"):
        pytest.importorskip("huggingface_hub", reason="timm is not installed")
    return CASES[name]


def formats() -> list[Any]:
    """Every format of a small network, and the one that needs no export of more; theirs in the long runs."""
    more = ("mobilenetv3_small", "timm:repvit_m0_9")  # blocks that the small one lacks, and a network of timm's
    return [
        *[(name, "torch") for name in more],
        *[("tiny_s", graph_format) for graph_format in FORMATS],
        *[pytest.param(name, other, marks=pytest.mark.slow) for name in more for other in FORMATS if other != "torch"],
    ]


@pytest.mark.parametrize(("name", "graph_format"), formats())
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
    pytest.importorskip({"onnx": "openvino", "litert": "ai_edge_litert"}.get(graph_format, graph_format))
    model = model_of("tiny_s")
    wrong = export_to_format(
        replace(model, preprocess=Preprocess(size=64, mean=(0, 0, 0), std=(1, 1, 1))), graph_format
    )
    pixels = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3)).astype(np.uint8)
    where = "" if graph_format in ("ncnn", "litert") else "first layer that differs is '0.0', number 1 of"
    with pytest.raises(LeansortError, match=rf"refused, the graph differs.*{where}"):
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

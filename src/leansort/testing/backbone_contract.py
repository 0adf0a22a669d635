"""What a backbone has to keep: built by a seed, trained, fused, factorized, exported, saved and rebuilt the same."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from copy import deepcopy
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from leansort.arch import trained_model
from leansort.arch.build import build, macs, parameters, uses_own_blocks
from leansort.arch.layers.branched_conv import BranchedConv
from leansort.arch.spec.backbone import Backbone
from leansort.arch.spec.batch_norm_folding import fold_batch_norms, merge_branches
from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.spec.spec import ArchSpec, Factorize, Factorized
from leansort.arch.trained_model import TrainedModel
from leansort.core import bundle as bundles
from leansort.core import plugins
from leansort.core.graphs import limits
from leansort.core.graphs import onnx_shapes as onnx_graphs
from leansort.core.preprocess import Preprocess
from leansort.core.run_folder import ModelFolder
from leansort.core.seeds import Seeds
from leansort.export import parity
from leansort.export.fast_export import export_for_timing
from leansort.testing.contract import PluginContract
from leansort.testing.sample_networks import LABELS, bundle_of, model_of


class BackboneContract(PluginContract):
    """Runs on every example that a backbone names, at a fraction of its width.

    Attributes:
        width: multiple of the channels; 1.0 for a backbone that has no narrower form.
        sizes: (height, width) in pixels that a network has to take.
        slow: networks, as `specs` names them, whose tests are marked `slow`: the larger ones of a family, say.
    """

    group = "backbones"
    base = Backbone
    width: ClassVar[float] = 0.5
    sizes: ClassVar[Sequence[tuple[int, int]]] = (
        (64, 64), (96, 96), (128, 128), (192, 192), (224, 224), (64, 96),
    )  # fmt: skip
    slow: ClassVar[Collection[str]] = ()

    def specs(self) -> dict[str, ArchSpec]:
        """The networks to try, by a name each."""
        return {
            "-".join(filter(None, (name, example))): ArchSpec(
                base=name, classes=6, width=self.width, options=dict(options)
            )
            for name in self.names
            for example, options in examples(name).items()
        }

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that takes `spec` on every network."""
        super().pytest_generate_tests(metafunc)
        if "spec" in metafunc.fixturenames:
            marks = {name: [pytest.mark.slow] if name in self.slow else [] for name in self.specs()}
            cases = [pytest.param(spec, id=name, marks=marks[name]) for name, spec in self.specs().items()]
            metafunc.parametrize("spec", cases)

    def test_forward_at_every_size(self, spec: ArchSpec) -> None:
        """Forward at every size."""
        network = build(spec).eval()
        with torch.inference_mode():
            for height, width in self.sizes:
                assert network(torch.randn(1, 3, height, width)).shape == (1, 6)

    @pytest.mark.parametrize("batch", [1, 3])
    def test_every_parameter_gets_a_finite_gradient(self, spec: ArchSpec, batch: int) -> None:
        """Every parameter gets a finite gradient."""
        network = build(spec).train()
        with torch.no_grad():
            for head in find_classifiers(network, spec.classes):  # of zeros, it would let no gradient through
                head.weight.normal_()
        out = network(torch.randn(batch, 3, 64, 64))
        assert out.shape == (batch, 6)
        out.square().mean().add(out.sum()).backward()
        assert [n for n, p in network.named_parameters() if p.grad is None or not bool(p.grad.isfinite().all())] == []

    def test_factorized_and_saved_it_is_rebuilt_strictly(self, spec: ArchSpec, tmp_path: Path) -> None:
        """Factorized and saved it is rebuilt strictly."""
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
        TrainedModel(edited, factorized.state_dict(), Preprocess(size=64), LABELS).save(tmp_path / "m.safetensors")
        x = torch.randn(2, 3, 64, 64)
        assert torch.equal(trained_model.load(tmp_path / "m.safetensors").network()(x), factorized(x))

    def test_same_seed_same_weights_and_no_side_effect(self, spec: ArchSpec) -> None:
        """Same seed same weights and no side effect."""
        before = torch.random.get_rng_state()
        a, b, c = (build(spec, Seeds(seed)).state_dict() for seed in (1, 1, 2))
        assert torch.equal(torch.random.get_rng_state(), before)
        assert all(torch.equal(a[key], b[key]) for key in a)
        assert any(not torch.equal(a[key], c[key]) for key in a)

    def test_fused_equals_unfused_and_its_spec_rebuilds_it(self, spec: ArchSpec) -> None:
        """Fused equals unfused and its spec rebuilds it."""
        model = model_of(spec)
        network = model.network()
        fast, folded = fold_batch_norms(network, model.spec)
        x = torch.randn(2, 3, 64, 64)
        assert not [m for m in fast.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        # In double precision: these drawn weights, unlike trained ones, magnify the rounding of single precision.
        exact = deepcopy(network).double()
        torch.testing.assert_close(
            fold_batch_norms(exact, model.spec)[0](x.double()), exact(x.double()), atol=1e-5, rtol=0
        )
        again = TrainedModel(folded, fast.state_dict(), model.preprocess, model.labels).network()
        assert torch.equal(again(x), fast(x))
        assert ArchSpec.model_validate(folded.to_json()) == folded

    def test_deployed_it_has_no_branches(self, spec: ArchSpec) -> None:
        """Deployed it has no branches, fewer weights where it had some, and says the same."""
        network = model_of(spec).network()
        merged, (fast, _) = merge_branches(network), fold_batch_norms(network, spec)
        assert not [part for form in (merged, fast) for part in form.modules() if isinstance(part, BranchedConv)]
        if any(isinstance(part, BranchedConv) for part in network.modules()):
            assert parameters(fast) < parameters(merged) < parameters(network)
        assert macs(fast, 64) == macs(merged, 64) <= macs(network, 64)
        x = torch.randn(2, 3, 64, 64, dtype=torch.float64)  # as above: drawn weights magnify rounding
        exact = deepcopy(network).double()
        torch.testing.assert_close(merge_branches(exact)(x), exact(x), atol=1e-5, rtol=0)

    def test_save_load_gives_the_same_outputs_bit_for_bit(self, spec: ArchSpec, tmp_path: Path) -> None:
        """Save load gives the same outputs bit for bit."""
        model = model_of(spec)
        model.save(ModelFolder(tmp_path).model)
        read = trained_model.load(tmp_path)
        x = torch.randn(2, 3, 64, 64)
        assert torch.equal(read.network()(x), model.network()(x))
        assert (read.spec, read.preprocess, read.labels) == (model.spec, model.preprocess, model.labels)

    def test_export_says_what_the_network_says(self, spec: ArchSpec) -> None:
        """Export says what the network says."""
        model = model_of(spec)
        bundle = bundle_of(model)
        pixels = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3)).astype(np.uint8)
        same = parity.check_parity(model, bundle, pixels)
        assert same.agreement == 1.0
        assert same.gap < 1e-4
        if uses_own_blocks(model.spec):  # whose quick export is believed before training
            assert parity.check_parity(model, export_for_timing(model), pixels).gap < 1e-4

    def test_a_bundle_of_it_opens_within_the_limits(self, spec: ArchSpec, tmp_path: Path) -> None:
        """A bundle of it opens within the limits."""
        bundle = bundle_of(model_of(spec))
        bundle.save(tmp_path / "m")
        read = bundles.load(tmp_path / "m")
        assert read == bundle
        needs = onnx_graphs.check(read.graph, 64, 6)
        assert 0 < read.numbers == needs.numbers < limits.NUMBERS / 50
        assert 1 < needs.work / bundle.meta.macs < 2  # the rest is what has no multiply-adds


def examples(name: str) -> dict[str, dict[str, object]]:
    """The options that a backbone names as examples; none for a file of rows, which takes none."""
    plugin = plugins.find("backbones", name)
    if plugin.suffix == ".yaml":
        return {"": {}}
    return {key: dict(options) for key, options in plugins.load_class(plugin, Backbone).examples.items()}

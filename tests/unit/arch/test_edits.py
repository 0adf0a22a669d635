"""Edits replayed on a base rebuild the network they were made on, for rows, code and timm models alike."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from leansort.arch.build import build, parameters
from leansort.arch.layers.blocks import DropPath
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.factorized_layers import build_factor_chain
from leansort.arch.spec.spec import ArchSpec, Factorize, Factorized, Norm, Remove, Resize, Truncate
from leansort.core.errors import UserError
from leansort.core.seeds import Seeds

MOBILE = ArchSpec(base="mobilenetv2", classes=6)
# The hidden width of MobileNetV2's third residual block, cut from 144 to 40.
CUT = Resize(layers={
    "3.body.0.0": (24, 40, 1), "3.body.0.1": (40, 40, 1), "3.body.1.0": (40, 40, 40), "3.body.1.1": (40, 40, 1),
    "3.body.2.0": (40, 24, 1),
})  # fmt: skip


def again(spec: ArchSpec) -> ArchSpec:
    return ArchSpec.model_validate(json.loads(json.dumps(spec.to_json())))


def fused_and_rebuilt(spec: ArchSpec, atol: float) -> tuple[nn.Module, nn.Module, ArchSpec]:
    """A network, its fused copy and the spec of that; checked to say the same, also built anew from the spec."""
    network = build(spec, Seeds(4)).eval()
    fast, fused_spec = fold_batch_norms(network, spec)
    x = torch.randn(2, 3, 64, 96)
    torch.testing.assert_close(fast(x), network(x), atol=atol, rtol=0)
    rebuilt = build(again(fused_spec), Seeds(9)).eval()
    rebuilt.load_state_dict(fast.state_dict(), strict=True)
    assert torch.equal(rebuilt(x), fast(x))
    return network, fast, fused_spec


def test_pruned_factorized_shortened_fused_and_rebuilt() -> None:
    spec = MOBILE.edited(CUT).edited(Remove(layers=("6",)))
    spec = spec.edited(Factorize(layers={"0.0": Factorized(method="cp", ranks=(5,)),
                                         "18.0": Factorized(method="svd", ranks=(64,)),
                                         "21": Factorized(method="svd", ranks=(4,))}))  # fmt: skip
    network, fast, _ = fused_and_rebuilt(spec, atol=1e-5)
    assert parameters(network) < 0.9 * parameters(build(MOBILE))
    assert not [m for m in fast.modules() if isinstance(m, nn.BatchNorm2d)]


def test_a_timm_model_is_pruned_the_same_way() -> None:
    pytest.importorskip("huggingface_hub", reason="timm is not installed")
    spec = ArchSpec(base="timm:mnasnet_100", classes=6)
    block = "blocks.1.1"
    cut = {f"{block}.conv_pw": (24, 16, 1), f"{block}.bn1": (16, 16, 1), f"{block}.conv_dw": (16, 16, 16),
           f"{block}.bn2": (16, 16, 1), f"{block}.conv_pwl": (16, 24, 1)}  # fmt: skip
    network = build(again(spec.edited(Resize(layers=cut)))).eval()
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 6)
    assert parameters(network) < parameters(build(spec))


def test_a_block_that_merges_its_branches_is_fused_around_a_factorized_layer() -> None:
    pytest.importorskip("huggingface_hub", reason="timm is not installed")
    plain = ArchSpec(base="timm:repvit_m0_9", classes=6)
    spec = plain.edited(Factorize(layers={"stem.conv1.c": Factorized(method="tucker", ranks=(2, 4))}))
    _, _, fused_spec = fused_and_rebuilt(spec, atol=1e-4)
    norms = [[m for m in build(item).modules() if isinstance(m, nn.BatchNorm2d)] for item in (fused_spec, plain)]
    assert len(norms[0]) == 0 < len(norms[1])


@pytest.mark.parametrize(
    ("edit", "part"),
    [
        (Resize(layers={"3.body.9": (1, 1, 1)}), "edit resize: there is no layer '3.body.9'"),
        (Resize(layers={"3.body": (1, 1, 1)}), "edit resize: 3.body: is a Sequential"),
        (Factorize(layers={"3.body.1.0": Factorized(method="tucker", ranks=(2, 2))}), "that is not depthwise, got 144"),
        (Factorize(layers={"0.0": Factorized(method="tucker", ranks=(2,))}), "tucker takes two ranks, got 1"),
        (Factorize(layers={"0.0": Factorized(method="svd", ranks=(2,))}), "svd takes a 1x1 convolution"),
        (Factorize(layers={"21": Factorized(method="cp", ranks=(2,))}), "a linear layer takes svd"),
        (Remove(layers=("99",)), "there is no layer '99'"),
        (Truncate(parts=22, channels=8, classes=6), "no chain of more than 22 parts"),
    ],
)
def test_an_edit_that_does_not_fit_is_one_line(edit: Resize | Factorize | Remove | Truncate, part: str) -> None:
    with pytest.raises(UserError, match=part):
        build(MOBILE.edited(edit))


@pytest.mark.parametrize("method", ["tucker", "cp"])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"), [(3, 2, 1, 1), (5, 1, 4, 2), ((3, 5), (1, 2), (0, 2), 1)]
)
def test_factors_keep_shapes(
    method: str, kernel: int | tuple[int, int], stride: int, padding: int, dilation: int
) -> None:
    layer = nn.Conv2d(6, 10, kernel, stride, padding, dilation)
    chain = build_factor_chain(layer, Factorized(method=method, ranks=(3, 4) if method == "tucker" else (3,)))  # type: ignore[arg-type]
    x = torch.randn(2, 6, 17, 23)
    assert chain(x).shape == layer(x).shape
    last = list(chain.children())[-1]
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None


def test_drop_path_rises_towards_the_last_block_and_keeps_the_mean() -> None:
    network = build(ArchSpec(base="mobilenetv2", classes=6, drop_path=0.5))
    rates = [module.rate for module in network.modules() if isinstance(module, DropPath)]
    assert rates == pytest.approx([0.5 * k / len(rates) for k in range(1, len(rates) + 1)])
    drop = DropPath()
    drop.rate = 0.25
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = drop.train()(torch.ones(4000, 1, 1, 1))
    assert sorted(out.unique().tolist()) == pytest.approx([0.0, 4 / 3])
    assert float(out.mean()) == pytest.approx(1.0, abs=0.04)
    assert torch.equal(drop.eval()(torch.ones(3, 1, 1, 1)), torch.ones(3, 1, 1, 1))
    with pytest.raises(UserError, match="has no residual block"):
        build(ArchSpec(base="m", classes=2, drop_path=0.5, model={"rows": [{"block": "conv", "out": 4}, {"block": "pool"}, {"block": "linear"}]}))  # fmt: skip  # noqa: E501


def test_norms_and_first_weights_are_the_papers_own_where_a_recipe_asks() -> None:
    def built(**fields: object) -> nn.Module:
        return build(ArchSpec.model_validate({"base": "mobilenetv3_large", "classes": 6, **fields}))

    def norms(**fields: object) -> set[tuple[float | None, float]]:
        return {(m.momentum, m.eps) for m in built(**fields).modules() if isinstance(m, nn.BatchNorm2d)}

    assert norms() == {(0.1, 1e-5)}
    assert norms(init="paper") == {(0.01, 0.001)}
    assert norms(init="paper", norm=Norm(momentum=0.2)) == {(0.2, 0.001)}
    for init, fan_out in (("small", 9 * 64), ("paper", 9)):
        depthwise = built(init=init).get_parameter("2.body.1.0.weight").detach()
        assert float(depthwise.std()) == pytest.approx((2 / fan_out) ** 0.5, rel=0.1)
        wide = built(init=init).get_parameter("16.0.weight").detach()
        assert float(wide.std()) == pytest.approx((2 / 960) ** 0.5, rel=0.02)


def test_the_first_loss_is_that_of_chance() -> None:
    network = build(ArchSpec(base="mobilenetv2", classes=6))
    assert float(network.get_parameter("21.weight").detach().abs().max()) == 0.0
    with torch.no_grad():
        loss = nn.functional.cross_entropy(network(torch.randn(4, 3, 64, 64)), torch.tensor([0, 1, 2, 3]))
    assert float(loss) == pytest.approx(torch.log(torch.tensor(6.0)).item())


def test_timm_takes_no_width_and_suggests_names() -> None:
    pytest.importorskip("huggingface_hub", reason="timm is not installed")
    for fields, part in (
        ({"base": "timm:mnasnet_10"}, "timm has no model 'mnasnet_10'; did you mean 'mnasnet_1"),
        ({"base": "timm:mnasnet_100", "width": 0.5}, "leave width and depth at 1"),
        ({"base": "timm:mnasnet_100", "options": {"nonsense": 3}}, "cannot be built with"),
        ({"base": "mobilenetv2", "options": {"nonsense": 3}}, "takes no options, got nonsense"),
        ({"base": "timm:mnasnet_100", "init": "paper"}, "arch.init: paper is for networks of rows"),
    ):
        with pytest.raises(UserError, match=part):
            build(ArchSpec.model_validate({"classes": 6, **fields}))

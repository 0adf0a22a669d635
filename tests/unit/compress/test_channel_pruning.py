"""Channels that leave a network: which, how many, and that nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.arch import trained_model
from leansort.arch.build import build
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.spec.spec import ArchSpec, Factorize, Factorized, FuseBatchNorm, Resize
from leansort.arch.trained_model import TrainedModel
from leansort.compress.pruning.channel_groups import ChannelGroup, find_channel_groups
from leansort.compress.pruning.channel_pruning import count_macs, count_parameters, prune_to_target
from leansort.compress.pruning.channel_selection import select_channels
from leansort.compress.pruning.importance import Importance
from leansort.contest.contest_classes import CONTEST_CLASSES
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from tests.contract.test_backbones import model_of as contract_model_of
from tests.support.pruning import prune_channels

NAMES = (
    "tiny_s", "mnasnet", "mobilenetv3_small", "mobilenetv4_conv_small", "moga_a", "robnet-large", "robnet-free",
    "timm:lcnet_050", "timm:ghostnet_100", "timm:repvit_m0_9",
)  # fmt: skip
# Grouped convolutions, one with other channels out than in, and widths laid side by side.
ROWS = ArchSpec(base="groups", classes=6, model={"rows": [
    {"block": "conv", "out": 16, "kernel": 3, "stride": 2},
    {"block": "conv", "out": 24, "groups": 4, "kernel": 3, "name": "a"}, {"block": "conv", "out": 12},
    {"block": "conv", "out": 20, "name": "b"}, {"block": "concat", "from": ["a", "b"]},
    {"block": "conv", "out": 40}, {"block": "depthwise", "out": 60}, {"block": "conv", "out": 16},
    {"block": "max_pool", "kernel": 16, "stride": 16}, {"block": "flatten"}, {"block": "dense", "out": 32},
    {"block": "linear"},
]})  # fmt: skip
ROBUST: dict[str, Any] = {"seeds": Seeds(1), "gradients": None}


@lru_cache
def model_of(name: str) -> TrainedModel:
    return contract_model_of(name, 32)


def of_network(spec: ArchSpec, network: nn.Module, size: int = 32) -> TrainedModel:
    return TrainedModel(spec, network.state_dict(), Preprocess(size=size), LabelSet(CONTEST_CLASSES))


def rows_model() -> TrainedModel:
    network = build(ROWS, Seeds(2))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.momentum = 1.0
        for head in find_classifiers(network, 6):
            head.weight.normal_()
        network.train()(torch.randn(16, 3, 32, 32))
    return of_network(ROWS, network)


def fused_of(model: TrainedModel) -> TrainedModel:
    network, spec = fold_batch_norms(model.network(), model.spec)
    return of_network(spec, network)


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def size(model: TrainedModel) -> int:
    return sum(tensor.numel() for tensor in model.weights.values())


def last_edit(model: TrainedModel) -> Resize:
    edit = model.spec.edits[-1]
    assert isinstance(edit, Resize)
    return edit


def counts(network: nn.Module) -> dict[str, tuple[int, int, int]]:
    result = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            result[name] = module.in_channels, module.out_channels, module.groups
        elif isinstance(module, nn.Linear):
            result[name] = module.in_features, module.out_features, 1
        elif isinstance(module, _BatchNorm):
            result[name] = module.num_features, module.num_features, 1
    return result


@pytest.mark.parametrize(
    ("name", "scope"),
    [*((name, "local") for name in NAMES if name != "robnet-large"), ("tiny_s", "global"), ("robnet-free", "global")],
)
def test_half_of_the_channels_leave_every_network(name: str, scope: Literal["local", "global"], tmp_path: Path) -> None:
    model = model_of(name)
    given = {key: tensor.clone() for key, tensor in model.weights.items()}
    small = prune_channels(model, amount=0.5, importance="l2", scope=scope, round_to=4, **ROBUST)
    assert same(model.weights, given)
    assert ArchSpec.model_validate(json.loads(json.dumps(small.spec.to_json()))) == small.spec
    before, after = counts(model.network()), counts(small.network())
    assert {layer: shape for layer, shape in after.items() if shape != before[layer]} == last_edit(small).layers
    for layer, (_, out, _) in after.items():
        assert out == before[layer][1] or (4 <= out < before[layer][1] and out % 4 == 0), layer
    assert size(small) < 0.6 * size(model)
    small.save(tmp_path / "small.safetensors")
    x = torch.randn(2, 3, 32, 32)
    out = small.network()(x)
    assert out.shape == (2, 6)
    assert torch.equal(trained_model.load(tmp_path / "small.safetensors").network()(x), out)


@pytest.mark.parametrize(
    ("name", "merged"),
    [*((name, False) for name in NAMES), ("mnasnet", True), ("robnet-free", True), ("timm:repvit_m0_9", True)],
)
def test_channels_without_a_signal_are_the_ones_that_leave(name: str, merged: bool) -> None:
    silenced = silence(fused_of(model_of(name)) if merged else model_of(name))
    small = prune_channels(silenced, amount=0.5, importance="l1", scope="local", round_to=1, **ROBUST)
    assert size(small) < 0.45 * size(silenced)
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(
        small.network().double()(x), silenced.network().double()(x), atol=1e-6, rtol=1e-6
    )  # fmt: skip


def silence(model: TrainedModel) -> TrainedModel:
    """Half of every width, drawn, is made to put out zeros; what reads it is not told."""
    network, drawn = model.network(), torch.Generator().manual_seed(5)
    for channel_group in find_channel_groups(network, find_classifiers(network, 6), 32):
        units = torch.randperm(channel_group.units, generator=drawn)[
            : (channel_group.units + 1) // 2 if channel_group.units > 1 else 0
        ]
        quiet = channel_group.of_units(units.tolist())
        for touch in channel_group.touches:
            if touch.side != "in":
                mute(network.get_submodule(touch.layer), [own for own, root in touch.roots.items() if root in quiet])
    return replace(model, weights=network.state_dict())


def mute(layer: nn.Module, channels: list[int]) -> None:
    for key, tensor in layer.state_dict().items():
        if key in ("weight", "bias", "running_mean"):
            tensor[channels] = 0.0


def test_grouped_convolutions_lose_the_same_places_of_every_group() -> None:
    model = rows_model()
    small = prune_channels(model, amount=0.5, importance="l1", scope="local", round_to=1, **ROBUST)
    shapes = list(counts(small.network()).values())
    assert (8, 12, 4) in shapes  # from 16, 24 in 4 groups
    assert (20, 20, 20) in shapes  # from 40, 60 in 20 groups: of two in a group one, of three out
    x = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    silenced = silence(model)
    quiet = prune_channels(silenced, amount=0.5, importance="l1", scope="local", round_to=1, **ROBUST)
    torch.testing.assert_close(quiet.network().double()(x), silenced.network().double()(x), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", ["mobilenetv3_small", "timm:lcnet_050"])
@pytest.mark.parametrize(("target", "scope"), [(count_macs, "global"), (count_parameters, "local")])
def test_as_few_channels_leave_as_reach_the_target(
    name: str, target: Callable[[TrainedModel], float], scope: Literal["local", "global"]
) -> None:
    model, asked = model_of(name), list[float]()

    def counted(item: TrainedModel) -> float:
        asked.append(target(item))
        return asked[-1]

    small, amount = prune_to_target(
        model, target=counted, fraction=0.6, importance="l2", scope=scope, round_to=4, largest=0.9, **ROBUST
    )
    assert 0.55 * target(model) < target(small) <= 0.6 * target(model)
    assert 0.0 < amount < 1.0
    assert len(asked) <= 9  # the network's own among them
    assert all(tried > 0.6 * asked[0] or tried <= target(small) for tried in asked)


def test_a_target_out_of_reach_gives_the_smallest_model_and_one_that_is_met_the_same() -> None:
    model = model_of("tiny_s")
    rest: dict[str, Any] = {"importance": "l1", "scope": "global", "round_to": 8, "largest": 0.5, **ROBUST}
    small, amount = prune_to_target(model, target=count_macs, fraction=0.001, **rest)
    assert amount == 1.0
    assert 0.001 * count_macs(model) < count_macs(small) < 0.7 * count_macs(model)
    assert prune_to_target(model, target=count_macs, fraction=1.0, **rest) == (model, 0.0)
    assert prune_channels(model, amount=0.0, **rest) is model


def test_no_width_loses_more_than_the_cap() -> None:
    model = model_of("mobilenetv3_small")
    before = counts(model.network())
    small = prune_channels(
        model, amount=0.9, importance="random", scope="global", round_to=1, largest=0.6, **ROBUST
    )  # fmt: skip
    for layer, (_, out, _) in last_edit(small).layers.items():
        width = before[layer][1]
        assert out in (width, width - int(0.6 * width + 1e-9)), layer  # all that shrink do as far as they may


def gradients(network: nn.Module) -> None:
    x = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    nn.functional.cross_entropy(network(x), torch.arange(8) % 6).backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for weight in network.parameters():  # what becomes of that network is nobody's business
            weight.zero_()


@pytest.mark.parametrize("importance", ["l1", "taylor", "bn_scale", "random"])
def test_the_same_channels_leave_again(importance: Importance) -> None:
    model, state = model_of("mobilenetv3_small"), torch.random.get_rng_state()
    rest: dict[str, Any] = {"amount": 0.4, "scope": "global", "round_to": 2, "gradients": gradients}
    a, b, c = (prune_channels(model, importance=importance, seeds=Seeds(seed), **rest) for seed in (1, 1, 2))
    assert a.spec == b.spec
    assert same(a.weights, b.weights)
    assert (importance != "random") == same(a.weights, c.weights)
    assert torch.equal(torch.random.get_rng_state(), state)
    other = prune_channels(model, importance="l2", seeds=Seeds(1), **rest)
    assert not same(a.weights, other.weights)


def test_taylor_keeps_what_the_loss_hangs_on() -> None:
    model = model_of("tiny_s")

    def leave(network: nn.Module) -> None:
        for name, weight in network.named_parameters():
            weight.grad = torch.ones_like(weight) if not name.startswith("8.") else None  # the last block's, of no use
        head = network.get_parameter("11.weight")
        head.grad = torch.zeros_like(head).index_fill_(1, torch.arange(1, head.shape[1], 2), 1.0)  # but for every other

    small = prune_channels(
        model, amount=0.5, importance="taylor", scope="local", round_to=1, gradients=leave, seeds=Seeds(0)
    )  # fmt: skip
    before, after = (counts(item.network())["8.0"] for item in (model, small))
    assert after[1] == before[1] // 2
    assert torch.equal(small.weights["8.1.weight"], model.weights["8.1.weight"][1::2])


def test_what_cannot_be_scored_is_said_in_one_line() -> None:
    model = model_of("tiny_s")
    rest: dict[str, Any] = {"amount": 0.5, "scope": "local", "round_to": 1, "seeds": Seeds(0)}
    with pytest.raises(UserError, match="reads the factors of batch norms, and this network has none"):
        prune_channels(fused_of(model), importance="bn_scale", gradients=None, **rest)
    with pytest.raises(ValueError, match="taylor needs gradients"):
        prune_channels(model, importance="taylor", gradients=None, **rest)
    with pytest.raises(ValueError, match="left no gradient"):
        prune_channels(model, importance="taylor", gradients=lambda _network: None, **rest)
    with pytest.raises(ValueError, match="need amount"):
        prune_channels(model, importance="l1", gradients=None, **{**rest, "amount": 1.5})


@pytest.mark.parametrize("name", ["mobilenetv4_conv_small", "timm:repvit_m0_9"])
def test_cut_fused_and_cut_again(name: str) -> None:
    rest: dict[str, Any] = {"amount": 0.25, "scope": "local", "importance": "l1", "round_to": 4, **ROBUST}
    once = prune_channels(model_of(name), **rest)
    twice = prune_channels(fused_of(prune_channels(once, **rest)), **rest)
    assert [edit.op for edit in twice.spec.edits] == ["resize", "resize", "fuse_batch_norm", "resize"]
    assert ArchSpec.model_validate(json.loads(json.dumps(twice.spec.to_json()))) == twice.spec
    assert isinstance(twice.spec.edits[2], FuseBatchNorm)
    assert count_macs(twice) < 0.6 * count_macs(once)
    assert twice.network()(torch.randn(1, 3, 32, 32)).shape == (1, 6)


def test_factorized_layers_shrink_inside_and_out() -> None:
    model = model_of("mobilenetv3_small")
    spec = model.spec.edited(
        Factorize(
            layers={"0.0": Factorized(method="tucker", ranks=(2, 8)), "12.0": Factorized(method="svd", ranks=(24,))}
        )
    )
    network = build(spec, Seeds(3))
    with torch.no_grad():
        find_classifiers(network, 6)[0].weight.normal_()
    small = prune_channels(of_network(spec, network), amount=0.5, importance="l1", scope="local", round_to=2, **ROBUST)
    shapes = counts(small.network())
    assert shapes["12.0.0"][1] == shapes["12.0.1"][0] == 12
    assert shapes["0.0.1"] == (2, 4, 1)  # a rank of 2 cannot be halved to a multiple of 2
    assert shapes["0.0.2"][0] == 4


NETWORK = """
from pydantic import BaseModel
from torch import nn
from leansort.arch.spec.backbone import Backbone
class Net(nn.Module):
    def __init__(self, classes, sound):
        super().__init__()
        self.stem, self.flipped, self.cut = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1), nn.Conv2d(4, 8, 1)
        self.inner, self.scaled = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
        self.gamma, self.norm = nn.Parameter(nn.init.ones_(self.inner.weight.new_empty(8, 1, 1))), nn.GroupNorm(2, 8)
        self.last, self.head, self.sound = nn.Conv2d(8, 8, 1), nn.Linear(32, classes), sound
    def forward(self, x):
        x = self.flipped(self.stem(x).flip(1))  # taken for one that leaves channels in order
        x = self.cut(x[:, :4])
        x = self.scaled(self.inner(self.norm(x)) if self.sound else self.norm(x))
        x = nn.functional.adaptive_avg_pool2d(self.last(x * self.gamma), 2)
        return self.head((x if self.sound else x.flip(1)).flatten(1))
class Options(BaseModel):
    sound: bool
class Odd(Backbone):
    Config = Options
    def build(self, spec):
        return Net(spec.classes, self.options.sound)
"""


def test_channels_that_cannot_be_followed_stay_and_the_rest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "backbones").mkdir()
    (tmp_path / "backbones" / "odd.py").write_text(NETWORK)
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path))
    rest: dict[str, Any] = {"amount": 0.5, "scope": "local", "importance": "l1", "round_to": 1, **ROBUST}
    for sound in (True, False):
        network = build(spec := ArchSpec(base="odd", classes=6, options={"sound": sound}), Seeds(0))
        with torch.no_grad():
            network.get_parameter("head.weight").normal_()
        if sound:
            small = prune_channels(of_network(spec, network), **rest)
            assert last_edit(small).layers == {
                "inner": (8, 4, 1), "scaled": (4, 8, 1), "last": (8, 4, 1), "head": (16, 6, 1),
            }  # fmt: skip
        else:
            with pytest.raises(UserError, match=r"^odd cannot be pruned: with fewer channels it gives outputs off"):
                prune_channels(of_network(spec, network), **rest)


def width(name: str, units: int, groups: int = 1) -> ChannelGroup:
    return ChannelGroup(name, units * groups, groups, ())


def test_which_channels_are_chosen() -> None:
    sets = [width("a", 8), width("b", 16), width("c", 4, groups=2), width("d", 3)]
    scores = {"a": torch.arange(8.0), "b": 2 + torch.arange(16.0), "c": torch.tensor([9.0, 0.5, 8.0, 7.0])}

    def choose(
        amount: float, scope: Literal["local", "global"], round_to: int, largest: float = 1.0
    ) -> dict[str, set[int]]:
        return select_channels(sets, scores, amount, scope, round_to, largest)

    halves = {"a": {0, 1, 2, 3}, "b": set(range(8)), "c": {1, 5, 3, 7}}
    assert choose(0.5, "local", 1) == halves  # d has no score; channels of c go two at a time
    assert choose(0.5, "local", 4) == halves
    assert choose(0.5, "local", 8) == {"b": set(range(8))}  # 8 channels are not halved to a multiple of 8
    assert choose(0.05, "local", 8) == {}
    assert choose(1.0, "local", 4) == {"a": {0, 1, 2, 3}, "b": set(range(12)), "c": {1, 5, 3, 7}}
    # Together there are 8 + 16 + 8 channels; an eighth of them, the worst, are two of a and two of c.
    assert choose(0.125, "global", 1) == {"a": {0, 1}, "c": {1, 5}}
    assert choose(0.9, "global", 1, 0.5) == halves
    assert choose(1.0, "global", 3, 0.7) == {"a": {0, 1, 2, 3, 4}, "b": set(range(10)), "c": {1, 5}}

"""Chains of smaller layers against the layers that they stand for: outputs, kernels, known optima, ranks."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from leansort.arch.spec.apply_edits import apply_edits
from leansort.arch.spec.spec import Factorize, Factorized
from leansort.compress.low_rank.decomposition import (
    Method,
    factorize_layer,
    method_for,
    ranks_by_energy,
    ranks_by_evbmf,
    reconstruction_error,
)
from leansort.core.errors import MissingExtraError

pytest.importorskip("tensorly", reason="the extra compress is not installed")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny matrices: where cores are shared, threads wait far longer for each other than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def how(method: str, *ranks: int) -> Factorized:
    return Factorized.model_validate({"method": method, "ranks": ranks})


def drawn(layer: nn.Module, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=generator)
    return layer


def full(layer: nn.Conv2d | nn.Linear, method: str) -> tuple[int, ...]:
    """The ranks at which a method is exact for any kernel of this shape."""
    out, cin, *kernel = layer.weight.shape
    out //= getattr(layer, "groups", 1)
    return {"svd": (min(out, cin),), "tucker": (cin, out), "cp": (min(out, cin) * math.prod(kernel),)}[method]


@st.composite
def convolutions(draw: st.DrawFn) -> nn.Conv2d:
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    cin, out = draw(st.integers(1 if groups == 1 else 2, 4)), draw(st.integers(1, 4))
    stride: Any = draw(st.sampled_from([1, 2, (2, 1)]))
    choices: dict[str, list[Any]] = {
        "kernel_size": [1, 3, (3, 5)], "padding": [0, 1, (2, 1), *(["same"] if stride == 1 else [])],
        "dilation": [1, 2, (1, 2)], "bias": [True, False], "padding_mode": ["zeros", "zeros", "circular", "replicate"],
    }  # fmt: skip
    settled = {key: draw(st.sampled_from(values)) for key, values in choices.items()}
    layer = nn.Conv2d(groups * cin, groups * out, stride=stride, groups=groups, **settled)
    return drawn(layer, draw(st.integers(0, 99)))  # type: ignore[no-any-return]


@settings(max_examples=50, deadline=None)
@given(layer=convolutions(), wanted=st.sampled_from(["tucker", "cp"]))
def test_at_full_rank_a_chain_does_what_the_layer_does(layer: nn.Conv2d, wanted: Any) -> None:
    method = method_for(layer, wanted)
    assert method is not None
    assert method == ("svd" if layer.kernel_size == (1, 1) else wanted)
    chain = factorize_layer(layer, how(method, *full(layer, method)))
    x = torch.randn(2, layer.in_channels, 13, 11, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(chain(x), layer(x), atol=2e-5 * float(layer(x).abs().max()), rtol=0)
    assert reconstruction_error(layer, chain) < 3e-7  # the rounding of float32
    first, *_, last = chain
    assert isinstance(first, nn.Conv2d)
    assert isinstance(last, nn.Conv2d)
    assert (first.groups, last.groups) == (layer.groups, layer.groups)
    assert (last.bias is None) == (layer.bias is None)


@pytest.mark.parametrize("shape", [(1, 1, 3, 5), (1, 1, 7, 1), (1, 2, 1, 3), (3, 1, 5, 5), (40, 2, 3, 3)])
@pytest.mark.parametrize("method", ["tucker", "cp"])
def test_shapes_with_one_mode_larger_than_all_others(shape: tuple[int, int, int, int], method: str) -> None:
    """Where fewer singular vectors exist than a mode has sizes; tensorly's own starts of `cp` fail there."""
    layer = drawn(nn.Conv2d(shape[1], shape[0], shape[2:]))
    most = full(layer, method)
    assert reconstruction_error(layer, factorize_layer(layer, how(method, *most))) < 2e-6
    fewer = factorize_layer(layer, how(method, *(max(1, rank - 1) for rank in most)))
    assert reconstruction_error(layer, fewer) < 1.0


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("method", ["tucker", "cp"])
def test_padding_in_words(padding: str, method: str) -> None:
    layer = drawn(nn.Conv2d(4, 6, (3, 5), padding=padding, dilation=2, groups=2))
    chain = factorize_layer(layer, how(method, *full(layer, method)))
    x = torch.randn(2, 4, 13, 11, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(chain(x), layer(x), atol=1e-4, rtol=0)


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_too(bias: bool) -> None:
    layer = drawn(nn.Linear(9, 5, bias=bias))
    x = torch.randn(4, 9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(factorize_layer(layer, how("svd", 5))(x), layer(x), atol=1e-5, rtol=0)
    assert method_for(layer, "cp") == "svd"


def seen_from_outputs(layer: nn.Conv2d, chain: nn.Module) -> float:
    """The relative error of the answers to impulses in a random basis of the channels, at every phase of the stride."""
    width = layer.in_channels
    basis = torch.linalg.qr(torch.randn(width, width, generator=torch.Generator().manual_seed(2))).Q
    off = norm = 0.0
    for row in range(layer.stride[0]):
        for column in range(layer.stride[1]):
            x = torch.zeros(width, width, 33, 33)
            x[:, :, 16 + row, 16 + column] = basis
            with torch.no_grad():
                constant = 0.0 if layer.bias is None else layer.bias[:, None, None]
                off += float((chain(x) - layer(x)).double().square().sum())
                norm += float((layer(x) - constant).double().square().sum())
    return math.sqrt(off / norm)


@settings(max_examples=25, deadline=None)
@given(layer=convolutions(), wanted=st.sampled_from(["tucker", "cp"]), fraction=st.floats(0.1, 0.9))
def test_the_composed_kernel_is_what_outputs_show(layer: nn.Conv2d, wanted: Any, fraction: float) -> None:
    method = method_for(layer, wanted)
    assert method is not None
    layer.padding_mode = "zeros"  # an impulse far from the border; cheap
    chain = factorize_layer(layer, how(method, *(max(1, int(fraction * rank)) for rank in full(layer, method))))
    assert reconstruction_error(layer, chain) == pytest.approx(seen_from_outputs(layer, chain), rel=1e-3, abs=1e-5)


LAYERS = {
    "tucker": nn.Conv2d(8, 8, 3), "tucker in groups": nn.Conv2d(16, 16, 3, groups=2),
    "cp": nn.Conv2d(6, 8, 3), "cp in groups": nn.Conv2d(8, 12, (3, 5), groups=2),
    "svd": nn.Conv2d(12, 10, 1), "svd in groups": nn.Conv2d(12, 16, 1, groups=2), "svd of a linear": nn.Linear(20, 9),
}  # fmt: skip
each = pytest.mark.parametrize("name", LAYERS)


@each
def test_the_error_falls_with_the_rank(name: str) -> None:
    layer, method = drawn(LAYERS[name]), name.split()[0]
    most = full(layer, method)
    steps = [tuple(max(1, round(fraction * rank)) for rank in most) for fraction in (0.01, 0.25, 0.5, 0.75, 1.0)]
    errors = [reconstruction_error(layer, factorize_layer(layer, how(method, *ranks))) for ranks in steps]
    assert all(less < max(0.95 * more, 2e-6) for more, less in pairwise(errors))
    assert errors[0] < 1.0
    assert errors[-1] < 2e-6


@each
def test_twice_the_same_without_a_trace(name: str) -> None:
    layer, method = drawn(LAYERS[name]), name.split()[0]
    split = how(method, *(max(1, rank // 2) for rank in full(layer, method)))
    before, state = {key: value.clone() for key, value in layer.state_dict().items()}, torch.get_rng_state()
    item = factorize_layer(layer, split)
    np.random.seed(3)
    torch.rand(1)
    other = factorize_layer(layer, split)
    assert all(torch.equal(a, b) for a, b in zip(item.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())
    torch.set_rng_state(state)
    factorize_layer(layer, split)
    assert torch.equal(torch.get_rng_state(), state)


@each
def test_an_edit_and_strict_loading_make_it_again_and_it_learns(name: str) -> None:
    layer, method = drawn(LAYERS[name]), name.split()[0]
    split = how(method, *(max(1, rank // 2) for rank in full(layer, method)))
    chain = factorize_layer(layer, split)
    again = apply_edits(nn.Sequential(LAYERS[name]), (Factorize(layers={"0": split}),))
    again.load_state_dict({f"0.{key}": value for key, value in chain.state_dict().items()}, strict=True)
    x = torch.randn(2, 20) if isinstance(layer, nn.Linear) else torch.randn(2, layer.in_channels, 9, 9)
    assert torch.equal(again(x), chain(x))
    chain(x).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in chain.parameters())


def tails(kernel: Tensor, *ranks: int) -> list[float]:
    """The fraction of the squared singular values that truncating each unfolding, (in, out), to a rank leaves out."""
    unfolded = kernel.transpose(0, 1).flatten(1), kernel.flatten(1)
    squares = [torch.linalg.svdvals(matrix.detach().double()).square() for matrix in unfolded]
    return [float(s[rank:].sum() / s.sum()) for s, rank in zip(squares, ranks, strict=True)]


@pytest.mark.parametrize("rank", [1, 3, 7])
def test_svd_is_the_nearest_of_its_rank(rank: int) -> None:
    layer = drawn(nn.Conv2d(12, 10, 1))
    error = reconstruction_error(layer, factorize_layer(layer, how("svd", rank)))
    assert error == pytest.approx(math.sqrt(tails(layer.weight, rank, rank)[1]), rel=1e-5)


@pytest.mark.parametrize("ranks", [(2, 5), (4, 4), (8, 3)])
def test_tucker_is_between_its_bounds(ranks: tuple[int, int]) -> None:
    """No kernel of these ranks is nearer than either unfolding's truncation; HOSVD is within the sum of both."""
    layer = drawn(nn.Conv2d(8, 9, 3))
    error = reconstruction_error(layer, factorize_layer(layer, how("tucker", *ranks)))
    lost = tails(layer.weight, *ranks)
    assert math.sqrt(max(lost)) - 1e-6 <= error < math.sqrt(sum(lost)) + 1e-6


def sum_of_products(rank: int, groups: int, seed: int, out: int = 12, cin: int = 10) -> nn.Conv2d:
    layer, rng = nn.Conv2d(groups * cin, groups * out, (3, 5), groups=groups), np.random.default_rng(seed)
    kernels = [
        np.einsum("or,ir,hr,wr->oihw", *(rng.normal(size=(n, rank)) for n in (out, cin, 3, 5))) for _ in range(groups)
    ]
    layer.weight.data = torch.from_numpy(np.concatenate(kernels)).float()
    return layer


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("rank", "groups"), [(1, 1), (3, 1), (4, 2)])
def test_cp_finds_a_planted_sum_and_shares_the_scale(rank: int, groups: int, seed: int) -> None:
    layer = sum_of_products(rank, groups, seed)
    chain = factorize_layer(layer, how("cp", rank))
    assert reconstruction_error(layer, chain) < 1e-4
    first, high, wide, last, _ = (parameter.detach() for parameter in chain.parameters())
    last = last.reshape(groups, -1, rank).transpose(1, 2).flatten(0, 1)  # a row for each component, as the others have
    norms = [weight.flatten(1).norm(dim=1) for weight in (first, high, wide, last)]
    for other in norms[1:]:
        torch.testing.assert_close(other, norms[0], rtol=1e-4, atol=0)


def low_rank(by_in: int, by_out: int, groups: int = 1, noise: float = 0.02, seed: int = 0) -> nn.Conv2d:
    """Every group 24 channels in, 30 out, 3x3, of these multilinear ranks, and noise."""
    layer, rng = nn.Conv2d(groups * 24, groups * 30, 3, groups=groups), np.random.default_rng(seed)
    kernels = []
    for _ in range(groups):
        u_or, u_ir = (np.linalg.qr(rng.normal(size=shape))[0] for shape in ((30, by_out), (24, by_in)))
        core = rng.normal(size=(by_out, by_in, 3, 3))
        kernels.append(np.einsum("abhw,oa,ib->oihw", core, u_or, u_ir) + noise * rng.normal(size=(30, 24, 3, 3)))
    layer.weight.data = torch.from_numpy(np.concatenate(kernels)).float()
    return layer


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("ranks", [(4, 6), (7, 3)])
def test_both_rules_find_planted_ranks(ranks: tuple[int, int], groups: int) -> None:
    layer = low_rank(*ranks, groups=groups)
    assert ranks_by_evbmf(layer, "tucker") == ranks
    assert ranks_by_evbmf(layer, "cp") == (max(ranks),)
    exact = low_rank(*ranks, groups=groups, noise=1e-5)
    assert ranks_by_energy(exact, "tucker", 1 - 1e-6) == ranks
    assert ranks_by_energy(exact, "cp", 1 - 1e-6) == (max(ranks),)


def test_the_largest_group_decides() -> None:
    layer = low_rank(6, 5, groups=2)
    layer.weight.data[:30] = low_rank(2, 3, seed=1).weight.data
    assert ranks_by_evbmf(layer, "tucker") == (6, 5)
    assert ranks_by_evbmf(low_rank(2, 3, seed=1), "tucker") == (2, 3)


def test_weakening_leads_from_the_full_rank_to_the_one_found() -> None:
    layer = low_rank(4, 6)
    assert [ranks_by_evbmf(layer, "tucker", weaken) for weaken in (0.0, 0.5, 1.0)] == [(24, 30), (14, 18), (4, 6)]
    noise = drawn(nn.Linear(30, 20))
    assert [ranks_by_evbmf(noise, "svd", weaken) for weaken in (0.0, 0.5, 1.0)] == [(20,), (10,), (1,)]
    for weaken in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="weaken: need 0 to 1"):
            ranks_by_evbmf(layer, "tucker", weaken)


def test_energy_is_kept_and_by_no_rank_less() -> None:
    layer = drawn(nn.Conv2d(12, 10, 1))
    for energy in (0.01, 0.3, 0.9, 0.999, 1.0):
        (rank,) = ranks_by_energy(layer, "svd", energy) or (0,)
        assert 1 - tails(layer.weight, rank, rank)[1] >= energy - 1e-9
        assert 1 - tails(layer.weight, rank - 1, rank - 1)[1] < energy
    nn.init.zeros_(layer.weight)
    assert ranks_by_energy(layer, "svd", 0.5) == ranks_by_evbmf(layer, "svd") == (1,)
    for energy in (0.0, 1.01, math.nan):
        with pytest.raises(ValueError, match="energy: need a fraction"):
            ranks_by_energy(layer, "svd", energy)


def test_no_rank_is_larger_than_the_other_can_use() -> None:
    """Of 9 positions and one channel out of the core, more than 9 channels in would be for nothing."""
    layer, rng = nn.Conv2d(60, 2, 3), np.random.default_rng(0)
    # EVBMF finds 12 of the channels in, but takes one of two channels out for noise, as it always does.
    kernel = np.einsum("oahw,ia->oihw", rng.normal(size=(2, 12, 3, 3)), np.linalg.qr(rng.normal(size=(60, 12)))[0])
    layer.weight.data = torch.from_numpy(kernel + 0.01 * rng.normal(size=kernel.shape)).float()
    assert ranks_by_evbmf(layer, "tucker") == (9, 1)
    assert ranks_by_evbmf(layer, "tucker", 0.0) == (18, 2)
    assert ranks_by_evbmf(layer, "cp") == (12,)
    assert ranks_by_energy(layer, "tucker", 0.999) == (12, 2)


DEPTHWISE = [nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 12, 3, groups=6), nn.Conv2d(6, 6, 1, groups=6)]


@pytest.mark.parametrize("layer", [*DEPTHWISE, nn.BatchNorm2d(6), nn.Conv1d(6, 6, 3)])
def test_what_cannot_be_split_is_none(layer: nn.Module) -> None:
    methods: tuple[Method, ...] = ("tucker", "cp", "svd")
    assert method_for(layer, "tucker") is method_for(layer, "cp") is None
    assert [ranks_by_evbmf(layer, method) for method in methods] == [None] * 3
    assert [ranks_by_energy(layer, method, 0.9) for method in methods] == [None] * 3


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1, groups=2), nn.Linear(4, 4)])
def test_tucker_and_cp_are_for_kernels_larger_than_a_pixel(layer: nn.Module) -> None:
    assert ranks_by_evbmf(layer, "tucker") is ranks_by_energy(layer, "cp", 0.9) is None
    assert ranks_by_evbmf(layer, "svd") is not None
    assert ranks_by_evbmf(nn.Conv2d(4, 4, 3), "svd") is None
    assert method_for(nn.Conv2d(1, 4, 3), "cp") == method_for(nn.Conv2d(4, 4, (1, 3), groups=2), "cp") == "cp"


@pytest.mark.parametrize("layer", DEPTHWISE)
def test_depthwise_layers_are_refused(layer: nn.Conv2d) -> None:
    with pytest.raises(ValueError, match="not depthwise, got 6 groups of one channel"):
        factorize_layer(layer, how("svd" if layer.kernel_size == (1, 1) else "cp", 1))


@pytest.mark.parametrize(
    ("layer", "split", "part"),
    [
        (nn.Conv2d(8, 6, 3, groups=2), how("tucker", 5, 3), r"up to \(4, 3\) here, got \(5, 3\)"),
        (nn.Conv2d(8, 6, 3), how("cp", 55), r"up to \(54,\) here, got \(55,\)"),
        (nn.Linear(8, 6), how("svd", 7), r"up to \(6,\) here, got \(7,\)"),
        (nn.Conv2d(8, 6, 3), how("cp", 2, 2), "cp takes one rank, got 2"),
        (nn.Conv2d(8, 6, 3), how("svd", 2), "svd takes a 1x1 convolution"),
    ],
)
def test_ranks_that_do_not_fit_are_refused(layer: nn.Conv2d, split: Factorized, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        factorize_layer(layer, split)


def test_the_error_of_another_chain_is_refused() -> None:
    chain = factorize_layer(drawn(nn.Conv2d(8, 6, 3)), how("cp", 4))
    with pytest.raises(ValueError, match=r"is \(1, 6, 8, 3, 3\), need \(g, o, i, h, w\) \(1, 6, 8, 3, 5\)"):
        reconstruction_error(nn.Conv2d(8, 6, (3, 5)), chain)


@pytest.mark.parametrize("split", [how("tucker", 2, 3), how("cp", 4)])
def test_layers_and_groups_of_zeros_stay_zero_and_can_learn(split: Factorized) -> None:
    layer = drawn(nn.Conv2d(8, 8, 3, groups=2))
    layer.weight.data[:4] = 0.0
    x = torch.randn(1, 8, 6, 6)
    half = factorize_layer(layer, split)
    bias = layer.bias.detach()[:4, None, None]
    assert torch.equal(half(x)[0, :4], bias.expand(4, 4, 4))
    layer.weight.data[:] = 0.0
    chain = factorize_layer(layer, split)
    assert reconstruction_error(layer, chain) == 0.0
    assert reconstruction_error(layer, half) == math.inf
    chain(x).sum().backward()
    assert bool(list(chain.parameters())[-2].grad.any())  # type: ignore[union-attr]


def test_kind_mode_and_precision_stay() -> None:
    layer = drawn(nn.Conv2d(6, 8, 3).double().eval())
    chain = factorize_layer(layer, how("tucker", 6, 8))
    assert not any(module.training for module in chain.modules())
    x = torch.randn(1, 6, 7, 7, dtype=torch.float64)
    torch.testing.assert_close(chain(x), layer(x), atol=1e-11, rtol=0)
    assert all(parameter.requires_grad for parameter in chain.parameters())


def test_without_tensorly_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorly", None)
    with pytest.raises(MissingExtraError, match=r"leansort\[compress\]"):
        factorize_layer(nn.Conv2d(6, 8, 3), how("tucker", 2, 2))
    assert len(factorize_layer(nn.Conv2d(6, 8, 1), how("svd", 2))) == 2

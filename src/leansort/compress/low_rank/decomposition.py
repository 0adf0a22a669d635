"""Ranks and weights of a factorized layer: `arch.factored` makes the chain, here it comes to stand for the layer.

- `svd`, of 1x1 convolutions and linear layers, is the truncated one: no chain of this rank is nearer.
- `tucker` is higher-order orthogonal iteration over the modes (out, in) from the higher-order SVD (arXiv:1511.06530).
- `cp` is alternating least squares (arXiv:1412.6553), which only finds local minima and, on its way there, components
  that grow and cancel each other (arXiv:2008.05441). So it starts three times and the best goes on, and a tiny ridge
  holds the components down. One start takes the largest singular vectors of the k x k slices: it is the exact solution
  where the rank is full, usually the best one elsewhere, and grows least.

The groups of a convolution are split each for itself, with equal ranks. Factors of `svd` and `cp` share the scale
evenly, so that training on moves them alike. Everything is computed in float64, with the same random numbers every
time.

Shapes: g groups, o and i channels out and in of a group, h and w of the kernel, r rank.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Literal, TypeGuard

import numpy as np
import torch
from torch import Tensor, nn

from leansort.arch.spec import factorized_layers
from leansort.arch.spec.spec import Factorized
from leansort.compress.low_rank.evbmf import Array, evbmf
from leansort.core.errors import MissingExtraError

Method = Literal["tucker", "cp", "svd"]
Layer = nn.Conv2d | nn.Linear
_SHORT, _LONG = 20, 100  # sweeps of every start, and of the best one after them
_TOLERANCE = 1e-7  # of the relative error between two sweeps
_RIDGE = 1e-9  # of a kernel of norm 1; it costs a relative error of a few 1e-6 at most


def method_for(layer: nn.Module, wanted: Literal["tucker", "cp"]) -> Method | None:
    """How a layer is split: as wanted, by `svd` where it has no k x k kernel, None where it cannot be."""
    methods = _methods(layer)
    return wanted if wanted in methods else "svd" if "svd" in methods else None


def _methods(layer: nn.Module) -> tuple[Method, ...]:
    if isinstance(layer, nn.Linear):
        return ("svd",)
    if not isinstance(layer, nn.Conv2d) or layer.groups == layer.in_channels > 1:
        return ()
    return ("svd",) if layer.kernel_size == (1, 1) else ("tucker", "cp")


def ranks_by_evbmf(layer: nn.Module, method: Method, weaken: float = 1.0) -> tuple[int, ...] | None:
    """Ranks that keep what variational Bayes takes for signal in the kernel's unfoldings (arXiv:1511.06530).

    `tucker` has the ranks (in, out) of the unfoldings along channels in and out, `svd` that of the matrix, `cp` the
    larger one of the two unfoldings' ranks, which is the least with which it could be exact. Of several groups the
    largest rank counts.

    Args:
        layer: a convolution or linear layer.
        method: how it will be split.
        weaken: 1 takes the rank found, 0 the full one, what is between them in proportion; the rank is at least 1.

    Returns:
        The ranks of one group; None where the method does not apply.

    Raises:
        ValueError: `weaken` is not in 0..1, or weights are not finite.
    """
    if not 0.0 <= weaken <= 1.0:
        raise ValueError(f"weaken: need 0 to 1, got {weaken}")

    def rank(unfolded: Array) -> int:
        full: int = min(unfolded.shape)
        return max(1, round(full + weaken * (evbmf(unfolded).rank - full)))

    return _ranks(layer, method, rank)


def ranks_by_energy(layer: nn.Module, method: Method, energy: float) -> tuple[int, ...] | None:
    """The least ranks that keep a fraction of the squared singular values; of which unfoldings, see `ranks_by_evbmf`.

    Args:
        layer: a convolution or linear layer.
        method: how it will be split.
        energy: the fraction, above 0 and up to 1.

    Returns:
        The ranks of one group; None where the method does not apply.

    Raises:
        ValueError: `energy` is out of range.
    """
    if not 0.0 < energy <= 1.0:
        raise ValueError(f"energy: need a fraction above 0 and up to 1, got {energy}")

    def rank(unfolded: Array) -> int:
        kept = np.cumsum(np.linalg.svd(unfolded, compute_uv=False) ** 2)
        return 1 + int((kept < energy * kept[-1] * (1 - 1e-12)).sum())  # rounding is no energy

    return _ranks(layer, method, rank)


def _ranks(layer: nn.Module, method: Method, rank: Callable[[Array], int]) -> tuple[int, ...] | None:
    if not _is_layer(layer) or method not in _methods(layer):
        return None
    kernels = _kernels(layer).numpy()
    by_out = max(rank(w_oihw.reshape(len(w_oihw), -1)) for w_oihw in kernels)
    if method == "svd":
        return (by_out,)
    by_in = max(rank(w_oihw.swapaxes(0, 1).reshape(w_oihw.shape[1], -1)) for w_oihw in kernels)
    if method == "cp":
        return (max(by_in, by_out),)
    area = kernels[0, 0, 0].size  # the core cannot bring forth more channels than it reads positions
    return min(by_in, by_out * area), min(by_out, by_in * area)


def factorize_layer(layer: Layer, how: Factorized) -> nn.Sequential:
    """Split a layer: the chain with the weights that come nearest, and the layer's bias at its end.

    Args:
        layer: a convolution or linear layer; it stays as it is.
        how: method and ranks; at the largest ranks allowed the chain does what the layer does.

    Raises:
        ValueError: the layer, the method and the ranks do not fit together, or a rank is larger than it could matter.
        MissingExtraError: tensorly is not installed; `svd` needs none.
    """
    with torch.random.fork_rng(devices=[]):  # the weights that are drawn here are overwritten
        chain = (
            factorized_layers.build_factor_chain(layer, how)
            .to(layer.weight.device, layer.weight.dtype)
            .train(layer.training)
        )
    kernels = _kernels(layer).numpy()
    most = _most(kernels[0].shape, how.method)
    if any(rank > limit for rank, limit in zip(how.ranks, most, strict=True)):
        raise ValueError(f"{how.method} takes ranks up to {most} here, got {how.ranks}")
    splits = (_split(w_oihw, how) for w_oihw in kernels)
    values = [torch.from_numpy(np.concatenate(parts)) for parts in zip(*splits, strict=True)]
    with torch.no_grad():
        biased = values if layer.bias is None else [*values, layer.bias]
        for parameter, value in zip(chain.parameters(), biased, strict=True):
            parameter.copy_(value.reshape(parameter.shape))
    return chain


def reconstruction_error(layer: Layer, chain: nn.Sequential) -> float:
    """How far a chain's composed kernel is from the layer's: the norm of the difference over that of the kernel.

    Infinite where the layer's weights are all zero and the chain's are not.

    Args:
        layer: a convolution or linear layer.
        chain: what `factorized` made of it, trained on or not.

    Raises:
        ValueError: the chain's kernel has another shape.
    """
    wanted = _kernels(layer)
    composed, *rest = (_kernels(part, wanted.shape[0]) for part in chain if _is_layer(part))
    for kernels in rest:  # along each axis one of the two has one position, so the positions of both make a product
        composed = torch.einsum("gomab,gmicd->goiacbd", kernels, composed).flatten(5, 6).flatten(3, 4)
    if composed.shape != wanted.shape:
        raise ValueError(f"the chain's kernel is {tuple(composed.shape)}, need (g, o, i, h, w) {tuple(wanted.shape)}")
    off, norm = float((composed - wanted).norm()), float(wanted.norm())
    return off / norm if norm else 0.0 if off == 0.0 else float("inf")


def _is_layer(module: nn.Module) -> TypeGuard[Layer]:
    return isinstance(module, nn.Conv2d | nn.Linear)


def _kernels(layer: Layer, groups: int | None = None) -> Tensor:
    """The dense kernels (g, o, i, h, w) of a layer's own groups, or of `groups` that each hold equally many of them."""
    own = layer.groups if isinstance(layer, nn.Conv2d) else 1
    groups = groups or own
    weight = layer.weight.detach().cpu().double()
    weight = weight if weight.ndim == 4 else weight[:, :, None, None]
    w_gnoihw = weight.reshape(groups, own // groups, -1, *weight.shape[1:])
    w_gnomihw = torch.einsum("gnoihw,nm->gnomihw", w_gnoihw, torch.eye(own // groups, dtype=weight.dtype))
    return w_gnomihw.flatten(3, 4).flatten(1, 2)


def largest_ranks(layer: Layer, method: Method) -> tuple[int, ...]:
    """The largest ranks that can matter to a layer: of `svd` and `cp` one, of `tucker` those of input and output."""
    return _most(_kernels(layer).numpy()[0].shape, method)


def _most(shape: tuple[int, ...], method: Method) -> tuple[int, ...]:
    """The largest ranks that can matter to a kernel of the shape (o, i, h, w)."""
    out, cin, high, wide = shape
    return {"svd": (min(out, cin),), "tucker": (cin, out), "cp": (min(out, cin) * high * wide,)}[method]


def _split(w_oihw: Array, how: Factorized) -> list[Array]:
    """One group's weights of the chain, first to last."""
    if w_oihw.any():
        return _SPLITS[how.method](w_oihw, how.ranks)
    # Zeros in every layer would never learn: the last one alone has them.
    *inner, last = _SPLITS[how.method](np.random.default_rng(0).normal(size=w_oihw.shape), how.ranks)
    return [*inner, 0.0 * last]


def _svd(w_oihw: Array, ranks: tuple[int, ...]) -> list[Array]:
    u_or, s_r, v_ri = np.linalg.svd(w_oihw[:, :, 0, 0], full_matrices=False)
    scale = np.sqrt(s_r[: ranks[0]])
    return [scale[:, None] * v_ri[: ranks[0]], u_or[:, : ranks[0]] * scale]


def _tucker(w_oihw: Array, ranks: tuple[int, ...]) -> list[Array]:
    with _tensorly() as decomposition:
        (core, (u_or, u_ir)), _ = decomposition.partial_tucker(
            w_oihw, rank=ranks[::-1], modes=[0, 1], tol=_TOLERANCE, random_state=0
        )
    return [u_ir.T, core, u_or]


def _cp(w_oihw: Array, ranks: tuple[int, ...]) -> list[Array]:
    exact = ranks == _most(w_oihw.shape, "cp")
    factors = _slices(w_oihw, *ranks) if exact else _least_squares(w_oihw, *ranks)
    sizes = [np.linalg.norm(factor, axis=0) for factor in factors]
    even = np.prod(sizes, axis=0) ** (1 / len(sizes))
    u_or, u_ir, u_hr, u_wr = (f * (even / np.maximum(size, 1e-300)) for f, size in zip(factors, sizes, strict=True))
    return [u_ir.T, u_hr.T, u_wr.T, u_or]


def _least_squares(w_oihw: Array, rank: int) -> list[Array]:
    """Factors (o, r), (i, r), (h, r), (w, r) by alternating least squares from several starts."""
    norm, drawn = np.linalg.norm(w_oihw), np.random.default_rng(0)
    with _tensorly() as decomposition:

        def sweep(start: list[Array], sweeps: int) -> tuple[float, list[Array]]:
            (_, factors), errors = decomposition.parafac(
                w_oihw / norm,
                rank,
                n_iter_max=sweeps,
                init=(None, start),
                tol=_TOLERANCE,
                l2_reg=_RIDGE,
                return_errors=True,
            )
            return errors[-1], factors

        # Starts are made here: those that tensorly makes fail where one mode is larger than all others together.
        random = [[drawn.normal(size=(size, rank)) for size in w_oihw.shape] for _ in range(2)]
        tried = [sweep(start, _SHORT) for start in (_slices(w_oihw / norm, rank), *random)]
        _, (u_or, *others) = sweep(min(tried, key=lambda item: item[0])[1], _LONG)
    return [u_or * norm, *others]


def _slices(w_oihw: Array, rank: int) -> list[Array]:
    """Factors (o, r), (i, r), (h, r), (w, r): the largest singular vectors of the matrices at every kernel position."""
    u_hwor, s_hwr, v_hwri = np.linalg.svd(w_oihw.transpose(2, 3, 0, 1), full_matrices=False)
    h, w, r = np.unravel_index(np.argsort(-s_hwr, axis=None, kind="stable")[:rank], s_hwr.shape)
    at_h, at_w = np.eye(s_hwr.shape[0])[:, h], np.eye(s_hwr.shape[1])[:, w]
    return [u_hwor[h, w, :, r].T * s_hwr[h, w, r], v_hwri[h, w, r].T, at_h, at_w]


@contextmanager
def _tensorly() -> Iterator[ModuleType]:
    try:
        tensorly = importlib.import_module("tensorly")
        decomposition = importlib.import_module("tensorly.decomposition")
    except ModuleNotFoundError:
        raise MissingExtraError("tensorly", "compress") from None
    with tensorly.backend_context("numpy", local_threadsafe=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where a rank is above a mode's size, which is nothing wrong
        yield decomposition


_SPLITS: dict[Method, Callable[[Array, tuple[int, ...]], list[Array]]] = {"svd": _svd, "tucker": _tucker, "cp": _cp}

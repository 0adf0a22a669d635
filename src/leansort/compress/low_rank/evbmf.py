"""How many singular values of a noisy matrix are signal: empirical variational Bayesian matrix factorization.

The global solution in closed form, with the noise variance found by a search in one dimension, after Nakajima,
Sugiyama, Babacan, Tomioka, "Global Analytic Solution of Fully-observed Variational Bayesian Matrix Factorization",
JMLR 14 (2013); the threshold's short form and the bounds of the noise after the same authors' "Perfect Dimensionality
Recovery by Variational Bayesian PCA", NIPS 2012.

The matrix is L x M with L <= M and alpha = L / M; s are its singular values, x = s^2 / (M noise). The authors
approximate the constant tau below by 2.5129 sqrt(alpha). Here its equation is solved, so that the free energy has no
jump where a singular value crosses the threshold. As a function of the noise it may still have several minima, at most
one between two noises at which a singular value crosses, so the search looks between all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
_GRID = 256  # noises tried at once, evenly spaced in the logarithm
_ROUNDS = 5  # each divides the interval by 127; after them rounding hides what is left of it
_EPS = np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class EvbmfResult:
    """The low-rank part of a matrix (rows, columns).

    Attributes:
        rank: number of singular values above the threshold.
        noise: variance of one entry's noise.
        left: singular vectors (rows, rank).
        values: the shrunk singular values (rank,), falling.
        right: singular vectors (rank, columns).
    """

    rank: int
    noise: float
    left: Array
    values: Array
    right: Array


def evbmf(matrix: npt.NDArray[np.floating], noise: float | None = None) -> EvbmfResult:
    """Split a matrix into a low-rank part and noise.

    Where the noise is estimated, fewer than L / (1 + L / M) singular values can be signal: fewer than half of a square
    matrix, one of two long rows, none of a single row.

    Args:
        matrix: (rows, columns), tall or wide.
        noise: variance of one entry's noise; None estimates it.

    Raises:
        ValueError: not a matrix, empty, not finite, or the noise is negative or not finite.
    """
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"evbmf: need a matrix that is not empty, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("evbmf: the matrix has values that are not finite")
    if noise is not None and not 0.0 <= noise < np.inf:
        raise ValueError(f"evbmf: noise: need a finite variance, got {noise}")
    if matrix.shape[0] > matrix.shape[1]:
        return _transposed(evbmf(matrix.T, noise))
    left, s, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    # All that follows is in units of the largest singular value, whose square could overflow or vanish.
    scale = float(s[0]) or 1.0
    s, wide = s / scale, matrix.shape[1]
    alpha = len(s) / wide
    tau = _tau(alpha)
    edge = (1 + tau) * (1 + alpha / tau)  # of x
    variance = _noise(s, wide, alpha, edge) if noise is None else noise / scale / scale
    rank = int((s**2 > max(edge * wide * variance, (wide * _EPS) ** 2)).sum())
    values = scale * _shrunk(s[:rank], len(s), wide, variance)
    return EvbmfResult(rank, variance * scale * scale, left[:, :rank], values, right[:rank])


def _transposed(evbmf_result: EvbmfResult) -> EvbmfResult:
    return EvbmfResult(
        evbmf_result.rank, evbmf_result.noise, evbmf_result.right.T, evbmf_result.values, evbmf_result.left.T
    )


def _tau(alpha: float) -> float:
    """The zero of phi(tau) + phi(tau / alpha), phi(z) = log(z + 1) / z - 1 / 2, by bisection: phi falls."""
    low, high = 1e-3 * alpha, 3.0
    for _ in range(60):
        tau = (low + high) / 2
        above = np.log1p(tau) / tau + np.log1p(tau / alpha) * alpha / tau > 1.0
        low, high = (tau, high) if above else (low, tau)
    return (low + high) / 2


def _shrunk(s: Array, tall: int, wide: int, noise: float) -> Array:
    """The posterior mean of singular values above the threshold."""
    left_over = 1 - (tall + wide) * noise / s**2
    return s / 2 * (left_over + np.sqrt(left_over**2 - 4 * tall * wide * noise**2 / s**4))


def _noise(s: Array, wide: int, alpha: float, edge: float) -> float:
    """The variance of least free energy between the authors' bounds; `s` falls from 1, or is all zeros."""
    square = np.maximum(s, _EPS * s[0]) ** 2  # what an SVD cannot tell from zero
    most = int(np.ceil(len(s) / (1 + alpha))) - 1  # more singular values are never signal
    low = max(square[most] / (wide * edge), square[most:].mean() / wide)
    high = square.mean() / wide
    if low >= high:
        return float(high)
    crossings = square / (wide * edge)
    grid = np.sort(np.concatenate([np.geomspace(low, high, _GRID), crossings[(crossings > low) & (crossings < high)]]))
    for _ in range(_ROUNDS):
        best = int(_free_energy(grid, square / wide, alpha, edge).argmin())
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        grid = np.geomspace(low, high, _GRID)
    return float(grid[int(_free_energy(grid, square / wide, alpha, edge).argmin())])


def _free_energy(noises: Array, square: Array, alpha: float, edge: float) -> Array:
    """What the noise minimizes, up to a factor and a constant, at every noise; `square` is s^2 / M."""
    x = square / noises[:, None]
    over = np.maximum(x, edge) - (1 + alpha)
    tau = (over + np.sqrt(over**2 - 4 * alpha)) / 2
    # x - tau is written as 1 + alpha + alpha / tau: where x is 1e15, the difference of the two has no digits left.
    signal = 1 + alpha + alpha / tau + np.log1p(tau) + alpha * np.log1p(tau / alpha)
    return np.asarray((np.where(x > edge, signal, x) - np.log(x)).sum(axis=1))

"""EVBMF against planted ranks, against variational Bayes by iteration, and at the edges of what a matrix may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leansort.compress.low_rank.evbmf import EvbmfResult, evbmf

Array = npt.NDArray[np.float64]


def reconstruct(result: EvbmfResult) -> Array:
    """The posterior mean (rows, columns) of the matrix without its noise."""
    product: Array = (result.left * result.values) @ result.right
    return product


@dataclass(frozen=True)
class Planted:
    """Low rank and noise; `strength` is the smallest planted singular value over the largest one of noise alone."""

    rows: int
    columns: int
    rank: int
    strength: float
    noise: float
    seed: int

    def clean(self) -> Array:
        drawn = np.random.default_rng(self.seed)
        left, right = (np.linalg.qr(drawn.normal(size=(n, self.rank)))[0] for n in (self.rows, self.columns))
        edge = math.sqrt(self.noise) * (math.sqrt(self.rows) + math.sqrt(self.columns))
        values = edge * self.strength * drawn.uniform(1.0, 3.0, self.rank)
        product: Array = left * values @ right.T
        return product

    def matrix(self) -> Array:
        drawn = np.random.default_rng(self.seed + 1)
        return self.clean() + math.sqrt(self.noise) * drawn.normal(size=(self.rows, self.columns))

    def findable(self) -> bool:
        """Clearly above the noise, and few: of a square matrix less than half of the singular values can be signal."""
        return self.strength >= 2.0 and self.rank <= 0.4 * min(self.rows, self.columns)


planted = st.builds(
    Planted, st.integers(10, 200), st.integers(10, 200), st.integers(0, 10), st.floats(0.1, 16.0),
    st.sampled_from([1e-8, 1e-2, 1.0, 1e4]), st.integers(0, 2**32),
)  # fmt: skip


def test_planted_ranks_are_found_and_tall_is_wide() -> None:
    """Of 200 draws every one must be the same tall and wide; of what can be found 95 % must be, and little else."""
    drawn: list[tuple[Planted, int]] = []

    @settings(max_examples=200, derandomize=True, database=None, deadline=None)
    @given(planted)
    def draw(case: Planted) -> None:
        matrix = case.matrix()
        result, turned = evbmf(matrix), evbmf(matrix.T)
        assert result.rank == turned.rank
        assert result.noise == pytest.approx(turned.noise, rel=1e-6)
        np.testing.assert_allclose(reconstruct(result), reconstruct(turned).T, atol=1e-7 * np.abs(matrix).max())
        drawn.append((case, result.rank))

    draw()
    findable = [case.rank == rank for case, rank in drawn if case.findable()]
    assert len(drawn) >= 200
    assert len(findable) >= 60  # a smaller number would say little
    assert np.mean(findable) >= 0.95
    assert np.mean([rank <= case.rank for case, rank in drawn]) >= 0.95


def test_what_is_below_the_noise_is_lost() -> None:
    assert [evbmf(Planted(60, 90, 3, 0.25, 1.0, seed).matrix()).rank for seed in range(5)] == [0] * 5


def iterated(s: npt.NDArray[Any], noises: npt.NDArray[Any], tall: int, wide: int) -> tuple[Array, Array]:
    """Variational Bayes of one component at a time by coordinate descent, which knows nothing of the closed form.

    In the basis of the singular vectors the factors' means are a (wide) and b (tall) with variances va, vb and priors
    ca, cb. Returned are, for each noise and singular value, the mean a b of the product and twice the free energy
    above that of no component.
    """
    s, noise = s[None, :], noises[:, None]
    a = b = np.sqrt(s) * np.ones_like(noise)
    va = vb = ca = cb = np.ones_like(a)
    for _ in range(1000):
        va = noise / (b**2 + tall * vb + noise / ca)
        a = s * b * va / noise
        vb = noise / (a**2 + wide * va + noise / cb)
        b = s * a * vb / noise
        ca, cb = a**2 / wide + va, b**2 / tall + vb
    energy = wide * np.log(ca / va) + tall * np.log(cb / vb)
    return a * b, energy + ((a**2 + wide * va) * (b**2 + tall * vb) - 2 * a * b * s) / noise


@pytest.mark.parametrize(("rows", "columns", "rank"), [(8, 30, 2), (12, 12, 1), (40, 10, 3), (9, 11, 0)])
def test_the_closed_form_is_what_iterating_finds(rows: int, columns: int, rank: int) -> None:
    matrix = Planted(rows, columns, rank, 1.5, 0.3, seed=rows).matrix()
    tall, wide = sorted((rows, columns))
    s = np.linalg.svd(matrix, compute_uv=False)
    result = evbmf(matrix)
    for noises, step in ((np.geomspace(0.03, 3.0, 500), 0.01), (result.noise * np.linspace(0.998, 1.002, 201), 4e-5)):
        means, energy = iterated(s, noises, tall, wide)
        total = tall * wide * np.log(noises) + (s**2).sum() / noises + np.minimum(energy, 0.0).sum(axis=1)
        best = int(total.argmin())
        assert result.noise == pytest.approx(noises[best], rel=step)
    assert result.rank == rank == int((energy[best] < 0).sum())
    np.testing.assert_allclose(evbmf(matrix, noises[best]).values, means[best, :rank], rtol=1e-6)


@pytest.mark.parametrize(("tall", "wide", "most"), [(100, 100, 5.5), (100, 400, 3.0), (100, 10000, 1.5)])
def test_the_threshold_is_where_a_component_begins_to_pay(tall: int, wide: int, most: float) -> None:
    """At the smallest ratio of the sides the constant that the authors approximate is off by 11 %."""
    s = np.sqrt(wide * np.linspace(most, 1.1, tall))
    _, energy = iterated(s, np.ones(1), tall, wide)
    wanted = int((energy < 0).sum())
    assert 5 < wanted < tall
    assert evbmf(np.diag(s) @ np.eye(tall, wide), 1.0).rank == wanted


def test_the_noise_is_that_of_the_entries() -> None:
    case = Planted(120, 300, 7, 3.0, 0.04, seed=5)
    result = evbmf(case.matrix())
    assert result.noise == pytest.approx(0.04, rel=0.03)
    assert evbmf(case.matrix(), 0.04).rank == result.rank == 7
    assert evbmf(case.matrix(), 400.0).rank == 0  # all of it would be noise


def test_shrinking_brings_the_matrix_nearer_to_the_clean_one() -> None:
    case = Planted(50, 80, 4, 1.2, 1.0, seed=3)
    matrix, result = case.matrix(), evbmf(case.matrix())
    left, s, right = np.linalg.svd(matrix, full_matrices=False)
    truncated = left[:, :4] * s[:4] @ right[:4]
    assert (result.left.shape, result.values.shape, result.right.shape) == ((50, 4), (4,), (4, 80))
    assert (result.values < s[:4]).all()
    assert (np.diff(result.values) < 0).all()

    def off(other: Array) -> float:
        return float(np.linalg.norm(other - case.clean()))

    assert off(reconstruct(result)) < off(truncated) < off(matrix)


@pytest.mark.parametrize("scale", [1e-170, 1e-6, 3.0, 1e150])
def test_the_unit_does_not_matter(scale: float) -> None:
    matrix = Planted(20, 30, 3, 3.0, 1.0, seed=2).matrix()
    item, other = evbmf(matrix), evbmf(scale * matrix)
    assert other.rank == item.rank == 3
    assert other.noise == pytest.approx(item.noise * scale * scale, rel=1e-6)
    np.testing.assert_allclose(other.values, scale * item.values, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (6, 8), (2, 1000)])
def test_zeros_have_neither_rank_nor_noise(shape: tuple[int, int]) -> None:
    result = evbmf(np.zeros(shape))
    assert (result.rank, result.noise) == (0, 0.0)
    assert np.array_equal(reconstruct(result), np.zeros(shape))


def test_one_row_is_all_noise_unless_the_noise_is_known() -> None:
    row = np.array([[3.0, -4.0, 0.0, 1.0]])
    for matrix in (row, row.T):
        assert evbmf(matrix).rank == 0
        assert evbmf(matrix).noise == pytest.approx(26 / 4)
        assert evbmf(matrix, 1e-6).rank == 1
        np.testing.assert_allclose(reconstruct(evbmf(matrix, 1e-6)), matrix, atol=1e-5)
    assert evbmf(np.array([[2.0]])).rank == 0


def test_a_matrix_without_noise_has_its_own_rank() -> None:
    clean = Planted(30, 20, 4, 3.0, 1.0, seed=1).clean()
    for result in (evbmf(clean), evbmf(clean, 0.0), evbmf(clean.T), evbmf(np.diag([4.0, 3.0, 2.0, 1.0] + 8 * [0.0]))):
        assert result.rank == 4
        assert result.noise < 1e-20
    np.testing.assert_allclose(reconstruct(evbmf(clean)), clean, atol=1e-9)


@pytest.mark.parametrize("strength", [2.0, 1e3, 1e6, 1e9])
def test_however_strong_the_signal_the_noise_behind_it_is_seen(strength: float) -> None:
    """A regression: the free energy as it is usually written has no digits left where signals are strong."""
    cases = [Planted(30, 20, 4, strength, 1.0, seed) for seed in range(10)]
    assert [evbmf(case.matrix()).rank for case in cases] == [4] * 10
    assert np.mean([evbmf(case.matrix()).noise for case in cases]) == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize(
    ("matrix", "noise", "part"),
    [
        (np.array([[1.0, np.nan]]), None, "not finite"),
        (np.array([[1.0], [np.inf]]), None, "not finite"),
        (np.ones(3), None, r"got shape \(3,\)"),
        (np.ones((0, 3)), None, r"got shape \(0, 3\)"),
        (np.ones((2, 3)), -1.0, "got -1.0"),
        (np.ones((2, 3)), math.nan, "got nan"),
        (np.ones((2, 3)), math.inf, "got inf"),
    ],
)
def test_what_is_no_matrix_is_refused(matrix: Array, noise: float | None, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        evbmf(matrix, noise)

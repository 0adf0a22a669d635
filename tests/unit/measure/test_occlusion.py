"""Evidence by occlusion, on graphs that are known to look at one place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from leansort.measure.explanation.occlusion import BATCH, CELLS, occlusion_map

SIDE = 64
Graph = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


def looks_at(rows: slice, columns: slice) -> tuple[npt.NDArray[np.uint8], Graph]:
    """A picture that is bright in one place, and a graph whose second class is how bright that place is."""
    x_hwc = np.zeros((SIDE, SIDE, 3), np.uint8)
    x_hwc[rows, columns] = 255

    def run(x_bhwc: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        assert len(x_bhwc) <= BATCH
        bright = x_bhwc[:, rows, columns].mean(axis=(1, 2, 3)) / 25.5
        return np.stack([np.zeros_like(bright), bright, -bright], axis=1).astype(np.float32)

    return x_hwc, run


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 5), (7, 7)])
def test_the_strongest_cell_is_where_the_graph_looks(row: int, column: int) -> None:
    cell = SIDE // CELLS
    x_hwc, run = looks_at(slice(row * cell, (row + 1) * cell), slice(column * cell, (column + 1) * cell))
    found = occlusion_map(run, x_hwc, 1)
    assert found is not None
    assert found.strongest == (row, column)
    assert found.shares[row, column] == 1
    assert found.whole > 0.99
    assert found.covered < 0.5
    far = found.shares[(row + 4) % CELLS, (column + 4) % CELLS]
    assert far == 0


def test_a_class_that_gains_from_the_cover_has_no_evidence() -> None:
    x_hwc, run = looks_at(slice(0, 8), slice(0, 8))
    found = occlusion_map(run, x_hwc, 0)
    assert found is not None
    assert found.fall.min() < -1
    assert not found.shares.any()


def test_the_picture_itself_is_left_as_it_is() -> None:
    x_hwc, run = looks_at(slice(0, 8), slice(0, 8))
    before = x_hwc.copy()
    occlusion_map(run, x_hwc, 1)
    assert np.array_equal(before, x_hwc)


def test_a_sure_network_has_evidence_all_the_same() -> None:
    """The probability is 1 to sixteen digits under any cover; the log-odds still fall."""
    x_hwc, run = looks_at(slice(0, 8), slice(0, 8))
    sure = occlusion_map(lambda x: run(x) + np.array([0, 60, 0], np.float32), x_hwc, 1)
    assert sure is not None
    assert sure.covered > 0.999999
    assert sure.strongest == (0, 0)
    assert sure.shares.max() == 1


@pytest.mark.parametrize("size", [4, 7])
def test_pictures_of_fewer_pixels_than_cells_have_no_map(size: int) -> None:
    x_hwc = np.zeros((size, size, 3), np.uint8)
    assert occlusion_map(lambda x: np.zeros((len(x), 2), np.float32), x_hwc, 0) is None


def test_numbers_that_are_not_finite_give_no_map() -> None:
    x_hwc = np.zeros((32, 32, 3), np.uint8)
    assert occlusion_map(lambda x: np.full((len(x), 2), np.nan, np.float32), x_hwc, 0) is None
    single = occlusion_map(lambda x: np.zeros((len(x), 1), np.float32), x_hwc, 0)
    assert single is not None
    assert not single.shares.any()

"""Evidence by occlusion (Zeiler and Fergus 2014, arXiv:1311.2901): cover a part of the picture and look again.

It needs no gradients, so it is computed on the very graph that is deployed, int8 or cut as it is, by its own engine.
What is told is how far the log-odds of a class fall. The probability itself would hide it: where a network is sure,
0.9999 stays 0.999, whatever is covered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leansort.runtime.predictor import softmax

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]
CELLS = 8  # across and down
WINDOW = 2  # cells that are covered at once, across and down: one alone is too small to matter to most networks
BATCH = 16  # covered pictures in a call of the engine
ENOUGH = 0.05  # of the log-odds: what changes less is no evidence


@dataclass(frozen=True)
class EvidenceMap:
    """What each part of a picture adds to a class.

    Attributes:
        fall: mean fall of the class's log-odds over the windows that cover each cell, (CELLS, CELLS); below 0 where
            the class gains from the cover.
        whole: probability of the class on the whole picture, 0 to 1.
        covered: the least probability of the class under any window.
    """

    fall: Floats
    whole: float
    covered: float

    @property
    def strongest(self) -> tuple[int, int]:
        """Row and column of the cell whose cover costs the class most, from 0."""
        row, column = np.unravel_index(int(self.fall.argmax()), self.fall.shape)
        return int(row), int(column)

    @property
    def shares(self) -> Floats:
        """The falls from 0 to 1, by the largest one; all 0 where no cover costs the class anything."""
        most = float(self.fall.max())
        return np.clip(self.fall, 0, None) / most if most > ENOUGH else np.zeros_like(self.fall)


def occlusion_map(
    run: Callable[[Pixels], Logits], x_hwc: Pixels, label: int, temperature: float = 1.0
) -> EvidenceMap | None:
    """Cover a picture part by part with its own mean colour.

    Args:
        run: the graph: uint8 RGB (b, size, size, 3) to logits (b, classes).
        x_hwc: the picture as the graph gets it, (size, size, 3), of at least `CELLS` pixels.
        label: index of the class whose evidence is looked for.
        temperature: that logits are divided by.

    Returns:
        The map; None where the picture is too small, or the graph gives numbers that are not finite.
    """
    edges = np.linspace(0, x_hwc.shape[0], CELLS + 1).round().astype(int)
    if (np.diff(edges) < 1).any():
        return None
    corners = [(row, column) for row in range(CELLS - WINDOW + 1) for column in range(CELLS - WINDOW + 1)]
    pictures = [x_hwc, *(_covered(x_hwc, edges, row, column) for row, column in corners)]
    logits = np.concatenate(
        [run(np.ascontiguousarray(pictures[at : at + BATCH])) for at in range(0, len(pictures), BATCH)]
    )
    if not np.isfinite(logits).all():
        return None
    exact = logits.astype(np.float64) / temperature
    odds, probabilities = _log_odds(exact, label), softmax(exact)[:, label]
    total, times = np.zeros((CELLS, CELLS)), np.zeros((CELLS, CELLS))
    for (row, column), value in zip(corners, odds[1:], strict=True):
        total[row : row + WINDOW, column : column + WINDOW] += odds[0] - value
        times[row : row + WINDOW, column : column + WINDOW] += 1
    return EvidenceMap(total / times, float(probabilities[0]), float(probabilities[1:].min()))


def _covered(x_hwc: Pixels, edges: npt.NDArray[np.int_], row: int, column: int) -> Pixels:
    covered = x_hwc.copy()
    rows, columns = (slice(edges[at], edges[at + WINDOW]) for at in (row, column))
    covered[rows, columns] = x_hwc.mean(axis=(0, 1)).round().astype(np.uint8)
    return covered


def _log_odds(logits: Floats, label: int) -> Floats:
    """Log-odds of a class against all others, (n,); of a single class 0."""
    others = np.delete(logits, label, axis=1)
    if not others.shape[1]:
        return np.zeros(len(logits))
    most = others.max(axis=1)
    return np.asarray(logits[:, label] - most - np.log(np.exp(others - most[:, None]).sum(axis=1)), np.float64)

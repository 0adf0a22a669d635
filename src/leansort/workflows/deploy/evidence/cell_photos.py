"""Which photos stand behind each cell of the confusion matrix, and how many of them a page can hold."""

from __future__ import annotations

from collections.abc import Sequence

from leansort.measure.accuracy.ground_truth import GroundTruth
from leansort.report.parts.evidence_content import CellPhoto, MatrixCell
from leansort.runtime.predictor import Prediction
from leansort.workflows.deploy.evidence.small_pictures import SMALL, thumbnail

MOST_WRONG, MOST_RIGHT = 12, 6  # photos of one cell
QUALITY = 70
_Cell = tuple[int, int]


def matrix_cells(
    predictions: Sequence[Prediction], truth: GroundTruth, most: int
) -> tuple[dict[_Cell, MatrixCell], str]:
    """The photos by (true class, predicted class), and a sentence on which they are.

    Args:
        predictions: in the order of `truth`.
        truth: of the scored split.
        most: photos of all cells together; cells of confused classes come first, the largest of them before others.
    """
    if not most:
        return {}, ""
    groups = _grouped(predictions, truth)
    ordered = sorted(groups, key=lambda cell: (cell[0] == cell[1], -len(groups[cell]), cell))
    cells, left = dict[_Cell, MatrixCell](), most
    for row, column in ordered:
        group = groups[row, column]
        shown = _ordered(group, right=row == column)[:left]
        left -= len(shown)
        if shown:
            photos = tuple(
                CellPhoto(name, thumbnail(truth.files[name], SMALL, QUALITY), prediction.probability)
                for name, prediction in shown
            )
            cells[row, column] = MatrixCell(photos, len(group))
    return cells, _sentence(most, len(groups) - len(cells))


def _grouped(predictions: Sequence[Prediction], truth: GroundTruth) -> dict[_Cell, list[tuple[str, Prediction]]]:
    column = {name: at for at, name in enumerate(truth.labels.names)}
    groups: dict[_Cell, list[tuple[str, Prediction]]] = {}
    for (name, row), prediction in zip(truth.index.items(), predictions, strict=True):
        if not prediction.error and prediction.label in column and name in truth.files:
            groups.setdefault((row, column[prediction.label]), []).append((name, prediction))
    return groups


def _ordered(group: Sequence[tuple[str, Prediction]], *, right: bool) -> list[tuple[str, Prediction]]:
    """Wrong labels that were given with the highest probability first, right ones with the lowest."""
    if right:
        return sorted(group, key=lambda entry: (entry[1].probability, entry[0]))[:MOST_RIGHT]
    return sorted(group, key=lambda entry: (-entry[1].probability, entry[0]))[:MOST_WRONG]


def _sentence(most: int, without: int) -> str:
    left = f" {without} {'cell has' if without == 1 else 'cells have'} none for want of room." if without else ""
    return (
        f"Of a wrong cell there are at most {MOST_WRONG}, those with the highest probability; of a right one at most "
        f"{MOST_RIGHT}, those with the lowest; together at most {most:,}, of {SMALL.size} px, so that the page stays "
        f"small.{left}"
    )

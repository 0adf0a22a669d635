"""Writes a comparison as a page, with the photos of what changed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.writing import atomic_io
from leansort.measure.accuracy.ground_truth import GroundTruth
from leansort.measure.comparison.comparison_result import ComparisonResult
from leansort.measure.comparison.multiple_comparison import MultipleComparisonResult
from leansort.report.comparison.answer_changes import shown_changes
from leansort.report.comparison.comparison_page import comparison_page
from leansort.report.comparison.multiple_comparison_page import multiple_comparison_page
from leansort.workflows.deploy.evidence.small_pictures import SMALL, thumbnail


def require_page(page: Path) -> None:
    """Refuse a place where no page can be written, before minutes are spent on what it would show.

    Raises:
        UserError: it is a folder.
    """
    if page.is_dir():
        raise UserError(f"compare: --page {page} is a folder; name a file, such as {page / 'compare.html'}")


def write_comparison(result: ComparisonResult, truth: GroundTruth, page: Path) -> None:
    """Write the page of two.

    Args:
        result: of the comparison.
        truth: whose files are the photos; where it has none, the page names them only.
        page: the file.

    Raises:
        MissingExtraError: Jinja2 is not installed.
        MachineError: it cannot be written.
    """
    atomic_io.write_text(page, comparison_page(result, _thumbnails(shown_changes(result.changes), truth)))


def write_multiple_comparison(result: MultipleComparisonResult, truth: GroundTruth, page: Path) -> None:
    """Write the page of several; arguments and errors are those of `write_comparison`."""
    shown = {name for other in result.others for name in shown_changes(other.changes)}
    atomic_io.write_text(page, multiple_comparison_page(result, _thumbnails(shown, truth)))


def _thumbnails(names: Iterable[str], truth: GroundTruth) -> dict[str, bytes]:
    return {name: thumbnail(truth.files[name], SMALL, quality=70) for name in names if name in truth.files}

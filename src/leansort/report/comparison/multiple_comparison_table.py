"""A comparison of several classifiers as tables for the terminal."""

from __future__ import annotations

from leansort.core.writing.escaping import printable
from leansort.measure.comparison import multiple_comparison_rows
from leansort.measure.comparison.multiple_comparison import MultipleComparisonResult
from leansort.report.comparison_table import laid_out, source_line


def multiple_comparison_text(result: MultipleComparisonResult) -> str:
    """A row a classifier, F1 by class, what was left out, and the verdict as the last line."""
    overview, classes = multiple_comparison_rows.overview(result), multiple_comparison_rows.class_scores(result)
    parts = [
        "\n".join(f"{member.name}  {source_line(member.classifier)}" for member in result.members),
        laid_out(overview.head, overview.rows),
        laid_out(classes.head, classes.rows),
        f"{result.crops:,} crops of {printable(result.truth)}",
        *([f"timed in turns, all in one run, on {result.machine}"] if result.machine else []),
        "\n".join(result.remarks),
        result.verdict,
    ]
    return "\n\n".join(parts)

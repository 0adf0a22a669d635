"""A stress test as a table for the terminal: a row for each kind, macro-F1 by level, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence

from leansort.core.text.columns import align_columns
from leansort.core.writing.escaping import printable
from leansort.measure.robustness.stress_result import CutOuts, StressedBundle, StressResult, stress_sentence

_NAMED = 5  # crops that could not be cut out, in a line


def stress_text(result: StressResult) -> str:
    """The tables, one for each bundle, what could not be cut out, notes, and the sentences as the last lines."""
    parts = [f"{result.crops:,} crops of {result.truth}, {result.macro_f1_classes}, corrupted at {result.side} px"]
    for item in result.bundles:
        parts += [f"\n{item.path} on {item.engine}", align_columns(stress_rows(item, result.levels), left=1)]
    notes = [*([cut_out_line(result.cut_outs)] if result.cut_outs else []), *map(printable, result.notes)]
    parts += ["", *notes] if notes else []
    parts += [f"\n{result.page}"] if result.page else []
    return "\n".join([*parts, "", *(f"{item.path}: {stress_sentence(item)}" for item in result.bundles)])


def stress_rows(item: StressedBundle, levels: Sequence[int]) -> list[list[str]]:
    """A bundle's table with its head: clean, then every kind."""
    at = item.summary.level
    head = ["kind", "clean", *(f"level {level}" for level in levels)]
    rows = [[*head, f"kept at {at}", f"accuracy at {at}", f"confidence at {at}", "crops"]]
    for curve in item.kinds:
        middle = curve.at(at)
        figures = [f"{score.macro_f1.value:.3f}" for score in (curve.clean, *curve.levels)]
        more = [f"{middle.kept:.0%}", f"{middle.accuracy:.3f}", f"{middle.confidence:.3f}", f"{curve.crops:,}"]
        rows.append([curve.kind, *figures, *more])
    return rows


def cut_out_line(cut_outs: CutOuts) -> str:
    """How many objects were cut out, and which were not."""
    told = f"cut out: {cut_outs.by_polygon:,} objects by polygon, {cut_outs.by_colour:,} by colour"
    if not cut_outs.not_cut:
        return told
    names = ", ".join(printable(item.image) for item in cut_outs.not_cut[:_NAMED])
    more = ", …" if len(cut_outs.not_cut) > _NAMED else ""
    return f"{told}; {len(cut_outs.not_cut):,} could not be, and are not put on other grounds: {names}{more}"

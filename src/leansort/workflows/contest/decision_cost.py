"""`leansort score --costs`: what a bundle's decisions cost, beside deciding by probability alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from leansort.core.errors import UserError
from leansort.core.text.columns import align_columns
from leansort.core.writing.escaping import printable
from leansort.measure.accuracy.cost_score import NOTHING, CostScore, DecidedImages, RuleScore, score_rules
from leansort.runtime.decisions.costs import DecisionCosts
from leansort.runtime.predictor import Prediction

WHAT = "score --costs"


def score_costs(
    file: Path, costs: DecisionCosts, known: Mapping[str, tuple[Prediction, int]], unknown: DecidedImages | None
) -> CostScore:
    """Compare decisions by least expected cost with those by probability.

    Args:
        file: with the costs.
        costs: its content.
        known: prediction and class index of each labelled image, by its name.
        unknown: images of none of the classes; None where there are none.

    Raises:
        UserError: no image could be read.
    """
    read = [(item, truth) for item, truth in known.values() if not item.error]
    if not read:
        raise UserError(f"{WHAT}: none of the {len(known):,} images can be read")
    notes = [f"{len(known) - len(read):,} images that cannot be read count in no row"] * (len(read) < len(known))
    if costs.unknown and unknown is None:
        notes.append("unknown things enter the decisions and not the means: give photos of some with --unknown")
    if unknown is not None and costs.unknown is None:
        notes.append(f"the photos of --unknown count in no row: {printable(str(file))} has no costs of unknown things")
        unknown = None
    images = DecidedImages(
        np.array([item.probabilities for item, _ in read]),
        tuple(item.known for item, _ in read),
        np.array([truth for _, truth in read], np.int64),
    )
    return CostScore(
        file=str(file),
        known=len(read),
        unknown=0 if unknown is None else len(unknown.truth),
        share=costs.unknown.share if costs.unknown and unknown is not None else 0.0,
        rules=score_rules(costs, images, unknown),
        notes=tuple(f"costs: {line}" for line in notes),
    )


def cost_table(scored: CostScore) -> str:
    """As lines of text."""
    rows = [["decision by", "mean cost (95 %)", "expected", "coverage", "accuracy", "macro-F1"]]
    rows[0] += [*["unknown accepted"] * bool(scored.unknown), "least expected cost saves (95 %)"]
    for row in scored.rules:
        rows.append([
            _name(row),
            f"{row.cost.value:.4f} ({row.cost.low:.4f} – {row.cost.high:.4f})",
            f"{row.expected:.4f}",
            f"{row.coverage:.1%}",
            *("–" if value is None else f"{value:.4f}" for value in (row.accuracy, row.macro_f1)),
            *([] if row.unknown_accepted is None else [f"{row.unknown_accepted:.1%}"]),
            "–" if row.saved is None else f"{row.saved.value:+.4f} ({row.saved.low:+.4f} – {row.saved.high:+.4f})",
        ])  # fmt: skip
    over = f"{scored.known:,} known photos"
    if scored.unknown:
        over += f" and {scored.unknown:,} unknown ones, which are {scored.share:.1%} of all"
    return "\n".join([
        f"costs of {printable(scored.file)}, a photo, over {over}; accuracy and macro-F1 of what is accepted",
        align_columns(rows, left=1),
        "the best threshold is the one that costs least on these very photos",
        *scored.notes,
    ])  # fmt: skip


def _name(row: RuleScore) -> str:
    if row.threshold is None:
        return row.rule
    return f"{row.rule} ({'rejects all' if row.threshold == NOTHING else f'{row.threshold:.3f}'})"

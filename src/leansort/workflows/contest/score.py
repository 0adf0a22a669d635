"""`leansort score`: macro-F1 with its interval, the per-class table, and the contest's scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from leansort.contest.formulas import Baselines
from leansort.contest.score_result import ListScore, ScoreResult, contest_scores
from leansort.core import bundle as bundles
from leansort.core import manifest as manifests
from leansort.core.errors import UserError
from leansort.core.run_folder import DataFolder
from leansort.core.text.columns import align_columns
from leansort.core.text.name_lists import read_names
from leansort.core.text.table_files import is_csv
from leansort.core.writing.escaping import printable
from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.ground_truth import GroundTruth
from leansort.runtime.decisions.cost_file import load_costs
from leansort.workflows.contest.answers import (
    Classify,
    classify_here,
    is_bundle,
    predicted_classes,
    read_answers,
    respelled_answers,
)
from leansort.workflows.contest.decision_cost import WHAT as COSTS
from leansort.workflows.contest.decision_cost import cost_table, score_costs
from leansort.workflows.contest.unknown_score import ScoredUnknown, score_unknown, unknown_table


def score(
    answers: Path,
    truth: Path,
    *,
    split: str = "test",
    public: Path | None = None,
    private: Path | None = None,
    seconds: float | None = None,
    base: Baselines | None = None,
    engine: str = "",
    unknown: Path | None = None,
    costs: Path | None = None,
    classify: Classify | None = None,
) -> ScoreResult:
    """Score a submission file, or a bundle, which is run first.

    Args:
        answers: a submission file or a bundle.
        truth: a manifest, a folder of class folders, or a CSV `image,label`.
        split: which split of a manifest, or of class folders that give splits.
        public: file with the image names of the public list, one a line; scored apart.
        private: likewise for the private list.
        seconds: replaces the time that the submission states.
        base: the contest's baselines.
        engine: that runs a bundle; the one that suits it where empty.
        unknown: folder of photos that show none of a bundle's classes.
        costs: file with what a bundle's decisions cost; see `runtime.decisions.cost_file`.
        classify: runs a bundle on photos elsewhere, on a cluster; None: in this process.

    Returns:
        The scores. Pictures of a bundle that cannot be read count as its first class and are among the `faults`.

    Raises:
        UserError: pictures are missing from the answers, none of a bundle's can be read, or classes are unknown or
            differ; `unknown` or `costs` are given with a file of answers, `unknown` holds nothing but known photos, or
            `costs` are not those of the bundle's classes.
    """
    if unknown is not None and not is_bundle(answers):
        raise UserError(f"score --unknown: needs a bundle, whose logits tell what is unknown; {answers} holds answers")
    if classify is not None and not is_bundle(answers):
        raise UserError(f"score --ray: needs a bundle, which a cluster runs; {answers} holds answers")
    if costs is not None and not is_bundle(answers):
        raise UserError(f"{COSTS}: needs a bundle, whose probabilities decide; {answers} holds answers")
    decision_costs = None if costs is None else load_costs(costs, bundles.load(answers).meta)
    given = read_answers(answers, truth, split, engine, classify or classify_here)
    lists = {"all": given.truth}
    for name, path in (("public", public), ("private", private)):
        if path is not None:
            names = read_names(path, f"{name} list", given.truth.index, given.truth.where)
            lists[name] = given.truth.only(names, f"{name} list {path}")
    labels, macs = given.submission.labels, given.submission.macs
    cost = given.submission.seconds if seconds is None else seconds
    parts = {
        name: _score_list(part, labels, split if name == "all" else f"{name} list") for name, part in lists.items()
    }
    told = None if unknown is None else _score_unknown(answers, given.truth, truth, unknown, engine)
    rows = [contest_scores(name, part.contest_f1, cost, macs, base or Baselines()) for name, part in parts.items()]
    return ScoreResult(
        split=split,
        truth=given.truth.where,
        seconds=cost,
        macs=float(macs),
        lists=parts,
        contest=tuple(row for both in rows for row in both),
        faults=given.faults,
        notes=(*given.truth.notes, *respelled_answers(labels.values())),
        unknown=told.score if told else None,
        costs=None if costs is None or decision_costs is None else score_costs(
            costs,
            decision_costs,
            {name: (given.predictions[name], at) for name, at in given.truth.index.items()},
            told.decided if told else None,
        ),
    )  # fmt: skip


def _score_unknown(path: Path, truth: GroundTruth, where: Path, folder: Path, engine: str) -> ScoredUnknown:
    more: dict[Path, str] = {}
    if not is_csv(where) and (where.is_file() or DataFolder(where).manifest.exists()):
        manifest = manifests.load(where)
        more = {manifest.path(row): row.hash for row in manifest.rows}  # of every split: train photos are known, too
    classes = [truth.index[name] for name in truth.files]
    return score_unknown(bundles.load(path), truth.files, classes, folder, more, engine)


def _score_list(truth: GroundTruth, labels: Mapping[str, str], where: str) -> ListScore:
    t = np.array(list(truth.index.values()))
    p = predicted_classes(truth, labels, "score")
    names = truth.labels.names
    return ListScore(
        crops=len(t),
        macro_f1=metrics.macro_f1_interval(t, p, len(names)),
        macro_f1_classes=metrics.coverage(names, np.bincount(t, minlength=len(names)).tolist()).describe(where),
        contest_f1=metrics.macro_f1(t, p, len(names)),
        accuracy=float((t == p).mean()),
        classes=tuple(metrics.per_class(t, p, names)),
        confusion=tuple(tuple(row) for row in metrics.confusion(t, p, len(names)).tolist()),
    )


def baselines(*, time_f1: float, time_s: float, macs_f1: float, macs: int) -> Baselines:
    """Check the contest's baselines.

    Args:
        time_f1: macro-F1 at which the sigmoid of the time edition is one half.
        time_s: seconds of the baseline in the time edition, above 0.
        macs_f1: macro-F1 of the baseline in the MACs edition, above 0.
        macs: multiply-adds of the baseline, above 0.

    Raises:
        UserError: a baseline is not positive.
    """
    values = {"time_f1": time_f1, "time_s": time_s, "macs_f1": macs_f1, "macs": macs}
    try:
        return Baselines.model_validate(values)
    except ValueError:
        raise UserError(f"score: baselines must be above 0; got {values}") from None


def score_table(scored: ScoreResult) -> str:
    """As lines of text."""
    lines = []
    for name, part in scored.lists.items():
        f1, over = part.macro_f1, part.macro_f1_classes
        lines.append(
            f"{name}: macro-F1 {f1.value:.4f} {over.over} (95 % {f1.low:.4f} – {f1.high:.4f}), "
            f"accuracy {part.accuracy:.4f}, {part.crops} crops"
        )
        lines += [over.note] if over.note else []
    rows = [["class", "precision", "recall", "F1", "support"]]
    for row in scored.all.classes:
        recall, f1_text = (f"{value:.4f}" if row.support else "–" for value in (row.recall, row.f1))
        rows.append([row.name, f"{row.precision:.4f}", recall, f1_text, str(row.support)])
    lines.append(align_columns(rows, left=1))
    lines += map(printable, scored.notes)
    lines += [
        f"contest, {row.edition} edition, {row.list}: {row.score:.4f} ({row.cost:,.4g} {row.unit})"
        for row in scored.contest
    ]
    lines += [unknown_table(scored.unknown)] if scored.unknown else []
    lines += [cost_table(scored.costs)] if scored.costs else []
    return "\n".join(lines)

"""`leansort score`: macro-F1 with its interval, the per-class table, and the contest's scores."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from leansort.contest import formulas, submission_file
from leansort.contest.formulas import Baselines
from leansort.core import bundle as bundles
from leansort.core.errors import UserError
from leansort.core.files import atomic_io
from leansort.core.folders.image_files import KnownNames
from leansort.core.labels import count_respelled
from leansort.core.text import text_files
from leansort.core.text.escaping import printable
from leansort.core.text.name_lists import read_names
from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.ground_truth import GroundTruth, read_ground_truth


@dataclass(frozen=True)
class ScoredAnswers:
    """What was said, what is true, and what it cost."""

    truth: GroundTruth
    said: dict[str, str]
    seconds: float
    macs: float
    faults: list[str] = field(default_factory=list)


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
) -> dict[str, Any]:
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

    Returns:
        Plain data: macro-F1 with interval and the classes that it was taken over, per-class table, confusion matrix,
        contest scores, `notes` on labels and on files passed over, and of a bundle the `faults`: pictures that could
        not be read, which count as its first class.

    Raises:
        UserError: pictures are missing from the answers, none of a bundle's can be read, or classes are unknown or
            differ.
    """
    scored = _scored(answers, truth, split, engine)
    lists = {"all": scored.truth}
    for name, path in (("public", public), ("private", private)):
        if path is not None:
            names = read_names(path, f"{name} list", scored.truth.index, scored.truth.where)
            lists[name] = scored.truth.only(names, f"{name} list {path}")
    cost = scored.seconds if seconds is None else seconds
    parts = {name: _part(part, scored.said, split if name == "all" else f"{name} list") for name, part in lists.items()}
    rows = [row for name, part in parts.items() for row in _contest(name, part, cost, scored.macs, base or Baselines())]
    return {
        "truth": scored.truth.where, "seconds": cost, "macs": scored.macs, "lists": parts, "contest": rows,
        "faults": scored.faults, "notes": [*scored.truth.notes, *_retold(scored.said.values())],
    }  # fmt: skip


def _retold(answers: Iterable[str]) -> list[str]:
    """Answers that were taken for a class that is spelled otherwise."""
    return [f"predictions: {told}, {times} crop{'s' * (times > 1)}" for told, times in count_respelled(answers).items()]


def _scored(answers: Path, truth_path: Path, split: str, engine: str) -> ScoredAnswers:
    if answers.is_file() and (answers.suffix == ".leansort" or zipfile.is_zipfile(answers)):
        return _run(answers, truth_path, split, engine)
    text, seconds, macs = submission_file.read_submission(text_files.read_json(answers, "submission"), str(answers))
    truth = read_ground_truth(truth_path, split).among(text.values())
    return ScoredAnswers(truth, _respelled(text, truth), seconds, macs)


def _respelled(texts: dict[str, str], truth: GroundTruth) -> dict[str, str]:
    """Answers by the names of the ground truth, also where the submission has them in another Unicode form."""
    known = KnownNames(texts)
    meant = {known.match(name, "submission"): name for name in truth.index if name not in texts}
    return {name if name in truth.index else meant.get(name, name): label for name, label in texts.items()}


def _run(path: Path, truth_path: Path, split: str, engine: str) -> ScoredAnswers:
    from leansort.workflows.contest.submit import submit

    labels = bundles.load(path).labels
    truth = read_ground_truth(truth_path, split, labels)
    labels.require_same(truth.labels, "the bundle", truth.where)
    with atomic_io.scratch() as folder:
        tree, faults = submit(path, list(truth.files.values()), folder / "answers.json", engine=engine)
    if len(faults) == len(truth.files):
        raise UserError(f"score: none of the {len(faults)} pictures can be read, first {faults[0]}")
    return ScoredAnswers(truth, tree["inference"], tree["time"]["runtime"]["all"], tree["macs"], faults)


def _part(truth: GroundTruth, texts: dict[str, str], where: str) -> dict[str, Any]:
    missing = [name for name in truth.index if name not in texts]
    if missing:
        raise UserError(f"score: {len(missing)} of {len(truth.index)} pictures have no answer, first {missing[0]}")
    t = np.array(list(truth.index.values()))
    p = np.array([truth.labels.index(texts[name], f"answer for {name}") for name in truth.index])
    names = truth.labels.names
    over = metrics.coverage(names, np.bincount(t, minlength=len(names)).tolist())
    return {
        "crops": len(t),
        "macro_f1": asdict(metrics.macro_f1_interval(t, p, len(names))),
        "macro_f1_classes": {**over.to_json(), "over": str(over), "note": over.sentence(where)},
        "contest_f1": metrics.macro_f1(t, p, len(names)),
        "accuracy": float((t == p).mean()),
        "classes": [asdict(row) for row in metrics.per_class(t, p, names)],
        "confusion": metrics.confusion(t, p, len(names)).tolist(),
    }


def _contest(name: str, part: dict[str, Any], seconds: float, macs: float, base: Baselines) -> list[dict[str, Any]]:
    f1 = part["contest_f1"]
    return [
        {"edition": "time", "list": name, "f1": f1, "cost": seconds, "unit": "s",
         "score": formulas.time_score(f1, seconds, base)},
        {"edition": "macs", "list": name, "f1": f1, "cost": macs, "unit": "MACs",
         "score": formulas.macs_score(f1, macs, base)},
    ]  # fmt: skip


def baselines(**values: Any) -> Baselines:
    """Check the contest's baselines.

    Raises:
        UserError: a baseline is not positive.
    """
    try:
        return Baselines(**values)
    except ValueError:
        raise UserError(f"score: baselines must be above 0; got {values}") from None


def score_table(scored: dict[str, Any]) -> str:
    """As lines of text."""
    lines = []
    for name, part in scored["lists"].items():
        f1 = part["macro_f1"]
        lines.append(
            f"{name}: macro-F1 {f1['value']:.4f} {part['macro_f1_classes']['over']} "
            f"(95 % {f1['low']:.4f} – {f1['high']:.4f}), accuracy {part['accuracy']:.4f}, {part['crops']} crops"
        )
        lines += [part["macro_f1_classes"]["note"]] if part["macro_f1_classes"]["note"] else []
    lines.append(f"{'class':20} precision  recall      F1  support")
    for row in scored["lists"]["all"]["classes"]:
        recall, f1 = (f"{row[key]:.4f}" if row["support"] else "–" for key in ("recall", "f1"))
        lines.append(f"{printable(row['name']):20} {row['precision']:9.4f} {recall:>7} {f1:>7} {row['support']:8d}")
    lines += map(printable, scored["notes"])
    for row in scored["contest"]:
        lines.append(
            f"contest, {row['edition']} edition, {row['list']}: {row['score']:.4f} ({row['cost']:,.4g} {row['unit']})"
        )
    return "\n".join(lines)

"""Answers to compare: those of a bundle, which is run, of a contest's submission file, or of a CSV of predictions."""

from __future__ import annotations

import itertools
import string
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from leansort.contest import submission_file
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.folders.image_files import KnownNames
from leansort.core.labels import count_respelled
from leansort.core.run_folder import ModelFolder
from leansort.core.text import table_files, text_files
from leansort.core.text.name_lists import file_name
from leansort.measure.accuracy.ground_truth import GroundTruth
from leansort.measure.comparison.comparison_result import AnswersKind


@dataclass(frozen=True)
class AnswerFile:
    """What one side of a comparison was read from.

    Attributes:
        side: its letter, such as `A`, for messages.
        path: of the file.
        kind: what the file is.
        labels: label by picture as the file calls it; empty of a bundle, which is still to be run.
        without_label: pictures that the file lists without a label, as those that could not be read.
        bundle: the opened bundle, else None.
        seconds: that a submission states for its whole run.
        macs: that a submission states.
    """

    side: str
    path: Path
    kind: AnswersKind
    labels: Mapping[str, str]
    without_label: tuple[str, ...] = ()
    bundle: Bundle | None = None
    seconds: float | None = None
    macs: float | None = None


def side_names(count: int) -> list[str]:
    """Names of so many sides: `A` to `Z`, then `AA`, `AB` and so on."""
    letters = (itertools.product(string.ascii_uppercase, repeat=length) for length in itertools.count(1))
    return ["".join(each) for each in itertools.islice(itertools.chain.from_iterable(letters), count)]


def find_answers(path: Path, side: str) -> Path:
    """The file that is compared: the bundle in a folder of a run or a compression, else the path itself.

    Raises:
        UserError: the folder holds no bundle.
    """
    if not path.is_dir():
        return path
    bundle = ModelFolder(path).bundle
    if not bundle.is_file():
        raise UserError(f"compare: {side}: the folder {path} holds no {bundle.name}, so it is no finished run")
    return bundle


def read_answers(path: Path, side: str) -> AnswerFile:
    """Open a bundle, that of a run, a submission file (JSON) or predictions (CSV with the columns image and label).

    Which of them a file is, its content tells: the contest calls its JSON `output.csv`.

    Args:
        path: the file, or the folder of a run or of a compression.
        side: its letter, such as `A`, for messages.

    Raises:
        UserError: there is no such file, or it is none of these.
        IntegrityError: a bundle is damaged.
    """
    path = find_answers(path, side)
    if path.suffix == ".leansort" or (path.is_file() and zipfile.is_zipfile(path)):
        return AnswerFile(side, path, "bundle", {}, bundle=bundles.load(path))
    what = f"compare: {side}"
    if text_files.read_text(path, what).lstrip().startswith("{"):
        tree = text_files.read_json(path, what)
        given = submission_file.read_submission(tree, str(path))
        return AnswerFile(side, path, "submission", given.labels, seconds=given.seconds, macs=given.macs)
    return _predictions(path, side, what)


def _predictions(path: Path, side: str, what: str) -> AnswerFile:
    """A table as `leansort predict --format csv` writes it; of its other columns none is read."""
    table = table_files.read_csv(path, what, ("image",), ("label",))
    if table.rows and "label" not in table.rows[0][1]:
        raise UserError(f"{table.where} lacks the column 'label'; it needs image and label")
    labels: dict[str, str] = {}
    for number, row in table.rows:
        if row["image"] in labels:
            raise UserError(f"{table.where} row {number} has {row['image']!r} a second time")
        labels[row["image"]] = row["label"]
    empty = tuple(name for name, label in labels.items() if not label)
    return AnswerFile(side, path, "predictions", {k: v for k, v in labels.items() if v}, without_label=empty)


def by_picture(answers: AnswerFile, truth: GroundTruth) -> tuple[dict[str, str], list[str]]:
    """The answers by the names that the ground truth has for its pictures.

    A name in a file may be longer, as a path is, or in another Unicode form.

    Returns:
        The label by picture, and notes: pictures that the ground truth does not have, labels spelled otherwise.

    Raises:
        UserError: two answers are of one picture.
    """
    known = KnownNames(truth.index)
    result: dict[str, str] = {}
    unknown: list[str] = []
    for name, label in answers.labels.items():
        meant = _meant(name, known)
        if meant is None:
            unknown.append(name)
        elif meant in result:
            raise UserError(f"compare: {answers.side} answers {meant} twice; {answers.path}")
        else:
            result[meant] = label
    notes = [
        f"{answers.side}: {told}, {times} crop{'s' * (times > 1)}"
        for told, times in count_respelled(result.values()).items()
    ]
    if unknown:
        notes.append(
            f"{answers.side} answers {len(unknown):,} pictures that {truth.where} does not have, first {unknown[0]}"
        )
    return result, notes


def _meant(name: str, known: KnownNames) -> str | None:
    """The picture that a file's name stands for: the name itself, or the longest end of the path that is known."""
    parts = PurePath(file_name(name, lambda form: known.match(form) is not None)).parts
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((meant for end in ends if (meant := known.match(end, "compare")) is not None), None)

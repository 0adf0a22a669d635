"""`leansort predict`: pictures in, labels out; one bad picture never stops the rest."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

from leansort.core import bundle as bundles
from leansort.core.damage.watch import Watch, watch_images
from leansort.core.errors import UserError, not_one_of
from leansort.core.files.typed_result import TypedResult
from leansort.core.folders.image_files import SHOWN, list_image_files
from leansort.core.locations.location import is_named, location
from leansort.core.locations.read_ahead import AHEAD, read_ahead
from leansort.core.process.console import say
from leansort.core.text.name_lists import names_of
from leansort.core.text.table_files import csv_line, csv_path
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import json_text, printable, printable_lines
from leansort.measure.engine_selection import engine_choice
from leansort.runtime import shipped_models
from leansort.runtime.call_board import CallBoard
from leansort.runtime.decisions.cost_file import load_costs
from leansort.runtime.drift.prediction_lines import prediction_record
from leansort.runtime.predictor import Classifier, Prediction
from leansort.workflows.deploy import supervised_prediction
from leansort.workflows.deploy.predict_output import written

FORMATS = ("text", "csv", "json")
COLUMNS = (
    "image",
    "label",
    "probability",
    "accepted",
    "error",
    "known",
    "novelty",
)  # of CSV, before those of the classes


def list_inputs(inputs: Sequence[str], listed: BinaryIO | None = None) -> Iterator[Path]:
    """Yield the pictures that the arguments name: files, all pictures below a folder, `-` for a list of paths.

    What a folder holds besides is counted by kind, in a line on standard error.

    Args:
        inputs: the arguments.
        listed: the list, one path a line or with NUL between paths; standard input of the command line.

    Raises:
        UserError: a named file or folder is not there, a folder holds no picture, or the list is UTF-16.
    """
    for name in inputs:
        path = location(name)
        if name == "-" and listed is not None:
            yield from map(location, names_of(listed, "standard input"))
        elif path.is_dir():
            yield from _pictures(path)
        elif is_named(path):  # where a link leads is asked when it is read, as of a list
            yield path
        else:
            raise UserError(f"predict: {path} is not there")


def _pictures(folder: Path) -> Sequence[Path]:
    """The pictures of a folder; says what else there is, on standard error."""
    listed = list_image_files(folder)
    passed = printable(listed.summary())
    if not listed.files:
        raise UserError(f"folder {folder} holds no pictures ({SHOWN})" + f"; {passed}" * bool(passed))
    if passed:
        say(f"{printable(str(folder))}: {passed}")
    return listed.files


def predict_images(
    classifier: Classifier, pictures: Iterable[Path], *, threads: int = 0, batch: int = 0
) -> Iterator[tuple[Path, Prediction]]:
    """Classify pictures in order.

    Args:
        classifier: a loaded bundle.
        pictures: their paths; may be endless.
        threads: that decode and run; 0 tries one and all cores.
        batch: batch size of the engine, in images; 0 measures several and uses the fastest.

    Yields:
        Each path with its prediction, whose `error` is set where the picture cannot be read.
    """
    paths, again = itertools.tee(pictures)
    yield from zip(again, classifier.predict_many(paths, batch=batch, threads=threads), strict=True)


class PredictResult(TypedResult):
    """What became of pictures whose lines were printed or written.

    Attributes:
        file: that holds the lines; None where they were printed.
        unreadable: number of pictures that could not be classified.
    """

    file: Path | None
    unreadable: int


def predict_to(
    bundle: Path | None,
    pictures: Iterator[Path],
    out: Path | None,
    *,
    style: str,
    threads: int,
    batch: int,
    engine: str,
    costs: Path | None = None,
    statistics: bool = False,
    ahead: int = AHEAD,
) -> PredictResult:
    """Classify pictures and print the lines, or write them to a file that takes the place of `out` when all are done.

    An engine that leansort does not rest on itself works in a child process, so that a fault in its native code costs
    neither the lines that are done nor the word of what happened.

    Args:
        bundle: the bundle file; None takes the model that the package brings.
        pictures: their paths; may be endless.
        out: the file; None prints.
        style: one of `FORMATS`.
        threads: that decode and run; 0 tries one and all cores.
        batch: batch size of the engine, in images; 0 measures several and uses the fastest.
        engine: which engine; the one that suits the bundle where empty, the fastest for `auto`.
        costs: file with what decisions cost; None leaves the bundle's reject threshold.
        statistics: whether lines of JSON tell what the pictures look like, too.
        ahead: how many photos of a store are read before it is their turn; 0 where paths arrive one by one.

    Raises:
        UserError: there is no such format or picture, the costs are not those of the bundle's classes, or statistics
            are asked for in another format than JSON.
        EngineError: the engine crashed, hung or failed before anything was sorted.
        LeansortError: it did so later; the lines that are done are in `out` with `.part` behind its name.
    """
    if style not in FORMATS:
        raise not_one_of("--format", style, FORMATS)
    if statistics and style != "json":
        raise UserError(f"predict: --statistics go with --format json, got {style}")
    if out:
        atomic_io.require_file(out)  # not only when all are sorted
    opened = shipped_models.open_default() if bundle is None else bundles.load(bundle)
    decision_costs = None if costs is None else load_costs(costs, opened.meta)
    board = CallBoard() if supervised_prediction.possible() and not engine_choice.is_proven(opened, engine) else None

    def work(target: TextIO) -> int:
        shown = printable_lines if target.isatty() else str  # values of CSV are as they are, but on a terminal
        chosen = engine_choice.classifier_of(
            opened, engine, board=board, say=say, costs=decision_costs, statistics=statistics
        )
        with chosen as classifier, watch_images() as watch:
            failed, open_ones = Counter[bool](), deque[Path]()
            listed = _listing(read_ahead(pictures, ahead), open_ones)
            results = predict_images(classifier, listed, threads=threads, batch=batch)
            results = _counted(_damage_named(results, open_ones, watch), failed)
            lines = format_predictions(
                results,
                classifier.bundle.meta.labels,
                style,
                with_costs=costs is not None,
                with_graph=bool(opened.stages),
            )
            for number, line in enumerate(lines):
                print(shown(line), file=target, flush=True)  # a robot waits for it at the other end of a pipe
                if board and (number or style != "csv"):  # whose first line names the columns
                    board.record_line()
        return failed[True]

    unreadable = written(opened, board, work, out)
    if out:
        say(f"predict: wrote {out}" + (f"; photos that could not be read: {unreadable}" if unreadable else ""))
    return PredictResult(file=out, unreadable=unreadable)


def _listing(pictures: Iterable[Path], open_ones: deque[Path]) -> Iterator[Path]:
    for path in pictures:
        open_ones.append(path)
        yield path


def _damage_named(
    results: Iterable[tuple[Path, Prediction]], open_ones: deque[Path], watch: Watch
) -> Iterator[tuple[Path, Prediction]]:
    """Name what is damaged as soon as decoders complain: it is among the pictures that are being worked on."""
    written, judged = watch.bytes_written(), 0
    for result in results:
        if watch.bytes_written() != written:
            written = watch.bytes_written()
            for path in itertools.islice(list(open_ones), judged, None):
                if why := watch.fault_of(path):
                    say(printable(f"warning: {path} is damaged: {why}; it is sorted by what could be decoded"))
            judged = len(open_ones)
        open_ones.popleft()
        judged = max(0, judged - 1)
        yield result


def _counted(results: Iterable[tuple[Path, Prediction]], failed: Counter[bool]) -> Iterator[tuple[Path, Prediction]]:
    for path, result in results:
        failed[bool(result.error)] += 1
        yield path, result


def format_predictions(
    results: Iterable[tuple[Path, Prediction]],
    labels: Sequence[str],
    style: str,
    *,
    with_costs: bool = False,
    with_graph: bool = False,
) -> Iterator[str]:
    """Yield the output line by line: text, CSV with a column `p_NAME` for each class, or one JSON object a line.

    Args:
        results: each picture's path with its prediction.
        labels: the classes.
        style: one of `FORMATS`.
        with_costs: whether CSV has a column `cost` in front of those of the classes.
        with_graph: whether it has one more behind that, `graph`, which tells who of a cascade answered.
    """
    if style == "csv":
        yield csv_line([*COLUMNS, *["cost"] * with_costs, *["graph"] * with_graph, *(f"p_{label}" for label in labels)])
    for path, result in results:
        if style == "json":
            yield json_text(prediction_record(str(path), result, labels))
        elif style == "csv":
            row = [
                csv_path(path),
                result.label,
                f"{result.probability:.6f}",
                str(result.accepted).lower(),
                result.error,
                "" if result.known is None else str(result.known).lower(),
                "" if result.novelty is None else f"{result.novelty:.4f}",
                *["" if result.cost is None else f"{result.cost:.6f}"] * with_costs,
                *[result.graph] * with_graph,
            ]
            yield csv_line([*row, *(f"{p:.6f}" for p in result.probabilities or [0.0] * len(labels))])
        else:
            yield "\t".join(map(printable, _fields(path, result)))


def _fields(path: Path, prediction: Prediction) -> list[str]:
    if prediction.error:
        return [str(path), f"error: {prediction.error}"]
    return [
        str(path),
        prediction.label,
        f"{prediction.probability:.4f}",
        *([] if prediction.accepted else ["rejected"]),
        *(["unknown"] if prediction.known is False else []),
        *([] if prediction.cost is None else [f"cost {prediction.cost:.4f}"]),
        *([f"by the {prediction.graph} graph"] if prediction.graph else []),
    ]

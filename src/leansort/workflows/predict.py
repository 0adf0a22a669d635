"""`leansort predict`: pictures in, labels out; one bad picture never stops the rest."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from leansort.core import store
from leansort.core.errors import UserError, not_one_of
from leansort.core.preprocess import SUFFIXES
from leansort.runtime.predictor import Classifier, Prediction
from leansort.workflows import engines

FORMATS = ("text", "csv", "json")


def expand(inputs: Sequence[str], listed: Iterable[str]) -> Iterator[Path]:
    """Yield the pictures that the arguments name: files, all pictures below a folder, `-` for a list of paths.

    Raises:
        UserError: a named file or folder is not there, or a folder holds no picture.
    """
    for name in inputs:
        path = Path(name)
        if name == "-":
            yield from (Path(line.strip()) for line in listed if line.strip())
        elif path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not found:
                raise UserError(f"predict: folder {path} holds no pictures ({', '.join(SUFFIXES)})")
            yield from found
        elif os.path.lexists(path):  # where a link leads is asked when it is read, as of a list
            yield path
        else:
            raise UserError(f"predict: {path} is not there")


def predict(
    classifier: Classifier, pictures: Iterable[Path], *, threads: int = 0, batch: int = 0
) -> Iterator[tuple[Path, Prediction]]:
    """Classify pictures in order.

    Args:
        classifier: a loaded bundle.
        pictures: their paths; may be endless.
        threads: that decode and run; 0 tries one and all cores.
        batch: pictures an engine call; 0 tries several and takes the fastest.

    Yields:
        Each path with its prediction, whose `error` is set where the picture cannot be read.
    """
    paths, again = itertools.tee(pictures)
    yield from zip(again, classifier.predict_many(paths, batch=batch, threads=threads), strict=True)


def predict_to(
    bundle: Path, pictures: Iterator[Path], out: Path | None, *, style: str, threads: int, batch: int, engine: str
) -> int:
    """Classify pictures and print the lines, or write them to `out` when all are done.

    Returns:
        How many pictures could not be read.

    Raises:
        UserError: there is no such format or picture.
    """
    if style not in FORMATS:
        raise not_one_of("--format", style, FORMATS)
    if out:
        store.require_file(out)  # not only when all are sorted
    with engines.classifier(bundle, engine) as classifier:
        failed = Counter[bool]()
        results = _counted(predict(classifier, pictures, threads=threads, batch=batch), failed)
        lines = formatted(results, classifier.bundle.meta.labels, style)
        if out is None:
            for line in lines:
                print(line, flush=True)  # a robot waits for it at the other end of a pipe
        else:
            store.write_text(out, "".join(line + "\n" for line in lines))
    return failed[True]


def _counted(results: Iterable[tuple[Path, Prediction]], failed: Counter[bool]) -> Iterator[tuple[Path, Prediction]]:
    for path, said in results:
        failed[bool(said.error)] += 1
        yield path, said


def formatted(results: Iterable[tuple[Path, Prediction]], labels: Sequence[str], style: str) -> Iterator[str]:
    """Yield the output line by line: text, CSV with a column for each class, or one JSON object a line."""
    if style == "csv":
        yield _csv_line(["image", "label", "probability", "accepted", "error", *labels])
    for path, said in results:
        if style == "json":
            yield json.dumps(_record(path, said, labels), ensure_ascii=False, allow_nan=False)
        elif style == "csv":
            row = [str(path), said.label, f"{said.probability:.6f}", str(said.accepted).lower(), said.error]
            yield _csv_line([*row, *(f"{p:.6f}" for p in said.probabilities or [0.0] * len(labels))])
        else:
            verdict = f"error: {said.error}" if said.error else f"{said.label}\t{said.probability:.4f}"
            yield f"{path}\t{verdict}" + ("" if said.error or said.accepted else "\trejected")


def _record(path: Path, said: Prediction, labels: Sequence[str]) -> dict[str, Any]:
    if said.error:
        return {"image": str(path), "error": said.error}
    probabilities = dict(zip(labels, (round(p, 6) for p in said.probabilities), strict=True))
    return {
        "image": str(path), "label": said.label, "probability": round(said.probability, 6),
        "accepted": said.accepted, "probabilities": probabilities,
    }  # fmt: skip


def _csv_line(values: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(values)
    return buffer.getvalue()

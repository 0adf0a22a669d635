"""`leansort submit`: the contest's whole job, from process start to closed file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from leansort.contest import submission_file
from leansort.core.damage.watch import Watch, watch_images
from leansort.core.errors import UserError
from leansort.core.files import atomic_io
from leansort.core.manifest import duplicates
from leansort.core.preprocess import UnreadableImage
from leansort.core.process.console import say
from leansort.core.text.escaping import json_escaped, printable
from leansort.measure.accuracy.image_names import image_names
from leansort.measure.engine_selection import engine_choice
from leansort.runtime.autobatch import usable_cores
from leansort.runtime.predictor import Classifier


def submit(
    bundle: Path, pictures: Sequence[Path], out: Path, *, threads: int = 0, engine: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """Classify all pictures and write the contest's submission file.

    A picture that cannot be read must have an answer all the same: it gets the first class, and is returned. One that
    is damaged is named, and sorted by what could be decoded.

    Args:
        bundle: the bundle file.
        pictures: their paths; see `contest.names` for what they are called.
        out: gets the JSON object.
        threads: that decode and run; 0 takes every core.
        engine: which engine; the one that suits the bundle where empty, the fastest for `auto`.

    Returns:
        The submission and one line for each picture that could not be read.

    Raises:
        UserError: a picture is named twice.
    """
    atomic_io.require_file(out)  # not only when all are sorted
    names = image_names(pictures)
    if doubled := duplicates(names):
        raise UserError(f"submit: {doubled[0]} is named twice")
    faults: list[str] = []
    with (
        engine_choice.load_classifier(bundle, engine, say=say) as classifier, watch_images() as watch,
        ThreadPoolExecutor(threads or usable_cores()) as pool,
    ):  # fmt: skip
        started = time.perf_counter()
        timed = list(pool.map(lambda path: _timed(classifier, path, faults, watch), pictures))
        inference_s = time.perf_counter() - started
        labels = {name: label for name, (label, _) in zip(names, timed, strict=True)}
        seconds = {name: spent for name, (_, spent) in zip(names, timed, strict=True)}
        tree = submission_file.build_submission(
            labels, seconds, all_s=process_seconds(), inference_s=inference_s, macs=classifier.bundle.meta.macs
        )
        for line in watch.damage_lines():
            say(printable(f"warning: {line}; it is sorted by what could be decoded"))
    atomic_io.write_text(out, json_escaped(atomic_io.canonical_json(tree)))
    return tree, sorted(faults)


def _timed(classifier: Classifier, path: Path, faults: list[str], watch: Watch) -> tuple[str, float]:
    started = time.perf_counter()
    try:
        with watch.note_suspect(path):
            text = classifier.predict(path)
        label, fault = text.label, text.error
    except UnreadableImage as error:
        label, fault = "", str(error)
    if fault:
        faults.append(f"{path}: {fault}")
    return label or classifier.bundle.meta.labels[0], time.perf_counter() - started


def process_seconds() -> float:
    """Seconds since this process was started, start-up of the interpreter included."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        import os

        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        return time.process_time()

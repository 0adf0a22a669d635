"""The latency in a model card: one photo a call, on this machine, while nothing else of leansort works here."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from leansort.core.bundle import Bundle
from leansort.core.files.bundle_card import CardLatency
from leansort.core.process.console import say
from leansort.core.writing import atomic_io
from leansort.measure.engine_selection import engine_choice
from leansort.measure.timing import latency, timing_lock
from leansort.measure.timing.machine import LoadWatch, machine_state

PICTURES, QUERIES = 64, 200


def card_latency(bundle: Bundle, pictures: Sequence[Path], *, engine: str = "", seconds: float) -> CardLatency | None:
    """Time a bundle alone and from the encoded photo to the label, in turns, on one thread.

    Args:
        bundle: the bundle.
        pictures: paths of photos that can be read; some of them are held in memory and taken in turns.
        engine: that runs it; what suits the bundle where empty.
        seconds: least time for each figure; 0 times nothing.
    """
    if not seconds:
        return None
    step = max(1, len(pictures) // PICTURES)  # of all classes, whose photos come one after the other
    data = [atomic_io.read_file(path) for path in pictures[::step][:PICTURES]]
    with engine_choice.classifier_of(bundle, engine, threads=1, say=say) as classifier:
        encoded = itertools.cycle(data)
        calls: dict[str, latency.Call] = {
            "alone": latency.photo_call(classifier, data),
            "label": lambda: classifier.predict(next(encoded)),
        }
        watch = LoadWatch()
        with timing_lock.exclusive_timing():
            times = latency.time_interleaved(calls, seconds=seconds, least=QUERIES)
        alone, label = ([float(value) for value in np.percentile(1e3 * times[name], [50, 99])] for name in calls)
        return CardLatency(
            engine=classifier.engine_name,
            threads=1,
            model_ms=alone[0],
            model_p99_ms=alone[1],
            label_ms=label[0],
            label_p99_ms=label[1],
            machine=describe_machine(),
            warning=watch.warning(),
        )


def describe_machine() -> str:
    """Return the machine in a few words: processor, cores, system, vector extensions."""
    state = machine_state()
    extensions = " ".join(state.get("extensions", ())) or "no vector extensions known"
    return f"{state['cpu']}, {state['cores']} cores, {state['system']}, {extensions}"

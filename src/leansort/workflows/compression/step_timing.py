"""Latencies of a compression's steps, on this machine or on the target's device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import nn

from leansort.compress.evaluation import engine_for
from leansort.compress.pipeline.compress_result import StepLatency
from leansort.core.bundle import Bundle
from leansort.core.process.console import say
from leansort.export.layer_bundles import build_layer_bundle
from leansort.measure import engine_trial
from leansort.measure.device import device_timing
from leansort.measure.timing import latency, timing_lock
from leansort.measure.timing.latency import Seconds
from leansort.recipe.schema import Recipe
from leansort.recipe.target import Target
from leansort.runtime import engine as engines
from leansort.runtime.predictor import Classifier

LEAST = 50  # timed calls of each bundle
Pairs = Mapping[str, tuple[Bundle, str]]


def time_bundles(recipe: Recipe, photos: Sequence[bytes], bundles: Mapping[str, Bundle]) -> dict[str, Seconds]:
    """Interleaved call times of bundles, one picture a call, while no search measures or trains where they are taken.

    All by one engine where one reads them all, so that a change of format is not taken for the pass's gain.

    Args:
        recipe: its `target`, and how long and what of a bundle is timed.
        photos: encoded ones, which are decoded in turns where the recipe times the way to the label.
        bundles: by name.
    """
    engine_of, wanted = _chooser(recipe.target), recipe.target.engine_spec
    own = {name: engine_of(bundle, wanted) for name, bundle in bundles.items()}
    candidates = filter(None, [wanted, *own.values()])
    fair = next((item for item in candidates if all(engine_of(each, item) == item for each in bundles.values())), "")
    return _times(recipe, {name: (bundle, fair or own[name]) for name, bundle in bundles.items()}, photos)


def time_layers(
    recipe: Recipe, chains: Mapping[str, Sequence[nn.Module]], shape: tuple[int, int, int]
) -> dict[str, Seconds]:
    """Interleaved call times of chains of layers; shorter ones than of whole networks, for there are many."""
    bundles = {name: build_layer_bundle(list(chain), shape) for name, chain in chains.items()}  # type: ignore[arg-type]
    seconds = min(recipe.compress.seconds, 0.3)
    short = recipe.compress.model_copy(update={"seconds": seconds, "timed": "model"})  # layers read no photos
    return time_bundles(recipe.model_copy(update={"compress": short}), (), bundles)


def step_latencies(recipe: Recipe, photos: Sequence[bytes], bundles: Mapping[str, Bundle]) -> tuple[StepLatency, ...]:
    """Every step's bundle on every engine, installed where it is timed, that reads and bears it, all in turns.

    Args:
        recipe: as for `time_bundles`.
        photos: as for `time_bundles`.
        bundles: by the name of their step.
    """
    target = recipe.target
    installed = _installed_engines(target)
    spec = {target.engine: target.engine_spec}
    pairs = {
        f"{name} {spec.get(engine, engine)}": (name, bundle, spec.get(engine, engine))
        for name, bundle in bundles.items()
        for engine in installed[bundle.graph_format]
    }
    borne = _borne({title: (bundle, engine) for title, (_, bundle, engine) in pairs.items()}, target)
    times = _times(recipe, borne, photos)
    result = []
    for title, (bundle, engine) in borne.items():
        item = latency.summarize_latency(
            title, times[title], bundle=bundle.digest, engine=engine, threads=target.threads
        )
        result.append(StepLatency.model_validate({"step": pairs[title][0], **dict(item)}))
    return tuple(result)


def _chooser(target: Target) -> Callable[[Bundle, str], str]:
    """What says by which engine a bundle is timed: the wanted one where it reads the format, else what suits that."""
    if not target.device:
        return engine_for
    status = device_timing.device_status(target.device)
    return lambda bundle, wanted: device_timing.engine_on_device(bundle, wanted, status)


def _installed_engines(target: Target) -> Mapping[str, Sequence[str]]:
    """By bundle format: on the target's device or, without one, here."""
    if target.device:
        return device_timing.device_status(target.device).engines
    return {name: engines.installed_engines(name) for name in engines.DEFAULTS}


def _borne(pairs: Pairs, target: Target) -> dict[str, tuple[Bundle, str]]:
    """The pairs that do not crash, hang or fail; the others are said. A device tries each by itself."""
    if target.device:
        return dict(pairs)
    faults = engine_trial.find_faults(list(pairs.values()), threads=target.threads, batches=engine_trial.SINGLES)
    for fault in filter(None, faults):
        say(f"not timed: {fault.partition(';')[0]}")
    return {title: pair for (title, pair), fault in zip(pairs.items(), faults, strict=True) if not fault}


def _times(recipe: Recipe, pairs: Pairs, photos: Sequence[bytes]) -> dict[str, Seconds]:
    """Seconds of each call, of the network alone or, over whole rounds of the photos, from each photo to its label."""
    target, seconds = recipe.target, recipe.compress.seconds
    shown = photos if recipe.compress.timed == "label" else ()
    least = max(LEAST, len(shown))
    if target.device:
        there = device_timing.time_on_device(
            target.device, pairs, threads=target.threads, seconds=seconds, least=least, photos=shown
        )
        times = {name: np.asarray(taken) for name, taken in (there.label if shown else there.model).items()}
    else:
        times = _times_here(pairs, shown, target.threads, seconds=seconds, least=least)
    return {name: taken[: _whole_rounds(len(taken), len(shown))] for name, taken in times.items()}


def _whole_rounds(calls: int, photos: int) -> int:
    """How many calls count: a photo more or less would be taken for a gain, since photos differ in what they take."""
    return calls - calls % photos if photos else calls


def _times_here(
    pairs: Pairs, photos: Sequence[bytes], threads: int, *, seconds: float, least: int
) -> dict[str, Seconds]:
    engine_trial.find_faults(list(pairs.values()), threads=threads, batches=engine_trial.SINGLES)  # all by one child
    calls = {name: _call(*pair, photos, threads) for name, pair in pairs.items()}
    with timing_lock.exclusive_timing():
        return latency.time_interleaved(calls, seconds=seconds, least=least)


def _call(bundle: Bundle, engine: str, photos: Sequence[bytes], threads: int) -> latency.Call:
    if not photos:
        return latency.call(bundle, engine, threads=threads)
    loaded = engine_trial.load(bundle, engine, threads=threads, batches=engine_trial.SINGLES)
    return latency.label_call(Classifier(bundle, loaded), photos)

"""What a candidate's network costs, before it is trained: built, exported and timed with its first weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from leansort.arch.analysis.summary import summarize_parts
from leansort.arch.build import BuiltNetwork, macs, parameters
from leansort.arch.spec.batch_norm_folding import merge_branches
from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import FinetuneConfig
from leansort.compress.evaluation import engine_for
from leansort.compress.passes_api import PassContext, Prepare
from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError
from leansort.core.files.typed_result import TypedResult
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.provenance import host, versions
from leansort.core.seeds import Seeds
from leansort.data.loading.crops import Crops
from leansort.export.formats import export_to_format
from leansort.measure import engine_trial, measurement_cache
from leansort.measure.device import device_timing
from leansort.measure.measurement import Measurement
from leansort.measure.timing import latency, timing_lock
from leansort.measure.timing.latency import Seconds
from leansort.measure.timing.machine import LoadWatch
from leansort.recipe.schema import Recipe
from leansort.recipe.target import Target
from leansort.runtime.predictor import Classifier
from leansort.search.objectives import COUNTED, TIMED, Objectives
from leansort.search.search_config import SearchConfig
from leansort.workflows.compression import compress as compressing
from leansort.workflows.compression import step_timing
from leansort.workflows.compression.step_cascade import assemble_unfitted
from leansort.workflows.training.built_network import build_network
from leansort.workflows.training.export_check import provisional

KIND = "latencies"
LEAST = 100  # timed calls
FAR = 1.5  # times a limit
NAME = "candidate"  # on a device
TRIES = 3  # while other work keeps the machine busy
_CALIBRATING = 32  # pictures of noise for passes that look at some


@dataclass(frozen=True)
class Candidate:
    """A candidate of a search, built once: priced, exported and then trained as this same network.

    Attributes:
        recipe: its recipe.
        built: its network; a training takes it over.
        counted: costs that are known of the network alone, by name.
    """

    recipe: Recipe
    built: BuiltNetwork
    counted: dict[str, float]


@dataclass(frozen=True)
class CandidateCosts:
    """What a candidate costs.

    Attributes:
        values: by name, as far as they were needed or known without effort.
        measurements: of those that were timed.
        note: where other work disturbed the timing.
    """

    values: dict[str, float]
    measurements: tuple[Measurement, ...] = ()
    note: str = ""


class TimedCosts(TypedResult):
    """Latencies of a bundle on this machine, as they are kept for other candidates with the same network.

    Attributes:
        values: latencies in ms by the names of `search.objectives`.
        measurements: the same with their intervals.
        quiet: whether no other work kept the machine busy.
    """

    values: dict[str, float]
    measurements: tuple[Measurement, ...]
    quiet: bool = True


@dataclass(frozen=True)
class CostEvaluator:
    """Finds out what candidates cost.

    Attributes:
        config: the search's.
        target: of the recipe: what latencies are measured on.
        objectives: its objectives and limits.
        labels: the classes.
        pictures: encoded ones, for decode-to-label latencies.
        data: their digest.
        folder: for what passes write.
    """

    config: SearchConfig
    target: Target
    objectives: Objectives
    labels: LabelSet
    pictures: Sequence[bytes]
    data: str
    folder: Path

    def candidate(self, recipe: Recipe) -> Candidate:
        """Build a recipe's network.

        Raises:
            UserError: there is no such network, or it does not take the recipe's size.
        """
        built = build_network(recipe, len(self.labels))
        return Candidate(recipe, built, self._counted(built, recipe.preprocess.size))

    def costs(self, candidate: Candidate) -> CandidateCosts:
        """Of an untrained network. Stops counting where a limit is broken already.

        Raises:
            LeansortError: it cannot be exported or compressed.
        """
        recipe, built, counted = candidate.recipe, candidate.built, candidate.counted
        uncompressed = not recipe.compress.steps  # passes make networks smaller, so nothing is known before
        if uncompressed and any(over > 0 for over in self.objectives.violations(counted).values()):
            return CandidateCosts(counted)
        if uncompressed and not self.objectives.needed - counted.keys():
            return CandidateCosts(counted)
        model = TrainedModel(built.spec, built.network.state_dict(), recipe.preprocess, self.labels, built=built)
        return self._of_bundle(self._bundle(recipe, model), counted, [built.spec.to_json(), _matters(recipe)])

    def of_bundle(self, bundle: Bundle, candidate: Candidate) -> CandidateCosts:
        """Of a trained network's bundle, as a compression left it; all of them, whatever limit is broken."""
        return self._of_bundle(bundle, candidate.counted, bundle.digest, whole=True)

    def _counted(self, built: BuiltNetwork, size: int) -> dict[str, float]:
        network = merge_branches(built.network)
        numbers: dict[str, float] = {"macs": macs(network, size), "parameters": parameters(network)}
        if "stride" in self.objectives.needed:
            numbers["stride"] = max(part.downsampling or 1.0 for part in summarize_parts(built.copy(), size))
        assert set(numbers) <= set(COUNTED)
        return numbers

    def _bundle(self, recipe: Recipe, model: TrainedModel) -> Bundle:
        if not recipe.compress.steps:
            return provisional(model, recipe.export.format, quick=recipe.export.format == "onnx")
        return dry_run(recipe, model, self.folder, self.pictures)

    def _of_bundle(
        self, bundle: Bundle, counted: Mapping[str, float], what: object, *, whole: bool = False
    ) -> CandidateCosts:
        values = {**counted, "macs": bundle.meta.macs, "parameters": bundle.meta.parameters}
        values["size_mb"] = len(bundle.to_bytes()) / 1e6
        wanted = [name for name in TIMED if name in self.objectives.needed]
        beyond = any(over > 0 for over in self.objectives.violations(values).values())
        if not wanted or (beyond and not whole):
            return CandidateCosts(values)
        engine, machine = self._where(bundle)
        how = [engine, self.target.threads, self.config.seconds, wanted, dict(self.objectives.limits)]
        key = [what, bundle.format, how, self.data, *machine]
        timed = _kept(key)
        if timed is None:
            timed = self._timed(bundle, engine, {name.partition("_")[0] for name in wanted})
            if timed.quiet:
                measurement_cache.write(KIND, key, timed.to_json())
        note = "" if timed.quiet else "other work disturbed the timing"
        return CandidateCosts(values | timed.values, timed.measurements, note)

    def _where(self, bundle: Bundle) -> tuple[str, list[object]]:
        """The engine of a bundle, and the machine and versions that its times hold for."""
        wanted = self.target.engine_spec
        if not self.target.device:
            return engine_for(bundle, wanted), [host(), versions()]
        status = device_timing.device_status(self.target.device)
        # The address, too: two devices of one kind may differ in their cooling.
        there: list[object] = [self.target.device, status.host, status.versions]
        return device_timing.engine_on_device(bundle, wanted, status), there

    def _timed_there(self, bundle: Bundle, engine: str, kinds: set[str]) -> TimedCosts:
        """Latencies on the target's device; measured again there where other work was in the way."""
        photos = self.pictures if "label" in kinds else ()
        for _ in range(TRIES):
            times = device_timing.time_on_device(
                self.target.device, {NAME: (bundle, engine)}, threads=self.target.threads, seconds=self.config.seconds,
                least=LEAST, photos=photos,
            )  # fmt: skip
            if not times.warning:
                break
        taken = {"model": times.model, "label": times.label}
        arrays = {kind: np.asarray(taken[kind][NAME]) for kind in sorted(kinds)}
        return self._summed(arrays, bundle, engine, not times.warning)

    def _timed(self, bundle: Bundle, engine: str, kinds: set[str]) -> TimedCosts:
        """Latencies, alone on this machine; tried again where other work was in the way."""
        if self.target.device:
            return self._timed_there(bundle, engine, kinds)
        loaded = engine_trial.load(bundle, engine, threads=self.target.threads, batches=engine_trial.SINGLES)
        classifier = Classifier(bundle, loaded, engine)
        calls = {
            "model": latency.photo_call(classifier, self.pictures),
            "label": latency.label_call(classifier, self.pictures),
        }
        wanted = {kind: calls[kind] for kind in sorted(kinds)}
        for _ in range(TRIES):
            with timing_lock.exclusive_timing():
                watch = LoadWatch()
                times = latency.time_interleaved(wanted, seconds=0.0, warmup=1, least=3)
                if not self._hopeless(times):
                    times = latency.time_interleaved(wanted, seconds=self.config.seconds, least=LEAST)
                quiet = not watch.warning()
            if quiet:
                break
        return self._summed(times, bundle, engine, quiet)

    def _hopeless(self, times: Mapping[str, Seconds]) -> bool:
        """Whether the fastest of a few calls is far beyond a limit; hundreds of them would say no more."""
        limits = self.objectives.limits
        return any(
            1e3 * float(taken.min()) > FAR * limits.get(f"{kind}_{name}_ms", math.inf)
            for kind, taken in times.items()
            for name in ("p50", "p99")
        )

    def _summed(self, times: Mapping[str, Seconds], bundle: Bundle, engine: str, quiet: bool) -> TimedCosts:
        values, measurements = dict[str, float](), list[Measurement]()
        for kind, taken in times.items():
            item = latency.summarize_latency(
                kind, taken, bundle=bundle.digest, engine=engine, threads=self.target.threads
            )
            measurements.append(item)
            values |= {f"{kind}_{name}_ms": item.percentiles[name] for name in ("p50", "p99")}
        return TimedCosts(values=values, measurements=tuple(measurements), quiet=quiet)


def _kept(key: object) -> TimedCosts | None:
    """Latencies that were kept for a key; None where there are none, or they are damaged and are measured again."""
    tree = measurement_cache.read(KIND, key)
    try:
        return TimedCosts.from_json(tree, KIND) if tree else None
    except IntegrityError:
        return None


def dry_run(recipe: Recipe, model: TrainedModel, folder: Path, photos: Sequence[bytes]) -> Bundle:
    """The bundle of a compression whose passes do all but train: its shape is that of the real one, or close to it.

    Args:
        recipe: its passes.
        model: an untrained network.
        folder: for what passes write.
        photos: encoded ones, for passes that are timed on the way to a label.

    Raises:
        LeansortError: a pass cannot be done to this network.
    """

    def crops(split: str, preprocess: Preprocess) -> Crops:
        size, rng = preprocess.size, Seeds(0).child("search/dry-run").numpy()
        noise = rng.integers(0, 256, (_CALIBRATING, size, size, 3)).astype(np.uint8)
        return Crops(noise, [at % len(model.labels) for at in range(_CALIBRATING)])

    export = partial(export_to_format, graph_format="onnx")
    context = PassContext(
        crops=crops,
        preprocess=model.preprocess,
        seeds=Seeds(recipe.seed),
        folder=folder,
        finetune=_untrained,
        export=export,
        make_cascade=partial(assemble_unfitted, export),
        time_bundles=partial(step_timing.time_bundles, recipe, photos),
        time_layers=partial(step_timing.time_layers, recipe),
        say=_silently,
    )
    artifact: TrainedModel | Bundle = model
    for _, step in compressing.read_steps(recipe):
        if step.stage == "graph" and isinstance(artifact, TrainedModel):
            artifact = export(artifact)
        artifact = step.apply(artifact, context.of(artifact)).artifact
    return export(artifact) if isinstance(artifact, TrainedModel) else artifact


def _silently(_: str) -> None:
    """A dry run is not told to anyone."""


def _untrained(
    model: TrainedModel, config: FinetuneConfig, folder: Path, prepare: Prepare | None = None
) -> TrainedModel:
    """In place of training on: a network as its preparation leaves it is rebuilt from its spec alone."""
    return model


def _matters(recipe: Recipe) -> list[object]:
    """What a network's speed depends on beside its architecture."""
    return [recipe.preprocess.model_dump(mode="json"), recipe.export.format, recipe.compress.model_dump(mode="json")]

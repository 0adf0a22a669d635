"""What a device can be asked to do, kind by kind."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.files.typed_result import TypedResult
from leansort.core.provenance import host
from leansort.core.text.yaml_config import validation_faults
from leansort.core.writing import atomic_io
from leansort.measure import engine_trial
from leansort.measure.device.device_jobs import (
    BenchJob,
    BundleOnDevice,
    JobRequest,
    LatencyJob,
    LatencyTimes,
    Outputs,
    OutputsJob,
)
from leansort.measure.timing import latency, timing_lock
from leansort.measure.timing.latency import Call, Seconds
from leansort.measure.timing.machine import LoadWatch
from leansort.runtime import engine as engines
from leansort.runtime.predictor import Classifier
from leansort.workflows.deploy.bench import BenchSettings, bench_named
from leansort.workflows.device.file_store import FileStore

AnyJob = LatencyJob | OutputsJob | BenchJob
KINDS: Mapping[str, type[AnyJob]] = {kind.KIND: kind for kind in (LatencyJob, OutputsJob, BenchJob)}


def read_job(request: JobRequest) -> AnyJob:
    """Check a job's settings.

    Raises:
        UserError: naming every fault.
    """
    kind = KINDS[request.kind]
    try:
        return kind.model_validate(request.job)
    except ValidationError as error:
        raise UserError("; ".join(validation_faults(error, kind, f"{request.kind}."))) from None


def files_of(request: JobRequest) -> set[str]:
    """SHA-256 of every file that a job names.

    Raises:
        UserError: its settings are wrong.
    """
    job = read_job(request)
    if isinstance(job, LatencyJob):
        return {item.file for item in job.bundles.values()} | set(job.photos)
    if isinstance(job, OutputsJob):
        return {job.bundle.file, job.crops}
    return {*job.bundles.values(), *job.photos.values()}


def do_job(request: JobRequest, store: FileStore) -> TypedResult:
    """Do a job.

    Raises:
        UserError: a file was not sent or is no bundle, or no engine here reads it.
        LeansortError: it failed.
    """
    job = read_job(request)
    if missing := [digest for digest in files_of(request) if not store.has(digest)]:
        raise UserError(f"{len(missing)} files of the job are not here, {missing[0][:12]} the first; send them")
    if isinstance(job, LatencyJob):
        return _latencies(job, store)
    return _outputs(job, store) if isinstance(job, OutputsJob) else _bench(job, store)


def _latencies(job: LatencyJob, store: FileStore) -> LatencyTimes:
    model, label = dict[str, Call](), dict[str, Call]()
    photos = [atomic_io.read_file(store.path(digest)) for digest in job.photos]
    for name, sent in job.bundles.items():
        bundle, engine = _bundle(sent, store)
        loaded = engine_trial.load(bundle, engine, threads=job.threads, batches=engine_trial.SINGLES)
        model[f"model {name}"] = latency.noise_call(bundle, loaded)
        if photos:
            label[f"label {name}"] = _label_call(Classifier(bundle, loaded, engine), photos)
    with timing_lock.exclusive_timing():
        watch = LoadWatch()
        times = latency.time_interleaved(model | label, seconds=job.seconds, least=job.least)
    return LatencyTimes(model=_of(times, model), label=_of(times, label), warning=watch.warning(), host=host())


def _label_call(classifier: Classifier, photos: list[bytes]) -> Callable[[], object]:
    endless = itertools.cycle(photos)
    return lambda: classifier.predict(next(endless))


def _of(times: Mapping[str, Seconds], calls: Mapping[str, Call]) -> dict[str, tuple[float, ...]]:
    return {name.partition(" ")[2]: tuple(times[name].tolist()) for name in calls}


def _bundle(sent: BundleOnDevice, store: FileStore) -> tuple[Bundle, str]:
    bundle = bundles.load(store.path(sent.file))
    return bundle, sent.engine or engines.default_engine(bundle)


def _outputs(job: OutputsJob, store: FileStore) -> Outputs:
    bundle, engine = _bundle(job.bundle, store)
    try:
        crops = np.load(io.BytesIO(atomic_io.read_file(store.path(job.crops))), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"the crops are no NumPy array ({error})") from None
    runner = engine_trial.load(bundle, engine, threads=job.threads)
    logits = engines.compute_logits(runner, crops)
    return Outputs(logits=tuple(tuple(row) for row in logits.tolist()), host=host())


def _bench(job: BenchJob, store: FileStore) -> TypedResult:
    paths = {name: store.path(digest) for name, digest in job.bundles.items()}
    if job.baseline and job.baseline not in paths:
        raise UserError(f"bench.baseline: {job.baseline!r} is none of the bundles")
    with atomic_io.scratch() as folder:  # programs that are started tell a bundle by its suffix
        linked = {name: _linked(folder / f"{at}.leansort", path) for at, (name, path) in enumerate(paths.items())}
        settings = BenchSettings(
            seconds=job.seconds, queries=job.queries, threads=job.threads, engine=job.engine, profile=job.profile,
            starts=job.starts, soak=job.soak, limits=job.limits, baseline=linked.get(job.baseline),
        )  # fmt: skip
        return bench_named(linked, [store.path(digest) for digest in job.photos.values()], settings)


def _linked(path: Path, source: Path) -> Path:
    path.symlink_to(source.resolve())
    return path

"""`leansort bench`: how fast bundles are on this machine, after the rules of MLPerf's single stream and offline."""

from __future__ import annotations

import itertools
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, TypedDict

import numpy as np
from pydantic import Field, model_validator

from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.core.preprocess import UnreadableImage, decode
from leansort.core.process.console import say
from leansort.core.writing import atomic_io
from leansort.measure import roofline
from leansort.measure.engine_selection import engine_choice
from leansort.measure.measurement import Measurement
from leansort.measure.roofline import EnginePeak, PeakFraction
from leansort.measure.timing import cold_start, latency, machine, stage_limits
from leansort.measure.timing.latency import Seconds
from leansort.measure.timing.soak import SoakResult, soak
from leansort.measure.timing.stage_limits import StageLimit, StageTimes
from leansort.report import speeds
from leansort.report.charts.limit_bars import limit_bars
from leansort.runtime import engine as runtime
from leansort.runtime.autobatch import usable_cores
from leansort.runtime.engine import LayerTime
from leansort.runtime.predictor import Classifier

MOST_PICTURES = 256
STARTS = 5
SIDE = 32  # of the pictures that are decoded to see whether they can be
ALONE, DECODE, WHOLE = "model alone", "decode alone", "decode to label"


@dataclass(frozen=True)
class BenchSettings:
    """How bundles are timed.

    Attributes:
        seconds: least time for each figure.
        queries: fewest calls for each latency; of fewer than a thousand, p99 is little more than the worst.
        threads: compute threads of the engine.
        engine: for each bundle the one that suits it where empty, the fastest for `auto`.
        baseline: a bundle that the others are compared with, among them or not.
        profile: also time every layer.
        starts: how often a whole program is started; 0 measures no cold start and no memory.
        soak: seconds of decode to label without a pause, for each bundle: does the machine throttle? 0: none.
        limits: also measure how fast each stage could be at best.
    """

    seconds: float = 3.0
    queries: int = 1000
    threads: int = 1
    engine: str = ""
    baseline: Path | None = None
    profile: bool = False
    starts: int = STARTS
    soak: float = 0.0
    limits: bool = False


class BenchResult(TypedResult):
    """What was measured.

    Attributes:
        measurements: latencies (ms), throughput (images/s), cold start (s), memory (MB), and ratios (times).
        warning: where other work kept the machine busy, else empty.
        machine: what it was measured on.
        peaks: what the engines reach at best.
        peak_fractions: of its engine's peak that each bundle reaches.
        layers: time by layer, by bundle, where wanted.
        soaks: by bundle, where wanted.
        limits: each stage and its limit, by bundle, where wanted.
    """

    measurements: tuple[Measurement, ...]
    warning: str
    machine: JsonObject = Field(default_factory=dict)
    peaks: tuple[EnginePeak, ...] = ()
    peak_fractions: dict[str, PeakFraction] = Field(default_factory=dict)
    layers: dict[str, tuple[LayerTime, ...]] = Field(default_factory=dict)
    soaks: dict[str, SoakResult] = Field(default_factory=dict)
    limits: dict[str, tuple[StageLimit, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _require_percentiles(self) -> Self:
        for number, item in enumerate(self.measurements):
            if item.percentiles and not {"p50", "p90", "p99"} <= set(item.percentiles):
                raise ValueError(f"measurements.{number}.percentiles: need p50, p90 and p99, or none")
        return self

    def headline(self) -> dict[str, str]:
        """Return every figure with its interval."""
        figures = {
            item.name: f"{item.value:.4g} {item.unit} ({item.low:.4g} – {item.high:.4g})" for item in self.measurements
        }
        return {**figures, **({"warning": self.warning} if self.warning else {})}


def bench(paths: Sequence[Path], pictures: Sequence[Path], config: BenchSettings | None = None) -> BenchResult:
    """Time bundles: what is compared is interleaved.

    Args:
        paths: the bundle files.
        pictures: pictures to decode; held in memory, so that the disk is not timed.
        config: how.

    Raises:
        UserError: no bundle, no picture that can be read, or no such baseline.
        IntegrityError: a bundle is damaged.
    """
    config = config or BenchSettings()
    return bench_named(name_bundles(paths, config.baseline), pictures, config)


def bench_named(named: Mapping[str, Path], pictures: Sequence[Path], config: BenchSettings) -> BenchResult:
    """Time bundles, as `bench` does, under names that are given.

    Args:
        named: the bundle files by the names that figures get, the baseline among them.
        pictures: as for `bench`.
        config: as for `bench`.
    """
    watch, base = machine.LoadWatch(), config.baseline
    if not named or not pictures:
        raise UserError("bench: needs at least one bundle and one picture")
    loaded = {
        name: engine_choice.load_classifier(path, config.engine, threads=config.threads, say=say)
        for name, path in named.items()
    }
    answer = runtime.parse_engine(config.engine)[1].get(
        "threads"
    )  # behind the engine's name, which was checked by loading it
    config = replace(config, threads=int(answer or config.threads))
    count = min(MOST_PICTURES, len(pictures))  # of all classes, whose folders come one after the other
    readable = _readable([pictures[at * len(pictures) // count] for at in range(count)])
    data = list(readable.values())
    coded = stage_limits.jpegs(data) if config.limits else []
    times = _single_stream(loaded, data, config)
    result = _latencies(loaded, times, config) + _offline(loaded, data, config)
    if base:
        result += _ratios(loaded, times, next(name for name, path in named.items() if path == base))
    result += _starts(named, loaded, next(iter(readable)), config)
    profiles = {name: _profile(item, data[0], config) for name, item in loaded.items()} if config.profile else {}
    peaks = roofline.peaks(threads=config.threads)
    fractions = {
        name: roofline.peak_fraction(item.bundle, item.engine_name, float(np.median(times[f"{name}: {ALONE}"])), peaks)
        for name, item in loaded.items()
    }
    limits = _limits(loaded, coded, result, fractions, config) if config.limits else {}
    soaks = {name: soak(_calls(item, data)[WHOLE], config.soak) for name, item in loaded.items() if config.soak}
    return BenchResult(
        measurements=tuple(result),
        warning=watch.warning(),
        machine=machine.machine_state(),
        peaks=tuple(peaks),
        peak_fractions=fractions,
        layers={name: tuple(layers) for name, layers in profiles.items()},
        soaks=soaks,
        limits=limits,
    )


def text(bench_result: BenchResult) -> str:
    """As lines of text."""
    parts = [speeds.table(bench_result.measurements), speeds.peak_text(bench_result.peak_fractions, bench_result.peaks)]
    parts += [speeds.layers(name, layers) for name, layers in bench_result.layers.items()]
    parts += [speeds.limits(name, rows) for name, rows in bench_result.limits.items()]
    parts += [f"{name}, soak of {WHOLE}, {item.text()}" for name, item in bench_result.soaks.items()]
    return "\n\n".join([*parts, speeds.state(bench_result.machine)])


def require_chart(chart: Path | None, *, limits: bool) -> None:
    """Refuse a chart that cannot be drawn, before anything is measured.

    Raises:
        UserError: there is nothing to draw, or its file cannot be written.
    """
    if chart is not None and not limits:
        raise UserError("bench: chart: has no effect without limits, which it draws")
    if chart is not None:
        atomic_io.require_file(chart)


def write_chart(bench_result: BenchResult, chart: Path) -> None:
    """Draw the stages and their limits."""
    picture = limit_bars(bench_result.limits, speeds.state(bench_result.machine))
    atomic_io.write_bytes(chart, picture.encode())


def name_bundles(paths: Sequence[Path], baseline: Path | None) -> dict[str, Path]:
    """Bundle files, the baseline among them, by name: of the file, else of its folder, else the whole path.

    Raises:
        UserError: the baseline is not there.
    """
    if baseline and baseline not in paths and not baseline.exists():
        raise UserError(f"bench: the baseline {baseline} is not there")
    wanted = [*paths, *([baseline] if baseline and baseline not in paths else [])]
    for name_of in (lambda path: path.stem, lambda path: path.resolve().parent.name, str):
        named = {name_of(path): path for path in wanted}
        if len(named) == len(wanted):
            break
    return named


def _readable(pictures: Sequence[Path]) -> dict[Path, bytes]:
    """Encoded bytes of the pictures that can be decoded; the others would end a measurement half-way."""
    result, fault = dict[Path, bytes](), ""
    for path in pictures:
        try:
            data = atomic_io.read_file(path)
            decode(data, target=SIDE)
            result[path] = data
        except (UnreadableImage, OSError) as error:
            fault = fault or f"{path} {error}"
    if not result:
        raise UserError(f"bench: none of {len(pictures)} pictures can be read; the first: {fault}")
    return result


def _single_stream(
    loaded: Mapping[str, Classifier], data: Sequence[bytes], config: BenchSettings
) -> dict[str, Seconds]:
    calls = {
        f"{name}: {what}": call
        for name, classifier in loaded.items()
        for what, call in _calls(classifier, data).items()
    }
    return latency.time_interleaved(calls, seconds=config.seconds, least=config.queries)


def _calls(classifier: Classifier, data: Sequence[bytes]) -> dict[str, Callable[[], object]]:
    decoded = itertools.cycle(data)
    return {
        ALONE: latency.photo_call(classifier, data),
        DECODE: lambda: classifier.preprocess(next(decoded)),
        WHOLE: latency.label_call(classifier, data),
    }


def _latencies(
    loaded: Mapping[str, Classifier], times: Mapping[str, Seconds], config: BenchSettings
) -> list[Measurement]:
    return [
        latency.summarize_latency(
            name, taken, distribution=True, threads=config.threads, **_source(loaded[name.rpartition(": ")[0]])
        )
        for name, taken in times.items()
    ]


def _offline(loaded: Mapping[str, Classifier], data: Sequence[bytes], config: BenchSettings) -> list[Measurement]:
    """All pictures as fast as they go, on every core: from encoded bytes to labels."""
    calls = {
        name: (lambda item=entry: deque(item.predict_many(data, batch=1, threads=usable_cores()), maxlen=0))
        for name, entry in loaded.items()
    }
    times = latency.time_interleaved(calls, seconds=config.seconds, warmup=1, least=5)
    rates = {name: len(data) / taken for name, taken in times.items()}
    return [
        latency.summarize(f"{name}: offline", rate, "images/s", threads=usable_cores(), **_source(loaded[name]))
        for name, rate in rates.items()
    ]


def _ratios(loaded: Mapping[str, Classifier], times: Mapping[str, Seconds], base: str) -> list[Measurement]:
    result = []
    for name, classifier in loaded.items():
        for what in (ALONE, WHOLE) if name != base else ():
            ours = times[f"{name}: {what}"]
            value, low, high = latency.speed_ratio(times[f"{base}: {what}"], ours)
            result.append(
                Measurement(
                    name=f"{name}: {what}, over {base}",
                    value=value,
                    unit="times",
                    low=low,
                    high=high,
                    count=len(ours),
                    **_source(classifier),
                )
            )
    return result


def _starts(
    named: Mapping[str, Path], loaded: Mapping[str, Classifier], picture: Path, config: BenchSettings
) -> list[Measurement]:
    """A program of its own for each, as a robot starts it: until its first label, and the most memory it has."""
    result = []
    for name, path in named.items() if config.starts else ():
        command = [sys.executable, "-m", "leansort", "predict", str(path), str(picture), "--threads", "1"]
        command += ["--batch", "1", "--engine", loaded[name].engine_name]
        seconds, peak = cold_start.time_cold_start(command, times=config.starts)
        source = _source(loaded[name])
        result.append(latency.summarize(f"{name}: cold start", seconds, "s", **source))
        result.append(
            Measurement(
                name=f"{name}: peak memory",
                value=peak / 1e6,
                unit="MB",
                low=peak / 1e6,
                high=peak / 1e6,
                count=config.starts,
                **source,
            )
        )
    return result


def _profile(classifier: Classifier, data: bytes, config: BenchSettings) -> list[LayerTime]:
    x_bhwc = np.stack([classifier.preprocess(data)])
    return runtime.profile_layers(classifier.bundle, x_bhwc, classifier.engine_name, threads=config.threads)


def _limits(
    loaded: Mapping[str, Classifier],
    photos: Sequence[bytes],
    measured: Sequence[Measurement],
    fractions: Mapping[str, PeakFraction],
    config: BenchSettings,
) -> dict[str, tuple[StageLimit, ...]]:
    """Every stage of every bundle against its limit, from what was measured already and the machine's limits."""
    best = stage_limits.machine_limits(photos, starts=config.starts)
    result = {}
    for name, classifier in loaded.items():
        mean = bool(classifier.bundle.stages)
        value = {item.name: item.mean if mean and item.mean is not None else item.value for item in measured}
        peak = fractions[name]
        network_s = value[f"{name}: {ALONE}"] / 1e3
        reason = f"{classifier.bundle.meta.macs / 1e6:.1f} M multiply-adds at the engine's {peak.kind} peak"
        times = StageTimes(
            decode=value[f"{name}: {DECODE}"] / 1e3,
            network=network_s,
            whole=value[f"{name}: {WHOLE}"] / 1e3,
            network_limit=peak.fraction * network_s,
            network_reason=reason if peak.fraction else "the engine's peak is not known",
            start=value.get(f"{name}: cold start", 0.0),
        )
        result[name] = stage_limits.stage_limits(photos, classifier.preprocess, times, best)
    return result


class _Source(TypedDict):
    bundle: str
    engine: str


def _source(classifier: Classifier) -> _Source:
    return {"bundle": classifier.bundle.digest, "engine": classifier.engine_name}

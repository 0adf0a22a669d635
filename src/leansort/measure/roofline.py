"""What the engines reach on this machine at best, and what fraction of it a bundle reaches (Williams et al. 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leansort.core.bundle import Bundle, BundleMeta
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.measure import engine_trial
from leansort.measure.timing import latency
from leansort.runtime import engine as engines

FOLDER = Path(__file__).parent / "graphs"
SIDE = 16  # of the images that stand for rows
WIDTH = SIDE * SIDE * 3
ROWS = 512
LEAST = 5  # calls of each
# By engine: the name of each arithmetic, the graph that is run, and the engine's settings.
KINDS: dict[str, dict[str, tuple[str, str]]] = {
    "onnxruntime": {"f32": ("f32", ""), "int8": ("int8", "")},
    "openvino": {"f32": ("f32", ""), "bf16": ("f32", ":precision=bf16"), "int8": ("int8", "")},
}
_LABELS = LabelSet(("a", "b"))


@dataclass(frozen=True, slots=True)
class EnginePeak:
    """The speed of a large matrix product.

    Attributes:
        engine: that computed it.
        kind: of arithmetic.
        gmacs: thousand million multiply-adds a second, in the fastest call.
    """

    engine: str
    kind: str
    gmacs: float


@dataclass(frozen=True, slots=True)
class PeakFraction:
    """How much of its engine's peak a bundle reaches.

    Attributes:
        fraction: of the peak, 0-1; 0 where the peak is unknown.
        kind: of arithmetic.
    """

    fraction: float
    kind: str


def peaks(*, threads: int = 1, seconds: float = 0.3) -> list[EnginePeak]:
    """Measure every arithmetic of every installed engine, in turns.

    An engine that crashes on one has no peak there.

    bf16 is the engine's own, also where the processor has none and it falls back to f32.

    Args:
        threads: compute threads.
        seconds: least time of each.
    """
    x_bhwc = np.full((ROWS, SIDE, SIDE, 3), 7, np.uint8)
    wanted = {
        (name, kind): (peak_bundle(graph), name + settings)
        for name in engines.installed_engines()
        for kind, (graph, settings) in KINDS.get(name, {}).items()
    }
    faults = dict(
        zip(wanted, engine_trial.find_faults(list(wanted.values()), threads=threads, batches=[ROWS]), strict=True)
    )
    loaded = {pair: engines.load_engine(*what, threads=threads) for pair, what in wanted.items() if not faults[pair]}
    calls = {f"{name} {kind}": (lambda engine=engine: engine.run(x_bhwc)) for (name, kind), engine in loaded.items()}
    times = latency.time_interleaved(calls, seconds=seconds, warmup=2, least=LEAST)
    macs = ROWS * WIDTH * WIDTH
    return [EnginePeak(name, kind, macs / float(times[f"{name} {kind}"].min()) / 1e9) for name, kind in loaded]


def peak_fraction(bundle: Bundle, engine: str, seconds: float, engine_peaks: list[EnginePeak]) -> PeakFraction:
    """How much of an engine's peak a bundle reaches, and in which arithmetic.

    Args:
        bundle: what was timed.
        engine: that ran it.
        seconds: a call, one image each.
        engine_peaks: by `peaks`.
    """
    engine, settings = engines.parse_engine(engine)
    graphs = [stage.graph for stage in bundle.stages or (bundle,)]
    quantized = any(word in graph for word in (b"QuantizeLinear", b"FakeQuantize") for graph in graphs)
    kind = "int8" if quantized else settings.get("precision", "f32")
    peak = next(
        (engine_peak.gmacs for engine_peak in engine_peaks if (engine_peak.engine, engine_peak.kind) == (engine, kind)),
        0.0,
    )
    return PeakFraction(bundle.meta.macs / seconds / 1e9 / peak if peak else 0.0, kind)


def peak_bundle(kind: str) -> Bundle:
    """Return a bundle of one large matrix product; `kind` is its arithmetic, `f32` or `int8`."""
    meta = BundleMeta(
        name=f"gemm {kind}",
        preprocess=Preprocess(size=SIDE),
        labels=_LABELS.names,
        labels_digest=_LABELS.digest,
        parameters=WIDTH * WIDTH,
        macs=WIDTH * WIDTH,
    )
    return Bundle(meta, {"graph.onnx": (FOLDER / f"gemm_{kind}.onnx").read_bytes()})

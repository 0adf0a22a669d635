"""What runs a graph. An engine is a class derived from `Engine`, found by the name of its file or entry point.

Files of engines lie in `engines/`, here or, where they need torch, beside the networks (`arch/engines`).
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ValidationError
from typing_extensions import TypeVar

from leansort.core import plugins
from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError, UserError
from leansort.core.files.bundle_cascade import GRAPHS
from leansort.core.writing.escaping import printable

Pixels = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]
Distances = npt.NDArray[np.float32]
ConfigT = TypeVar("ConfigT", bound=BaseModel, default=Any)
DEFAULTS = {  # by bundle format
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "torch": "torch",
    "ncnn": "ncnn",
    "litert": "litert",
}


@dataclass(frozen=True, slots=True)
class LayerTime:
    """What one node of a graph takes, as the engine runs it: some are merged, some are new.

    Attributes:
        name: of the node; engines change names.
        kind: the engine's word for what it computes.
        ms: a call, on average.
        macs: multiply-adds a call, those on channels that the engine pads included; 0 where it does not say enough.
    """

    name: str
    kind: str
    ms: float
    macs: int = 0


class LoadedGraph(Protocol):
    """What maps pixels to logits: an engine, or what stands around one.

    Guarantees: `run` may be called from several threads at once; it neither keeps nor changes its input; equal
    input gives equal output; the result belongs to the caller.
    """

    def run(self, x_bhwc: Pixels) -> Logits:
        """Map uint8 RGB (b, size, size, 3), C-contiguous, to float32 logits (b, classes).

        Raises:
            UserError: pixels of another type or size.
            IntegrityError: the graph fails on them.
        """
        ...

    def run_with_distance(self, x_bhwc: Pixels) -> tuple[Logits, Distances | None]:
        """Return the logits, and the graph's second output, float32 (b, 1), where it has one that the engine gives."""
        ...


class Engine(ABC, Generic[ConfigT]):
    """A loaded graph; its class says what the library behind it is and reads.

    It gives the guarantees of `LoadedGraph`. The file of an engine imports its library in `load` and `profile` and not
    before: engines are listed, and others are used, where it is not installed.

    Attributes:
        Config: the settings, a pydantic model; `threads` among them where the library can be told.
        requires: the module of the library.
        formats: of the bundles that it reads: `onnx`, `openvino`, `torch`, `ncnn`, `litert`.
        proven: whether leansort itself rests on the library; then nothing is tried in a child process beforehand.
    """

    Config: ClassVar[type[BaseModel]]
    requires: ClassVar[str]
    formats: ClassVar[tuple[str, ...]]
    proven: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def load(cls, bundle: Bundle, config: ConfigT) -> Engine[ConfigT]:
        """Load a bundle's graph.

        Args:
            bundle: a verified bundle of one of `formats`.
            config: a `Config`.

        Raises:
            MissingExtraError: the library is not installed.
            IntegrityError: the graph is damaged, or this version of the library cannot run it.
        """

    @classmethod
    def profile(cls, bundle: Bundle, config: ConfigT, x_bhwc: Pixels, runs: int) -> list[LayerTime]:
        """Time each layer, where the library can tell; see `profile_layers`."""
        return []

    @abstractmethod
    def run(self, x_bhwc: Pixels) -> Logits:
        """Map pixels to logits; see `LoadedGraph`."""

    def run_with_distance(self, x_bhwc: Pixels) -> tuple[Logits, Distances | None]:
        """Return the logits and no distance; engines that give one do so here. See `LoadedGraph`."""
        return self.run(x_bhwc), None


class GraphEngine(Engine[ConfigT]):
    """An engine that runs the graph as it is written: logits, and behind them a distance where there is one."""

    @abstractmethod
    def outputs(self, x_bhwc: Pixels) -> Sequence[Logits]:
        """Map pixels to all that the graph gives."""

    def run(self, x_bhwc: Pixels) -> Logits:
        """Map uint8 RGB (b, size, size, 3) to float32 logits (b, classes)."""
        return self.outputs(x_bhwc)[0]

    def run_with_distance(self, x_bhwc: Pixels) -> tuple[Logits, Distances | None]:
        """Map pixels to logits and, where the graph gives them, distances (b, 1)."""
        out = self.outputs(x_bhwc)
        return out[0], out[1] if len(out) > 1 else None


def load_engine(bundle: Bundle, engine: str = "", **config: Any) -> LoadedGraph:
    """Load a bundle into an engine; both graphs of a cascade into one each.

    Args:
        bundle: a verified bundle.
        engine: name of a file in `engines/`, with settings behind it or not; what suits the format where empty.
        **config: fields of that engine's `Config`, e.g. `threads=2`.

    Raises:
        UserError: no such engine, it has no such setting, it does not read this format, or its library is missing.
        IntegrityError: the graph cannot be loaded.
    """
    if bundle.stages:
        from leansort.runtime.cascades.cascade_graph import CascadeGraph  # of no use to other bundles

        return CascadeGraph(bundle, *(load_engine(stage, engine, **config) for stage in bundle.stages))
    kind, settings = _configured(bundle, engine, config)
    return kind.load(bundle, settings)


def profile_layers(
    bundle: Bundle, x_bhwc: Pixels, engine: str = "", *, runs: int = 50, **config: Any
) -> list[LayerTime]:
    """Time each layer of a bundle's graph; the clocks between them make the whole slower than it is.

    Args:
        bundle: a verified bundle.
        x_bhwc: what to run it on.
        engine: as for `load`.
        runs: calls to take the average of.
        **config: fields of that engine's `Config`.

    Returns:
        The layers in an order of computation; none where the engine cannot tell. Those of a cascade are of both its
        graphs, which are named in front of them.

    Raises:
        UserError: as `load` does.
        IntegrityError: the graph cannot be loaded.
    """
    if bundle.stages:
        return _profile_stages(bundle, x_bhwc, engine, runs, config)
    kind, settings = _configured(bundle, engine, config)
    return kind.profile(bundle, settings, x_bhwc, runs)


def _profile_stages(bundle: Bundle, x_bhwc: Pixels, engine: str, runs: int, config: dict[str, Any]) -> list[LayerTime]:
    result: list[LayerTime] = []
    for name, stage in zip(GRAPHS, bundle.stages, strict=True):
        given = np.stack([stage.meta.preprocess(x_hwc) for x_hwc in x_bhwc])
        layers = profile_layers(stage, given, engine, runs=runs, **config)
        result += [replace(layer, name=f"{name}: {layer.name}") for layer in layers]
    return result


def engine_class(name: str) -> type[Engine]:
    """Find an engine by its name alone; its library is not loaded.

    Raises:
        UserError: there is no such engine, or its file is wrong.
    """
    return plugins.load("engines", name, Engine)


def _configured(bundle: Bundle, engine: str, config: dict[str, Any]) -> tuple[type[Engine], BaseModel]:
    """The class of an engine that reads a bundle, with its checked settings."""
    engine, given = parse_engine(engine or default_engine(bundle))
    config = config | given  # what stands behind the name was said on purpose
    kind = engine_class(engine)
    unknown = sorted(set(config) - set(kind.Config.model_fields))
    if unknown:
        raise UserError(f"engine {engine}: no setting {unknown[0]!r}; it has {sorted(kind.Config.model_fields)}")
    if bundle.format not in kind.formats:
        raise UserError(
            f"engine {engine}: reads {', '.join(kind.formats)} bundles, this one is {bundle.format}; "
            f"engines for it: {', '.join(engines_reading(bundle.format))}"
        )
    try:
        return kind, kind.Config(**config)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise UserError(f"engine {engine}: {where}: got {fault['input']!r}: {fault['msg']}") from None


def parse_engine(engine: str) -> tuple[str, dict[str, Any]]:
    """An engine's name and the settings behind it: `openvino:precision=bf16,threads=2`.

    Raises:
        UserError: a setting has no value.
    """
    name, _, text = engine.partition(":")
    pairs = [part.partition("=") for part in text.split(",")] if text else []
    for key, sign, value in pairs:
        if not (key and sign and value):
            raise UserError(f"engine {name}: got {text!r}, need settings such as precision=bf16,threads=2")
    return name, {key: value for key, _, value in pairs}


def require_pixels(x_bhwc: Pixels, shape_hwc: tuple[int, ...]) -> None:
    """Refuse pixels that a graph does not take; not every library does, one of them runs on with its last input.

    Raises:
        UserError: pixels of another type or size.
    """
    if x_bhwc.dtype != np.uint8 or x_bhwc.shape[1:] != shape_hwc:
        expected = f"uint8 (b, {', '.join(map(str, shape_hwc))})"
        raise UserError(f"engine: got pixels {x_bhwc.dtype} {x_bhwc.shape}, the graph takes {expected}")


def require_logits(out: object, pictures: int, classes: int) -> Logits:
    """Refuse what is no float32 (images, classes): a graph may give anything.

    Raises:
        IntegrityError: it has another type or shape.
    """
    if isinstance(out, np.ndarray) and out.shape == (pictures, classes) and out.dtype == np.float32:
        return out
    if isinstance(out, np.ndarray) and out.ndim == 2 and out.dtype == np.float32 and len(out) == pictures:
        raise IntegrityError(f"bundle: its graph has {out.shape[-1]} outputs, its labels are {classes}")
    text = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
    raise IntegrityError(f"bundle: its graph gave {text} for {pictures} pictures, need float32 ({pictures}, {classes})")


def engine_failure(error: Exception, library: str, what: str = "run") -> IntegrityError:
    """One line of what a library says when it cannot run a graph, or load one, without the places in its sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = [line for line in lines if not line.startswith(("Exception from", "Check '"))]
    reason = printable((text or lines or ["no reason given"])[0])[:160]
    return IntegrityError(f"bundle: its graph cannot be {what} by {library} ({reason})")


def input_shape(inputs: Sequence[tuple[str, Sequence[Any]]]) -> tuple[int, ...]:
    """The (size, size, 3) that a graph reads, given the type and shape of each input.

    Raises:
        IntegrityError: it reads something else than uint8 (b, size, size, 3).
    """
    kinds = {"tensor(uint8)", "u8"}
    fits = len(inputs) == 1 and inputs[0][0] in kinds and len(inputs[0][1]) == 4
    sides = tuple(inputs[0][1][1:]) if fits else ()
    if not sides or not all(isinstance(side, int) and side > 0 for side in sides):
        text = "; ".join(f"{kind} ({', '.join(map(str, shape))})" for kind, shape in inputs) or "nothing"
        raise IntegrityError(f"bundle: its graph reads {text}, need one uint8 (b, size, size, 3)")
    return sides


def is_proven(engine: str) -> bool:
    """Whether leansort itself rests on an engine's library, so that no trial of it would tell anything new.

    Raises:
        UserError: no such engine.
    """
    return engine_class(parse_engine(engine)[0]).proven


def can_run(bundle: Bundle, engine: str) -> bool:
    """Whether an engine is installed and reads a bundle.

    Raises:
        UserError: no such engine.
    """
    name = parse_engine(engine)[0]
    plugins.find("engines", name)
    return name in installed_engines(bundle.graph_format)


def compute_logits(engine: LoadedGraph, pixels: Pixels, batch: int = 64) -> Logits:
    """Logits (n, classes) of pixels (n, size, size, 3), in batches."""
    parts = (np.ascontiguousarray(pixels[start : start + batch]) for start in range(0, len(pixels), batch))
    return np.concatenate([engine.run(part) for part in parts])


def compute_with_distances(engine: LoadedGraph, pixels: Pixels, batch: int = 64) -> tuple[Logits, Distances | None]:
    """Logits (n, classes) of pixels (n, size, size, 3), and distances (n,) where the graph gives them, in batches."""
    starts = range(0, len(pixels), batch)
    pairs = [engine.run_with_distance(np.ascontiguousarray(pixels[at : at + batch])) for at in starts]
    distances = [distance.reshape(-1) for _, distance in pairs if distance is not None]
    whole = np.concatenate(distances) if len(distances) == len(pairs) else None
    return np.concatenate([logits for logits, _ in pairs]), whole


def default_engine(bundle: Bundle) -> str:
    """The engine that a bundle is run by where nothing else is said."""
    return DEFAULTS[bundle.graph_format]


def engines_reading(graph_format: str) -> list[str]:
    """The engines that read a bundle format, whether or not their libraries are installed."""
    return [name for name, kind in plugins.load_all("engines", Engine).items() if graph_format in kind.formats]


def installed_engines(graph_format: str = "") -> list[str]:
    """The engines whose libraries are installed; those that read a bundle format where one is given."""
    kinds = plugins.load_all("engines", Engine)
    return [
        name
        for name, kind in kinds.items()
        if (not graph_format or graph_format in kind.formats) and importlib.util.find_spec(kind.requires)
    ]

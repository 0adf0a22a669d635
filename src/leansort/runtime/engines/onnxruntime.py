"""ONNX Runtime on the CPU."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leansort.core.bundle import Bundle
from leansort.core.strict_model import StrictModel
from leansort.core.writing import atomic_io
from leansort.runtime.engine import GraphEngine, LayerTime, engine_failure, input_shape, require_pixels

WARMUP = 5
_KERNEL = "_kernel_time"


class OnnxRuntimeConfig(StrictModel):
    """Settings of this engine.

    Attributes:
        threads: compute threads; more than one helps large images only.
    """

    threads: int = Field(default=1, ge=1, le=256)


class OnnxRuntimeEngine(GraphEngine[OnnxRuntimeConfig]):
    """A graph in an ONNX Runtime session; thread-safe, as sessions are."""

    Config = OnnxRuntimeConfig
    requires = "onnxruntime"
    formats = ("onnx",)
    proven = True

    def __init__(self, session: Any) -> None:
        self._session = session
        given = session.get_inputs()
        self._shape = input_shape([(item.type, item.shape) for item in given])
        self._input: str = given[0].name

    @classmethod
    def load(cls, bundle: Bundle, config: OnnxRuntimeConfig) -> OnnxRuntimeEngine:
        """Start a session for a bundle's graph.

        Raises:
            IntegrityError: the graph is damaged, or this version of ONNX Runtime cannot run it.
        """
        return cls(_session(bundle, _options(config)))

    @classmethod
    def profile(
        cls, bundle: Bundle, config: OnnxRuntimeConfig, x_bhwc: npt.NDArray[np.uint8], runs: int
    ) -> list[LayerTime]:
        """What each node takes, by ONNX Runtime's own profiler.

        Raises:
            IntegrityError: as `load` does.
        """
        with atomic_io.scratch() as folder:
            options = _options(config)
            options.enable_profiling = True
            options.profile_file_prefix = str(folder / "profile")
            session = _session(bundle, options)
            name = session.get_inputs()[0].name
            for _ in range(WARMUP + runs):
                session.run(None, {name: x_bhwc})
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        values: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
                values.setdefault(event["name"].removesuffix(_KERNEL), []).append(event)
        return [_layer(name, calls[WARMUP:]) for name, calls in values.items()]

    def outputs(self, x_bhwc: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
        """Map uint8 RGB (b, size, size, 3) to all that the graph gives."""
        require_pixels(x_bhwc, self._shape)
        try:
            out: list[npt.NDArray[np.float32]] = self._session.run(None, {self._input: x_bhwc})
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            raise engine_failure(error, "ONNX Runtime") from None
        return out


def _layer(name: str, calls: list[dict[str, Any]]) -> LayerTime:
    text = calls[0]["args"]
    ms = sum(call["dur"] for call in calls) / len(calls) / 1e3
    kind, given, out = text["op_name"], _shapes(text["input_type_shape"]), _shapes(text["output_type_shape"])
    return LayerTime(name, kind, ms, _macs(kind, given, out))


def _shapes(listed: list[dict[str, list[int]]]) -> list[list[int]]:
    return [shape for item in listed for shape in item.values()]


def _macs(kind: str, given: list[list[int]], out: list[list[int]]) -> int:
    if given and out and ("MatMul" in kind or "Gemm" in kind):  # weights that were packed at loading are not listed
        return math.prod(out[0]) * given[0][-1]
    weight = next((shape for shape in given[1:] if len(shape) in (2, 4)), None)
    if weight is None or not out:
        return 0
    if "Conv" in kind:  # weights are (out, in of a group, high, wide): each is used once a pixel of the output
        return math.prod(weight) * out[0][0] * math.prod(out[0][2:])
    return 0


def _options(config: OnnxRuntimeConfig) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised, and said once
    options.add_session_config_entry("session.load_model_format", "ONNX")  # its own format was not looked at
    if config.threads > 1:  # idle threads that spin slow down everything else on a small machine
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _session(bundle: Bundle, options: Any) -> Any:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(bundle.graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
        raise engine_failure(error, "ONNX Runtime", "loaded") from None

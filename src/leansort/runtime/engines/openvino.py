"""OpenVINO on the CPU.

Two things decide how fast it is. A graph of a fixed batch runs about a fifth faster than one of any batch. And a
compiled graph of one stream works in the thread that calls it, which is what one image wants, but one call at a
time: callers that come together each get a compiled graph, a lane.

And two things decide whether the process survives. A graph in int8 whose batch is not fixed crashes in OpenVINO's own
code on processors with AMX. So no graph is compiled but for a fixed batch, a power of eight: a batch of 18 images
goes as 8, 8, 1 and 1. That takes a handful of graphs whatever batches come (to compile one takes as long as to run it
hundreds of times), computes no padding, and equal batches always go the same way, so that they give equal logits. It is
done in every precision: it is as fast or faster, and one way is easier to trust than two.

And OpenVINO's CPU plugin gives the thread that starts it a stack for signal handlers of its own, and takes the memory
away wherever its `Core` ends, in another thread too. The next signal that the first thread handles - a child that
ended, Ctrl-C - then kills the process without a word. So there is one `Core`, and it never ends.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leansort.core.bundle import Bundle
from leansort.core.strict_model import StrictModel
from leansort.runtime import openvino_library, openvino_sizes
from leansort.runtime.engine import GraphEngine, LayerTime, engine_failure, input_shape, require_pixels

WARMUP = 5
_Outputs = tuple[npt.NDArray[np.float32], ...]  # logits, and distances where the graph gives them


class OpenVinoConfig(StrictModel):
    """Settings of this engine.

    Attributes:
        threads: compute threads of each call; more than one helps large images only.
        precision: of what is not int8. `f32` computes as exported; `bf16` is faster and coarser where the processor
            has it, and is f32 elsewhere; `auto` is OpenVINO's choice, which on some processors is bf16.
    """

    threads: int = Field(default=1, ge=1, le=256)
    precision: Literal["f32", "bf16", "auto"] = "f32"

    def properties(self) -> dict[str, Any]:
        """As OpenVINO takes them."""
        hint = {} if self.precision == "auto" else {"INFERENCE_PRECISION_HINT": self.precision}
        return {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": self.threads,
            "ENABLE_CPU_PINNING": False,  # every process would be bound to the same first core
            **hint,
        }


class _Lane:
    """A request of OpenVINO's; pixels are copied in and logits out, so nothing is shared with whoever called."""

    def __init__(self, request: Any) -> None:
        self._request, self._outputs = request, len(request.model_outputs)
        self._given: npt.NDArray[np.uint8] = request.get_input_tensor().data

    def run(self, x_bhwc: npt.NDArray[np.uint8]) -> _Outputs:
        """Map pixels to the graph's outputs."""
        # Handing an array to `infer` costs 60 microseconds, more than a tenth of a small network.
        np.copyto(self._given, x_bhwc)
        self._request.infer()
        return tuple(self._request.get_output_tensor(at).data.copy() for at in range(self._outputs))


class OpenVinoEngine(GraphEngine[OpenVinoConfig]):
    """A graph in lanes: a call takes an idle lane, or opens one, and no two calls ever share one.

    Args:
        core: an `openvino.Core`.
        model: an `openvino.Model` of any batch.
        properties: how it is compiled.
        require_few: refuses a model of a fixed batch that asks for too much, and counts the numbers that it holds.

    Raises:
        IntegrityError: this version of OpenVINO cannot compile it.
    """

    Config = OpenVinoConfig
    requires = "openvino"
    formats = ("openvino", "onnx")

    def __init__(self, core: Any, model: Any, properties: dict[str, Any], require_few: Callable[[Any], int]) -> None:
        self._core, self._properties, self._model = core, properties, model
        self._shape = input_shape(
            [(item.element_type.get_type_name(), _sides(item.partial_shape)) for item in model.inputs]
        )
        self._reshaping = threading.Lock()
        self._idle: defaultdict[int, deque[_Lane]] = defaultdict(deque)  # by images of a call
        self.numbers = require_few(self._fixed(1))
        self._idle[1].append(self._lane(1))

    @classmethod
    def load(cls, bundle: Bundle, config: OpenVinoConfig) -> OpenVinoEngine:
        """Read and compile a bundle's graph.

        Raises:
            MissingExtraError: OpenVINO is not installed.
            IntegrityError: the graph is damaged, or this version of OpenVINO cannot run it.
        """
        core, model = _read(bundle)
        return cls(core, model, config.properties(), partial(_require_few, bundle))

    @classmethod
    def profile(
        cls, bundle: Bundle, config: OpenVinoConfig, x_bhwc: npt.NDArray[np.uint8], runs: int
    ) -> list[LayerTime]:
        """What each node takes, by OpenVINO's own counters.

        Raises:
            MissingExtraError: OpenVINO is not installed.
            IntegrityError: as `load` does.
        """
        core, model = _read(bundle)
        model.reshape(list(x_bhwc.shape))
        request = core.compile_model(model, "CPU", config.properties() | {"PERF_COUNT": True}).create_infer_request()
        spent: dict[tuple[str, str], float] = {}
        for number in range(WARMUP + runs):
            request.infer([x_bhwc])
            for item in request.profiling_info if number >= WARMUP else []:
                key = item.node_name, f"{item.node_type} {item.exec_type}"
                spent[key] = spent.get(key, 0.0) + item.real_time.total_seconds()
        return [LayerTime(name, kind, 1e3 * taken / runs) for (name, kind), taken in spent.items() if taken]

    def outputs(self, x_bhwc: npt.NDArray[np.uint8]) -> _Outputs:
        """Map uint8 RGB (b, size, size, 3) to all that the graph gives."""
        require_pixels(x_bhwc, self._shape)
        sizes = parts(len(x_bhwc))
        if len(sizes) == 1:
            return self._run(x_bhwc)
        ends = itertools.accumulate(sizes)
        result = [self._run(x_bhwc[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
        try:
            return tuple(np.concatenate(parts_of_output) for parts_of_output in zip(*result, strict=True))
        except ValueError:  # a graph may give anything; the first part alone is no answer either, and is refused as one
            return result[0]

    def _run(self, x_bhwc: npt.NDArray[np.uint8]) -> _Outputs:
        idle = self._idle[len(x_bhwc)]
        try:
            lane = idle.pop()  # atomic, like `append`
        except IndexError:
            lane = self._lane(len(x_bhwc))
        try:
            return lane.run(x_bhwc)
        except RuntimeError as error:
            raise engine_failure(error, "OpenVINO") from None
        finally:
            idle.append(lane)

    def _fixed(self, size: int) -> Any:
        try:
            with self._reshaping:  # of a copy, yet OpenVINO does not say that one graph may be copied twice at once
                fixed = self._model.clone()
                fixed.reshape([size, *self._shape])
        except RuntimeError as error:
            raise engine_failure(error, "OpenVINO", "loaded") from None
        return fixed

    def _lane(self, size: int) -> _Lane:
        try:
            compiled = self._core.compile_model(self._fixed(size), "CPU", self._properties)
        except RuntimeError as error:
            raise engine_failure(error, "OpenVINO", "loaded") from None
        return _Lane(compiled.create_infer_request())


def parts(count: int) -> list[int]:
    """The powers of eight that add up to a batch, the largest first; a batch of none is a part of its own."""
    numbers: list[int] = []
    while count:
        numbers.append(1 << (count.bit_length() - 1) // 3 * 3)
        count -= numbers[-1]
    return numbers or [0]


def _require_few(bundle: Bundle, single: Any) -> int:
    if bundle.format != "openvino":  # the shapes of ONNX graphs were told when the bundle was opened
        return bundle.numbers
    return openvino_sizes.require(single, len(bundle.meta.labels), sum(map(len, bundle.files.values())))


def _read(bundle: Bundle) -> tuple[Any, Any]:
    core = shared_core(openvino_library.import_openvino())
    try:
        return core, core.read_model(bundle.graph, bundle.files.get("graph.bin", b""))
    except RuntimeError as error:
        raise engine_failure(error, "OpenVINO", "loaded") from None


@functools.cache
def shared_core(openvino: Any) -> Any:
    """The process's one `openvino.Core`; `openvino` is the imported library."""
    core = openvino.Core()
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(core))  # not even when the program ends
    return core


def _sides(shape: Any) -> list[int | str]:
    return [side.get_length() if side.is_static else str(side) for side in shape]

"""LiteRT on the CPU: made for phones and boards, one image at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import IntegrityError, MissingExtraError
from leansort.core.graphs import soundness
from leansort.core.process.silence import withhold_lines
from leansort.core.strict_model import StrictModel
from leansort.runtime.engine import GraphEngine, engine_failure, require_pixels


class LiteRtConfig(StrictModel):
    """Settings of this engine.

    Attributes:
        threads: compute threads of each call.
    """

    threads: int = Field(default=1, ge=1, le=256)


class LiteRtEngine(GraphEngine[LiteRtConfig]):
    """Interpreters of one graph: each works for one caller at a time, and there are as many as callers at once.

    Args:
        library: the imported `ai_edge_litert.interpreter`.
        graph: the file, which all interpreters share.
        size: side of the images in pixels.
        threads: compute threads of each interpreter.
    """

    Config = LiteRtConfig
    requires = "ai_edge_litert"
    formats = ("litert",)

    def __init__(self, library: Any, graph: bytes, size: int, threads: int) -> None:
        self._library, self._graph, self._size, self._threads = library, graph, size, threads
        first = self._interpreter()
        self._image = int(first.get_input_details()[0]["index"])
        self._outputs = [int(item["index"]) for item in first.get_output_details()]
        self._widths = [int(item["shape"][-1]) for item in first.get_output_details()]
        self._idle = [first]

    @classmethod
    def load(cls, bundle: Bundle, config: LiteRtConfig) -> LiteRtEngine:
        """Look at a bundle's graph again, for LiteRT itself believes what it says, and load it.

        Raises:
            MissingExtraError: LiteRT is not installed.
            IntegrityError: the graph is damaged, or this version of LiteRT cannot run it.
        """
        size = bundle.meta.preprocess.size
        try:
            soundness.require("litert", bundle.files, size, len(bundle.meta.labels))
        except soundness.UnsoundGraphError as error:
            raise IntegrityError(f"bundle: its graph cannot be loaded by LiteRT (it {error})") from None
        try:
            from ai_edge_litert import interpreter as library
        except ImportError:
            raise MissingExtraError("ai_edge_litert", "litert") from None
        try:
            return cls(library, bundle.files[FORMATS["litert"][0]], size, config.threads)
        except (RuntimeError, ValueError) as error:
            raise engine_failure(error, "LiteRT", "loaded") from None

    def outputs(self, x_bhwc: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
        """Map uint8 RGB (b, size, size, 3) to all that the graph gives."""
        require_pixels(x_bhwc, (self._size, self._size, 3))
        out = [np.empty((len(x_bhwc), width), np.float32) for width in self._widths]
        try:
            interpreter = self._idle.pop()
        except IndexError:
            interpreter = None
        try:
            interpreter = interpreter or self._interpreter()  # all others are at work
            for at in range(len(x_bhwc)):
                interpreter.set_tensor(self._image, x_bhwc[at : at + 1])
                interpreter.invoke()
                for made, number in zip(out, self._outputs, strict=True):
                    made[at] = interpreter.get_tensor(number)[0]
        except (RuntimeError, ValueError) as error:
            raise engine_failure(error, "LiteRT") from None
        self._idle.append(interpreter)
        return out

    def _interpreter(self) -> Any:
        with withhold_lines():  # it tells there of its delegate, and in errors of all else
            made = self._library.Interpreter(model_content=self._graph, num_threads=self._threads)
            made.allocate_tensors()
        return made

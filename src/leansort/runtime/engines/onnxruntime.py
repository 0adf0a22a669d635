"""ONNX Runtime on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from pydantic import BaseModel, ConfigDict, Field

from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError
from leansort.runtime.engine import require

REQUIRES = "onnxruntime"
FORMATS = ("onnx",)


class Config(BaseModel):
    """Settings of this engine.

    Attributes:
        threads: compute threads; more than one helps large pictures only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int = Field(default=1, ge=1, le=256)


class OnnxRuntimeEngine:
    """A graph in an ONNX Runtime session; thread-safe, as sessions are."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._input: str = session.get_inputs()[0].name
        self._shape = tuple(session.get_inputs()[0].shape[1:])

    def run(self, x_bhwc: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Map uint8 RGB (b, size, size, 3) to float32 logits (b, classes)."""
        require(x_bhwc, self._shape)
        logits: npt.NDArray[np.float32] = self._session.run(None, {self._input: x_bhwc})[0]
        return logits


def load(bundle: Bundle, config: Config) -> OnnxRuntimeEngine:
    """Start a session for a bundle's graph.

    Raises:
        IntegrityError: the graph is damaged, or this version of ONNX Runtime cannot run it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if config.threads > 1:  # idle threads that spin slow down everything else on a small machine
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(bundle.graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
        first = str(error).splitlines()[0][:160]
        raise IntegrityError(f"bundle: its graph cannot be loaded by ONNX Runtime ({first})") from None
    return OnnxRuntimeEngine(session)

"""NCNN on the CPU: made for ARM, small, one image at a time."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError, MissingExtraError
from leansort.core.graphs import soundness
from leansort.core.strict_model import StrictModel
from leansort.runtime.engine import GraphEngine, engine_failure, require_pixels

_HALF = {"f16": ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"), "bf16": ("use_bf16_storage",)}


class NcnnConfig(StrictModel):
    """Settings of this engine.

    Attributes:
        threads: compute threads of each call.
        precision: of what is not int8. `f32` computes as exported; `f16` keeps weights, and where the processor can do
            it all that is computed, in half precision; `bf16` keeps both in bfloat16.
    """

    threads: int = Field(default=1, ge=1, le=256)
    precision: Literal["f32", "f16", "bf16"] = "f32"


class NcnnEngine(GraphEngine[NcnnConfig]):
    """A net, which any number of extractors read at once.

    NCNN's Python library holds the interpreter's lock while it computes: callers in several threads take turns.

    Args:
        net: a loaded `ncnn.Net`.
        library: the imported `ncnn`.
        size: side of the images in pixels.
        widths: numbers that each output gives for an image.
    """

    Config = NcnnConfig
    requires = "ncnn"
    formats = ("ncnn",)

    def __init__(self, net: Any, library: Any, size: int, widths: tuple[int, ...]) -> None:
        self._net, self._library, self._size, self._widths = net, library, size, widths

    @classmethod
    def load(cls, bundle: Bundle, config: NcnnConfig) -> NcnnEngine:
        """Look at a bundle's graph again, for NCNN itself never asks where its weights end, and load it.

        Raises:
            MissingExtraError: NCNN is not installed.
            IntegrityError: the graph is damaged, or this version of NCNN cannot run it.
        """
        size = bundle.meta.preprocess.size
        try:
            soundness.require("ncnn", bundle.files, size, len(bundle.meta.labels))
        except soundness.UnsoundGraphError as error:
            raise IntegrityError(f"bundle: its graph cannot be loaded by NCNN (it {error})") from None
        try:
            import ncnn
        except ImportError:
            raise MissingExtraError("ncnn", "ncnn") from None
        net = ncnn.Net()
        _set_options(net.opt, config)
        param, weights = bundle.files["graph.ncnn.param"], bundle.files["graph.ncnn.bin"]
        if net.load_param_mem(param.decode()) != 0:
            raise IntegrityError("bundle: its graph cannot be loaded by NCNN (it has a layer that this version lacks)")
        net.load_model_mem(weights)
        engine = cls(net, ncnn, size, (len(bundle.meta.labels), 1)[: len(net.output_names())])
        engine.run(np.zeros((1, size, size, 3), np.uint8))  # weights that NCNN could not take are told by running
        return engine

    def outputs(self, x_bhwc: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
        """Map uint8 RGB (b, size, size, 3) to all that the graph gives."""
        require_pixels(x_bhwc, (self._size, self._size, 3))
        out = [np.empty((len(x_bhwc), width), np.float32) for width in self._widths]
        for at, x_hwc in enumerate(x_bhwc):
            for made, values in zip(out, self._extract(x_hwc), strict=True):
                if values.shape != made.shape[1:]:
                    raise IntegrityError(f"bundle: its graph gave {values.shape}, need {made.shape[1:]}")
                made[at] = values
        return out

    def _extract(self, x_hwc: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
        ncnn, side, result = self._library, self._size, []
        extractor = self._net.create_extractor()
        extractor.input("in0", ncnn.Mat.from_pixels(x_hwc, ncnn.Mat.PixelType.PIXEL_RGB, side, side))
        for at in range(len(self._widths)):
            status, values = extractor.extract(f"out{at}")
            if status != 0:
                raise engine_failure(RuntimeError(f"status {status}"), "NCNN")
            result.append(np.array(values))
        return result


def _set_options(options: Any, config: NcnnConfig) -> None:
    """Before anything is loaded: weights are laid out for the precision and the threads."""
    options.num_threads = config.threads
    for precision, names in _HALF.items():
        for name in names:
            setattr(options, name, precision == config.precision)

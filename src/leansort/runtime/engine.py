"""What runs a graph. An engine is one file in `engines/`, found by its name."""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from leansort.core import plugins
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError

Pixels = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]


class Engine(Protocol):
    """A loaded graph.

    Guarantees: `run` may be called from several threads at once; it neither keeps nor changes its input; equal
    input gives equal output; the result belongs to the caller.
    """

    def run(self, x_bhwc: Pixels) -> Logits:
        """Map uint8 RGB (b, size, size, 3), C-contiguous, to float32 logits (b, classes)."""
        ...


def load(bundle: Bundle, engine: str = "onnxruntime", **config: Any) -> Engine:
    """Load a bundle into an engine.

    Args:
        bundle: a verified bundle.
        engine: name of a file in `engines/`.
        **config: fields of that engine's `Config`, e.g. `threads=2`.

    Raises:
        UserError: no such engine, or it has no such setting.
    """
    module = plugins.load("engines", engine)
    unknown = sorted(set(config) - set(module.Config.model_fields))
    if unknown:
        raise UserError(f"engine {engine}: no setting {unknown[0]!r}; it has {sorted(module.Config.model_fields)}")
    return cast(Engine, module.load(bundle, module.Config(**config)))

"""A cascade as an engine: pixels of the large graph in, logits and novelty out.

Whatever runs the graph of a bundle on pixels - trials of engines, timing, teachers - runs a cascade by it. The logits
are logarithms of the calibrated probabilities of the graph that answered, so that they need no temperature; the
distance is that graph's novelty, 1 where known ends.
"""

from __future__ import annotations

import numpy as np

from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError
from leansort.runtime.cascades.cascade_steps import CascadeSteps
from leansort.runtime.engine import Distances, LoadedGraph, Logits, Pixels

_LEAST = 1e-30  # probability whose logarithm is still told apart


class CascadeGraph:
    """The two graphs of a cascade in their engines; a `LoadedGraph`.

    Args:
        bundle: the cascade.
        first: its small graph in an engine.
        second: its large graph in an engine.

    Attributes:
        numbers: of 32 bits that the larger graph holds for one image; 0 where that is not known.
    """

    def __init__(self, bundle: Bundle, first: LoadedGraph, second: LoadedGraph) -> None:
        self.first, self.second = first, second
        self._steps = CascadeSteps(bundle, first, second)
        held = [
            getattr(engine, "numbers", stage.numbers)
            for engine, stage in zip((first, second), bundle.stages, strict=True)
        ]
        self.numbers = max(held) if all(held) else 0

    def run(self, x_bhwc: Pixels) -> Logits:
        """Map uint8 RGB (b, size, size, 3) of the large graph's size to float32 logits (b, classes)."""
        return self.run_with_distance(x_bhwc)[0]

    def run_with_distance(self, x_bhwc: Pixels) -> tuple[Logits, Distances | None]:
        """Map pixels to logits and, where both graphs tell it, novelty (b, 1).

        Raises:
            IntegrityError: a graph gives no finite numbers.
        """
        answers = self._steps.answers(x_bhwc)
        if faults := [answer.error for answer in answers if answer.error]:
            raise IntegrityError(f"bundle: {faults[0]}")
        rows = np.array([answer.probabilities for answer in answers], np.float64)
        logits = np.log(np.maximum(rows, _LEAST)).astype(np.float32)
        novelty = [answer.novelty for answer in answers if answer.novelty is not None]
        return logits, np.array(novelty, np.float32)[:, None] if len(novelty) == len(answers) else None

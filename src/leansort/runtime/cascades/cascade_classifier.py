"""The classifier of a cascade: a photo is decoded as its bundle says, and one of two graphs answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from leansort.runtime.cascades.cascade_graph import CascadeGraph
from leansort.runtime.cascades.cascade_steps import CascadeSteps
from leansort.runtime.engine import LoadedGraph, Pixels
from leansort.runtime.predictor import Classifier, Picture, Prediction


class CascadeClassifier(Classifier):
    """A loaded cascade; everything that a `Classifier` is.

    A prediction's temperature and novelty are those of the graph that answered, its `graph`; whether it is accepted,
    and what costs decide, is the cascade's. `steps` are its two graphs.
    """

    engine: CascadeGraph

    def _prepare(self) -> None:
        self._use(self.engine.first, self.engine.second)

    def _use(self, first: LoadedGraph, second: LoadedGraph) -> None:
        self.steps = CascadeSteps(self.bundle, first, second)
        self._held = self.steps.held

    def wrap_engine(self, wrap: Callable[[LoadedGraph], LoadedGraph]) -> None:
        """Have every call of both graphs go through another engine around theirs."""
        self._use(wrap(self.engine.first), wrap(self.engine.second))

    def close(self) -> None:
        """Release both engines, and end the watch where there is one. The classifier cannot be used afterwards."""
        del self.steps
        super().close()

    def _classify_held(self, x_bhwc: Pixels, pictures: Sequence[Picture]) -> list[Prediction]:
        return [self.decide(answer) for answer in self.steps.answers(x_bhwc, pictures)]

    def classify(self, x_bhwc: Pixels) -> list[Prediction]:
        """Classify pixels of the large graph's size; see `Classifier.classify`."""
        return [self.decide(answer) for answer in self.steps.answers(x_bhwc)]

    def decide(self, answer: Prediction) -> Prediction:
        """Return what the cascade makes of the answer of one of its graphs."""
        if answer.error:
            return answer
        best = answer.probabilities.index(max(answer.probabilities))
        novel = answer.novelty if self._scale else None
        return replace(self._decided(best, answer.probabilities, novel), graph=answer.graph)

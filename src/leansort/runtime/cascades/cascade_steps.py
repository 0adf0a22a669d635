"""Which of a cascade's two graphs answers an image.

The small graph answers where its most probable class has at least the cascade's threshold, by its own temperature, and
where it knows the image by its own scale of novelty, if it has one: what is unknown to it is the large graph's to
judge. The answer of either graph is its own prediction, with its own temperature and novelty; what is accepted or
decided from that is the cascade's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.files.bundle_cascade import GRAPHS, CascadeSettings
from leansort.core.pixels import Image
from leansort.core.preprocess import UnreadableImage
from leansort.runtime.engine import LoadedGraph, Pixels
from leansort.runtime.predictor import Classifier, Picture, Prediction, failed_prediction


class CascadeSteps:
    """The two graphs of a cascade, each with its temperature and scale of novelty.

    Args:
        bundle: the cascade.
        first: its small graph in an engine.
        second: its large graph in an engine.

    Attributes:
        held: makes of an image the pixels that are kept of it: the large graph's, or the small one's where images are
            decoded again.
    """

    def __init__(self, bundle: Bundle, first: LoadedGraph, second: LoadedGraph) -> None:
        self._first, self._second = (
            Classifier(stage, engine) for stage, engine in zip(bundle.stages, (first, second), strict=True)
        )
        settings = settings_of(bundle)
        self._threshold, self._again = settings.threshold, settings.decode == "again"
        self.held = (self._first if self._again else self._second).preprocess

    def answers(self, x_bhwc: Pixels, pictures: Sequence[Picture] | None = None) -> list[Prediction]:
        """Classify images; `graph` of each prediction says who answered.

        Args:
            x_bhwc: what `held` made of them, or the large graph's pixels where there are no pictures.
            pictures: the images, which may have to be decoded again.
        """
        result = self.first_answers(x_bhwc)
        left = [at for at, prediction in enumerate(result) if not self.is_sure(prediction)]
        if left:
            for at, prediction in zip(left, self._second_answers(x_bhwc, pictures, left), strict=True):
                result[at] = prediction
        return result

    def is_sure(self, prediction: Prediction) -> bool:
        """Whether the small graph's prediction is taken."""
        sure = prediction.probability >= self._threshold and prediction.known is not False
        return sure and not prediction.error

    def first_answers(self, x_bhwc: Pixels) -> list[Prediction]:
        """Have the small graph answer all; pixels of another size than its own are shrunk."""
        size = self._first.preprocess.size
        small = x_bhwc if x_bhwc.shape[1] == size else np.stack([self._first.preprocess(x_hwc) for x_hwc in x_bhwc])
        return [replace(item, graph=GRAPHS[0]) for item in self._first.classify(small)]

    def second_answers(self, x_bhwc: Pixels, pictures: Sequence[Picture] | None = None) -> list[Prediction]:
        """Have the large graph answer all; see `answers`."""
        return self._second_answers(x_bhwc, pictures, range(len(x_bhwc)))

    def _second_answers(
        self, x_bhwc: Pixels, pictures: Sequence[Picture] | None, left: Sequence[int]
    ) -> list[Prediction]:
        faults, large = dict[int, str](), list[Image]()
        for at in left:
            try:
                large.append(self._second.preprocess(pictures[at]) if self._again and pictures else x_bhwc[at])
            except (UnreadableImage, UserError) as error:  # it was there a moment ago
                faults[at] = str(error)
        made = iter(self._second.classify(np.stack(large)) if large else [])
        return [failed_prediction(faults[at]) if at in faults else replace(next(made), graph=GRAPHS[1]) for at in left]


def settings_of(bundle: Bundle) -> CascadeSettings:
    """A bundle's cascade section.

    Raises:
        UserError: it is a bundle of one graph.
    """
    if bundle.meta.cascade is None:
        raise UserError(f"bundle: {bundle.meta.name} holds one graph and is no cascade")
    return bundle.meta.cascade

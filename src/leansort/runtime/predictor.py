"""From an image to a label: decode, run the graph, calibrate. The whole runtime of a robot.

with Classifier.load("model.leansort") as classifier:  # without a file: the model that the package brings
    print(classifier.predict("photo.jpg").label)
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice, tee
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, cast

import numpy as np
import numpy.typing as npt

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.files.bundle_cascade import OF_EACH
from leansort.core.files.bundle_decisions import DISTANCE
from leansort.core.graphs.limits import NUMBERS
from leansort.core.pixels import Image
from leansort.core.pixels.camera_frames import Box, Frame
from leansort.core.preprocess import UnreadableImage, one_thread
from leansort.runtime import engine as engines
from leansort.runtime import shipped_models
from leansort.runtime.autobatch import BatchPlan, candidate_plans, run_at_fastest
from leansort.runtime.decisions.costs import DecisionCosts
from leansort.runtime.decisions.novelty import SCORES, novelty_on
from leansort.runtime.drift.image_statistics import ImageStatistics, image_statistics, longer_side
from leansort.runtime.engine import LoadedGraph, Pixels, require_logits

if TYPE_CHECKING:  # what watches knows what a prediction is
    from leansort.runtime.decisions.cost_file import CostTree
    from leansort.runtime.drift.drift_journal import DriftJournal

    Costs = str | Path | CostTree | DecisionCosts

Picture = bytes | Path | str | Image | Frame
Floats = npt.NDArray[np.float32]
Real = TypeVar("Real", np.float32, np.float64)
_BY_GRAPH = (DISTANCE, OF_EACH)  # methods of novelty that the graph's second output tells


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one image.

    Attributes:
        label: name of the most probable class, or, where costs decide, of the one whose bin costs least; empty where
            `error` is set.
        probability: calibrated probability of that class, 0 to 1.
        accepted: whether the probability reaches the bundle's reject threshold, or, where costs decide, whether the
            bin costs no more than rejection; and the image is known where the bundle rejects what is not.
        probabilities: of all classes, in the order of the bundle's labels.
        error: why there is no label: the image is unreadable, or the logits are not finite; empty otherwise.
        novelty: how little the image resembles what the network was trained on, 0 or more; 1 is where known ends.
            None of a bundle that does not tell it, of errors, and where an engine does not give the graph's distance.
        known: whether the novelty is at most 1; None where there is none.
        cost: expected cost of the decision, that is of the bin or of rejection; None where no costs decide.
        statistics: what the image looks like; None where the classifier was not asked to tell it, and of errors.
        graph: which graph of a cascade answered, `first` or `second`; empty of bundles of one graph, and of errors.
    """

    label: str
    probability: float
    accepted: bool
    probabilities: tuple[float, ...]
    error: str = ""
    novelty: float | None = None
    known: bool | None = None
    cost: float | None = None
    statistics: ImageStatistics | None = None
    graph: str = ""


def _costs(costs: Costs | None, bundle: Bundle) -> DecisionCosts | None:
    if costs is None or isinstance(costs, DecisionCosts):
        return costs
    from leansort.runtime.decisions.cost_file import load_costs  # of no use to those who have none

    return load_costs(costs, bundle.meta)


class Classifier:
    """A loaded bundle. Safe to use from several threads at once; loading is the only slow part.

    Of a cascade it is a `runtime.cascades.CascadeClassifier`.
    """

    def __new__(cls, bundle: Bundle, *_: object, **__: object) -> Self:
        """Take the class that suits the bundle; everybody who makes a classifier gets the right one."""
        if bundle.meta.cascade is not None and cls is Classifier:
            from leansort.runtime.cascades.cascade_classifier import CascadeClassifier  # of no use to other bundles

            return cast(Self, object.__new__(CascadeClassifier))
        return object.__new__(cls)

    def __init__(
        self,
        bundle: Bundle,
        engine: LoadedGraph,
        engine_name: str = "",
        *,
        costs: Costs | None = None,
        statistics: bool = False,
        watch: DriftJournal | None = None,
    ) -> None:
        self.bundle = bundle
        self._costs = _costs(costs, bundle)
        self.journal = watch
        self._tells_statistics = statistics or watch is not None
        self.engine = engine
        self.engine_name = engine_name
        self._names = bundle.meta.labels
        self._temperature = bundle.meta.temperature
        self._threshold = bundle.meta.reject_below
        self._scale = bundle.meta.novelty
        self.preprocess = self._held = bundle.meta.preprocess
        numbers = getattr(engine, "numbers", bundle.numbers)  # that one image takes, as far as it is known
        self._most = max(1, NUMBERS // numbers) if numbers else 0
        self._prepare()

    def _prepare(self) -> None:
        """Make ready what a kind of bundle needs besides."""

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        *,
        engine: str = "",
        threads: int = 1,
        costs: Costs | None = None,
        statistics: bool = False,
        watch: str | Path | None = None,
    ) -> Classifier:
        """Open, verify and load a bundle.

        Args:
            path: the bundle file, or the name of a model that `leansort models` lists. None takes the model that
                the package brings, and says on standard error, once, what that was trained on.
            engine: name of the engine, optionally with settings (`openvino:precision=bf16`); empty: the default
                engine of the bundle's format.
            threads: compute threads of the engine, at least 1.
            costs: what wrong bins and rejection cost: a YAML or JSON file, see `runtime.decisions.cost_file`, or its
                content. The decision with the least expected cost is made, in place of the bundle's reject threshold.
            statistics: whether predictions tell what their images look like.
            watch: folder where every prediction is logged and watched for drift, as `leansort watch` does it; one that
                was begun by the same bundle is gone on with. `journal` of the classifier tells where it stands.

        Raises:
            UserError: no such file or engine; the costs are not those of the bundle's classes; the bundle tells no
                drift, or another process watches into the folder.
            IntegrityError: the bundle is damaged.
        """
        bundle = shipped_models.open_default() if path is None else bundles.load(shipped_models.find_bundle(path))
        return cls.of(bundle, engine=engine, threads=threads, costs=costs, statistics=statistics, watch=watch)

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        *,
        engine: str = "",
        threads: int = 1,
        costs: Costs | None = None,
        statistics: bool = False,
        watch: str | Path | None = None,
    ) -> Classifier:
        """Load a bundle that was opened already; see `load`.

        Raises:
            UserError: no such engine, or the costs are not those of the bundle's classes; see `load` of `watch`.
            IntegrityError: the graph cannot be loaded.
        """
        one_thread()
        engine = engine or engines.default_engine(bundle)
        costs = _costs(costs, bundle)
        loaded = engines.load_engine(bundle, engine, threads=threads)
        journal = None
        if watch is not None:
            from leansort.runtime.drift.drift_journal import DriftJournal  # not loaded by a robot that does not watch

            journal = DriftJournal.open(Path(watch), bundle)
        return cls(bundle, loaded, engine, costs=costs, statistics=statistics, watch=journal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wrap_engine(self, wrap: Callable[[LoadedGraph], LoadedGraph]) -> None:
        """Have every call go through another engine around this one; not while predictions are made."""
        self.engine = wrap(self.engine)

    def close(self) -> None:
        """Release the engine, and end the watch where there is one. The classifier cannot be used afterwards."""
        del self.engine
        if self.journal is not None:
            self.journal.close()

    def predict(self, picture: Picture) -> Prediction:
        """Classify one image: a path, encoded bytes, an RGB uint8 array (height, width, 3), or a camera's frame.

        If the logits are not finite, the prediction has an `error` and no label.

        Raises:
            UnreadableImage: the image cannot be decoded.
            UserError: an array of another shape or type.
            IntegrityError: the graph fails, or its number of outputs differs from the number of labels.
        """
        x_hwc = self._held(picture)
        prediction = self._classify_held(x_hwc[None], (picture,))[0]
        return self._observed(picture, self._with_statistics(prediction, picture, x_hwc))

    def predict_boxes(self, frame: Frame, boxes: Sequence[Box]) -> list[Prediction]:
        """Classify several boxes of one camera frame in one call of the engine; only their pixels are converted.

        Args:
            frame: the frame; a box that it has itself is of no account.
            boxes: x, y, width and height of each in pixels, within the frame.

        Returns:
            One prediction for each box, in the order given; none for no boxes.

        Raises:
            UserError: a box is empty or not within the frame, or there is no frame; nothing was classified then.
            IntegrityError: the graph fails, or its number of outputs differs from the number of labels.
        """
        if not isinstance(frame, Frame):
            raise UserError(
                f"predict_boxes: got {type(frame).__name__}, need a Frame; Frame(array, 'RGB', width, height)"
            )
        regions = [frame.at(box) for box in boxes]
        most = self._most or len(regions)
        groups = _batches(iter(regions), max(1, most))
        made = [prediction for group in groups for prediction in self._predict_group(group)]
        return [self._observed(region, prediction) for region, prediction in zip(regions, made, strict=True)]

    def predict_many(self, pictures: Iterable[Picture], *, batch: int = 1, threads: int = 1) -> Iterator[Prediction]:
        """Classify images in order; an unreadable image gives a prediction with `error`, and the rest are classified.

        Several threads decode and run batches side by side, so that some decode while others compute. Batches of a
        large network are cut smaller, so that all of them together take no more memory than one image may.

        Args:
            pictures: images as for `predict`; the iterable may be endless, since each thread holds a few batches only.
            batch: batch size; 0 measures several on the first few hundred images and continues with the fastest, which
                delays predictions by some dozens of images.
            threads: threads that decode and run; 0 measures one thread and all cores in the same way.

        Yields:
            One prediction for each image, in the order given.

        Raises:
            UserError: a number below zero.
        """
        if batch < 0 or threads < 0:
            raise UserError(f"predict: got batch {batch}, threads {threads}; allowed: 0, which chooses, or more")
        named, given = tee(pictures) if self.journal is not None else (None, iter(pictures))
        predictions = run_at_fastest(given, candidate_plans(threads, batch, self._most), self._work)
        if named is None:
            yield from predictions
        else:  # in the order given, whatever threads do
            yield from map(self._observed, named, predictions)

    def _work(self, pictures: Iterator[Picture], pace: BatchPlan) -> Iterator[Prediction]:
        groups = _batches(pictures, pace.batch)
        if pace.threads == 1:
            for group in groups:
                yield from self._predict_group(group)
            return
        with ThreadPoolExecutor(pace.threads) as pool:
            waiting: deque[Future[list[Prediction]]] = deque()
            for group in groups:
                waiting.append(pool.submit(self._predict_group, group))
                if len(waiting) > 2 * pace.threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()

    def _predict_group(self, group: Sequence[Picture]) -> list[Prediction]:
        size = self._held.size
        x_bhwc = np.empty((len(group), size, size, 3), np.uint8)
        faults, read = dict[int, str](), list[Picture]()
        for index, picture in enumerate(group):
            try:
                x_bhwc[len(read)] = self._held(picture)
                read.append(picture)
            except (UnreadableImage, UserError) as error:
                faults[index] = str(error)
        made = iter(self._classify_held(x_bhwc[: len(read)], read) if read else [])
        pixels = iter(x_bhwc)
        return [
            failed_prediction(faults[i]) if i in faults else self._with_statistics(next(made), picture, next(pixels))
            for i, picture in enumerate(group)
        ]

    def _with_statistics(self, prediction: Prediction, picture: Picture, x_hwc: Image) -> Prediction:
        if not self._tells_statistics or prediction.error:
            return prediction
        return replace(prediction, statistics=image_statistics(x_hwc, longer_side(picture)))

    def _observed(self, picture: Picture, prediction: Prediction) -> Prediction:
        if self.journal is not None:
            self.journal.observe(str(picture) if isinstance(picture, str | Path) else "", prediction)
        return prediction

    def interpret(
        self, logits: npt.NDArray[np.float32], distances: npt.NDArray[np.float32] | None = None
    ) -> list[Prediction]:
        """Return the predictions that outputs of the bundle's graph, computed already, come to.

        Args:
            logits: (n, classes).
            distances: (n,), where the graph gives them.
        """
        if distances is None:
            return [self._prediction(row) for row in logits.tolist()]
        return [self._prediction(row, far) for row, far in zip(logits.tolist(), distances.tolist(), strict=True)]

    def classify(self, x_bhwc: Pixels) -> list[Prediction]:
        """Classify images that `preprocess` has prepared already: uint8 (n, size, size, 3), C-contiguous.

        Raises:
            UserError: pixels of another type or size.
            IntegrityError: the graph fails, or its number of outputs differs from the number of labels.
        """
        pictures = len(x_bhwc)
        if self._scale is None or self._scale.method not in _BY_GRAPH:
            rows = require_logits(self.engine.run(x_bhwc), pictures, len(self._names)).tolist()
            return [self._prediction(row) for row in rows]
        logits, distances = self.engine.run_with_distance(x_bhwc)
        rows = require_logits(logits, pictures, len(self._names)).tolist()
        if distances is None:
            return [self._prediction(row) for row in rows]
        scores = require_logits(distances, pictures, 1)[:, 0].tolist()
        return [self._prediction(row, score) for row, score in zip(rows, scores, strict=True)]

    def _classify_held(self, x_bhwc: Pixels, pictures: Sequence[Picture]) -> list[Prediction]:
        """Classify images from the pixels that are held of them."""
        return self.classify(x_bhwc)

    def _prediction(self, logits: list[float], distance: float = math.nan) -> Prediction:
        """By plain arithmetic: for the few classes of one image numpy would take several times as long."""
        if not math.isfinite(sum(logits)):
            return failed_prediction("the network gives no finite numbers for this picture")
        most = max(logits)
        exponents = [math.exp((logit - most) / self._temperature) for logit in logits]
        whole = sum(exponents)
        novel = None
        if self._scale:
            score = SCORES.get(self._scale.method)
            novelty = score(logits, self._temperature) if score else distance
            if math.isfinite(novelty):  # an engine may not give the distance: then neither is told
                novel = novelty_on(self._scale, novelty)
        return self._decided(logits.index(most), tuple([exponent / whole for exponent in exponents]), novel)

    def _decided(self, best: int, probabilities: tuple[float, ...], novel: float | None) -> Prediction:
        """Decide what is accepted, and which bin is taken where costs tell it."""
        sure, known = probabilities[best], None if novel is None else novel <= 1.0
        if self._costs is None:
            accepted = sure >= self._threshold and (known is True or self._scale is None or not self._scale.reject)
            return Prediction(self._names[best], sure, accepted, probabilities, "", novel, known)
        made = self._costs.decide(probabilities, known)
        label, sure = self._names[made.bin], probabilities[made.bin]
        return Prediction(label, sure, made.accepted, probabilities, "", novel, known, made.cost)


def softmax(logits: npt.NDArray[Real]) -> npt.NDArray[Real]:
    """Probabilities along the last axis, in the precision of the logits."""
    exponent = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=-1, keepdims=True), logits.dtype)


def failed_prediction(reason: str) -> Prediction:
    """Return the prediction for an image that could not be classified, and why."""
    return Prediction("", 0.0, False, (), reason)


def _batches(pictures: Iterator[Picture], size: int) -> Iterator[list[Picture]]:
    while group := list(islice(pictures, size)):
        yield group

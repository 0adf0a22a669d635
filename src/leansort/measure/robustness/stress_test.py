"""Corrupt crops kind by kind and level by level, have bundles classify them, and score what they say.

Crops are taken in blocks, each of which is decoded and cut out once, whatever the number of kinds, levels and bundles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from leansort.core.pixels import Image
from leansort.core.preprocess import UnreadableImage
from leansort.core.seeds import Seeds
from leansort.measure.accuracy import metrics
from leansort.measure.corruptions.kinds import BACKGROUND, DRAWN_ALONE, KINDS, MIDDLE, Scene
from leansort.measure.corruptions.textures import Grounds
from leansort.measure.robustness.stress_crops import CutOutBy, StressCrop, cut_object, load_crop
from leansort.measure.robustness.stress_result import (
    CutOuts,
    KindScore,
    LevelScore,
    NotCutOut,
    StressedBundle,
    StressSummary,
)
from leansort.runtime.autobatch import usable_cores
from leansort.runtime.predictor import Classifier, Prediction

SIDE = 256  # pixels of the longer side at which crops are corrupted
CLEAN = ("", 0)
_BLOCK, _BATCH = 64, 16
Condition = tuple[str, int]  # kind and level
Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class StressPlan:
    """What is done to the crops.

    Attributes:
        kinds: names, in the order in which they are told.
        levels: 1 to 5, ascending.
        seed: of all randomness.
        side: longest side in pixels at which crops are corrupted.
        grounds: that objects are put on.
        cut_out_by: how objects are found.
    """

    kinds: tuple[str, ...] = tuple(KINDS)
    levels: tuple[int, ...] = (1, 3, 5)
    seed: int = 0
    side: int = SIDE
    grounds: Grounds = DRAWN_ALONE
    cut_out_by: CutOutBy = "auto"

    @property
    def conditions(self) -> list[Condition]:
        """Clean, then every kind at every level."""
        return [CLEAN, *((kind, level) for kind in self.kinds for level in self.levels)]


@dataclass
class StressAnswers:
    """What classifiers say of crops, condition by condition.

    Attributes:
        truth: class of each crop that was classified, by condition.
        names: of these crops.
        predicted: by classifier and condition: class, or -1 where there is none, and probability of each crop.
        cut: the objects that were cut out by polygon and by colour.
        not_cut: the others.
        unreadable: a line for each crop that could not be decoded.
    """

    truth: dict[Condition, list[int]] = field(default_factory=dict)
    names: dict[Condition, list[str]] = field(default_factory=dict)
    predicted: list[dict[Condition, list[tuple[int, float]]]] = field(default_factory=list)
    cut: list[int] = field(default_factory=lambda: [0, 0])
    not_cut: list[NotCutOut] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def cut_outs(self) -> CutOuts:
        """Which objects were cut out."""
        return CutOuts(self.cut[0], self.cut[1], tuple(self.not_cut))


def corrupted(scene: Scene, name: str, condition: Condition, seed: int) -> Image:
    """Return a crop under a condition; its pixels depend on seed, kind, level, the crop's name and the crop alone."""
    kind, level = condition
    if condition == CLEAN:
        return scene.image
    return KINDS[kind].apply(scene, level, Seeds(seed).child(f"stress/{kind}/{name}").numpy())


def classify_stressed(
    classifiers: Sequence[Classifier],
    crops: Sequence[StressCrop],
    labels: Sequence[str],
    plan: StressPlan,
    advance: Advance | None = None,
) -> StressAnswers:
    """Corrupt and classify crops.

    Args:
        classifiers: loaded bundles of the same classes.
        crops: what to corrupt.
        labels: the classes, in the order of the crops' indices.
        plan: how.
        advance: called with (done, all), of crops.
    """
    answers = StressAnswers(predicted=[{} for _ in classifiers])
    with ThreadPoolExecutor(usable_cores()) as pool:
        for start in range(0, len(crops), _BLOCK):
            block = _readable(crops[start : start + _BLOCK], plan.side, pool, answers)
            scenes = list(_scenes(block, plan, pool, answers))
            for condition in plan.conditions:
                images = _corrupted(scenes, condition, plan.seed, pool, answers)
                for classifier, predicted in zip(classifiers, answers.predicted, strict=True):
                    given = classifier.predict_many(images, batch=_BATCH, threads=1)
                    predicted.setdefault(condition, []).extend(_answer(item, labels) for item in given)
            if advance:
                advance(min(start + _BLOCK, len(crops)), len(crops))
    return answers


def _readable(
    crops: Sequence[StressCrop], side: int, pool: Executor, answers: StressAnswers
) -> list[tuple[StressCrop, Image]]:
    def loaded(crop: StressCrop) -> Image | str:
        try:
            return load_crop(crop, side)
        except UnreadableImage as error:
            return str(error)

    pairs = list(zip(crops, pool.map(loaded, crops), strict=True))
    answers.unreadable += [f"{crop.name} {image}" for crop, image in pairs if isinstance(image, str)]
    return [(crop, image) for crop, image in pairs if not isinstance(image, str)]


def _scenes(
    block: Sequence[tuple[StressCrop, Image]], plan: StressPlan, pool: Executor, answers: StressAnswers
) -> Iterator[tuple[StressCrop, Scene]]:
    """Each crop with what is known of it; who was cut out is noted."""
    if BACKGROUND not in plan.kinds:
        yield from ((crop, Scene(image)) for crop, image in block)
        return
    cuts = pool.map(lambda pair: cut_object(pair[0], pair[1], plan.cut_out_by), block)
    for (crop, image), cut in zip(block, cuts, strict=True):
        if cut.fault:
            answers.not_cut.append(NotCutOut(crop.name, cut.fault))
        else:
            answers.cut[0 if crop.polygons and plan.cut_out_by != "colour" else 1] += 1
        yield crop, Scene(image, None if cut.fault else cut.cover, plan.grounds)


def _corrupted(
    scenes: Sequence[tuple[StressCrop, Scene]], condition: Condition, seed: int, pool: Executor, answers: StressAnswers
) -> list[Image]:
    """The crops that there are of a condition, noted with their classes."""
    taken = [pair for pair in scenes if condition[0] != BACKGROUND or pair[1].cover is not None]
    answers.truth.setdefault(condition, []).extend(crop.label for crop, _ in taken)
    answers.names.setdefault(condition, []).extend(crop.name for crop, _ in taken)
    return list(pool.map(lambda pair: corrupted(pair[1], pair[0].name, condition, seed), taken))


def _answer(item: Prediction, labels: Sequence[str]) -> tuple[int, float]:
    return (-1, 0.0) if item.error else (labels.index(item.label), item.probability)


def score_stressed(
    answers: StressAnswers, at: int, classifier: Classifier, path: str, plan: StressPlan
) -> StressedBundle:
    """Score what one classifier said.

    Args:
        answers: of `classify_stressed`.
        at: which of its classifiers.
        classifier: that one.
        path: of its bundle, as it was given.
        plan: that was followed.
    """
    predicted, classes = answers.predicted[at], len(classifier.bundle.meta.labels)
    by_name = dict(zip(answers.names[CLEAN], zip(answers.truth[CLEAN], predicted[CLEAN], strict=True), strict=True))
    kinds = []
    for kind in plan.kinds:
        names = answers.names[kind, plan.levels[0]]
        if not names:
            continue
        clean = _level(0, [by_name[name][0] for name in names], [by_name[name][1] for name in names], classes)
        scores = [
            _level(level, answers.truth[kind, level], predicted[kind, level], classes, clean.macro_f1.value)
            for level in plan.levels
        ]
        kinds.append(KindScore(kind, len(names), clean, tuple(scores)))
    return StressedBundle(
        path=path,
        digest=classifier.bundle.digest,
        engine=classifier.engine_name,
        clean=_level(0, answers.truth[CLEAN], predicted[CLEAN], classes),
        kinds=tuple(kinds),
        summary=_summary(kinds, plan.levels),
        failed=sum(label < 0 for given in predicted.values() for label, _ in given),
    )


def _level(
    level: int, truth: Sequence[int], given: Sequence[tuple[int, float]], classes: int, clean: float | None = None
) -> LevelScore:
    t = np.array(truth, np.int64)
    p = np.array([label for label, _ in given], np.int64)
    p = np.where(p < 0, (t + 1) % classes, p)  # no answer is a wrong one
    macro_f1 = metrics.macro_f1_interval(t, p, classes, draws=1000)
    sure = float(np.mean([probability for _, probability in given]))
    kept = 1.0 if clean is None else macro_f1.value / max(clean, 1e-9)
    return LevelScore(level, macro_f1, float((t == p).mean()), sure, kept)


def _summary(kinds: Sequence[KindScore], levels: Sequence[int]) -> StressSummary:
    level = MIDDLE if MIDDLE in levels else levels[len(levels) // 2]
    scores = {kind.kind: kind.at(level) for kind in kinds}
    worst = min(scores, key=lambda name: scores[name].macro_f1.value)
    values: npt.NDArray[np.float64] = np.array([(score.macro_f1.value, score.kept) for score in scores.values()])
    f1, kept = values.mean(axis=0).tolist()
    return StressSummary(level, f1, kept, worst, scores[worst].macro_f1.value)

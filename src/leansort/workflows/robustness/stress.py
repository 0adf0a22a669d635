"""`leansort stress`: put crops through light, blur, dirt and other grounds, and tell what bundles keep."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leansort.core import bundle as bundles
from leansort.core import manifest as manifests
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError, not_one_of
from leansort.core.process.console import bar, say
from leansort.core.run_folder import DataFolder, StressFolder
from leansort.core.text.table_files import is_csv
from leansort.core.writing import atomic_io
from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.ground_truth import GroundTruth, read_ground_truth
from leansort.measure.corruptions.kinds import BACKGROUND, KINDS, LEVELS
from leansort.measure.corruptions.textures import Grounds
from leansort.measure.engine_selection import engine_choice
from leansort.measure.robustness.stress_crops import CutOutBy, StressCrop, choose_crops, load_grounds
from leansort.measure.robustness.stress_examples import stress_examples
from leansort.measure.robustness.stress_result import KindParameters, StressResult
from leansort.measure.robustness.stress_test import (
    SIDE,
    StressAnswers,
    StressPlan,
    classify_stressed,
    score_stressed,
)
from leansort.report.robustness.stress_page import stress_page
from leansort.runtime.predictor import Classifier
from leansort.workflows.data.object_polygons import object_polygons

CUT_OUT_BY: tuple[CutOutBy, ...] = ("auto", "polygon", "colour")


@dataclass(frozen=True)
class StressSettings:
    """How a stress test is made.

    Attributes:
        split: of the ground truth.
        kinds: names; empty for all.
        levels: 1 to 5.
        textures: folder of a user's own grounds.
        annotations: COCO files with the polygons of a manifest's crops.
        cut_out_by: `auto` takes the polygon where there is one, else the colour.
        crops: the most that are taken, a fixed subset with the classes in proportion; 0 for all.
        side: longest side in pixels at which crops are corrupted.
        seed: of all randomness.
        engine: that runs the bundles.
    """

    split: str = "val"
    kinds: tuple[str, ...] = ()
    levels: tuple[int, ...] = (1, 3, 5)
    textures: Path | None = None
    annotations: tuple[Path, ...] = ()
    cut_out_by: str = "auto"
    crops: int = 0
    side: int = SIDE
    seed: int = 0
    engine: str = ""


def stress(
    paths: Sequence[Path], names: Sequence[str], truth: Path, out: Path | None, settings: StressSettings
) -> StressResult:
    """Put one or two bundles under stress.

    Args:
        paths: one or two bundle files.
        names: what each is called in the result.
        truth: a manifest, a folder of class folders, or a CSV file `image,label`.
        out: folder that gets `stress.json` and `stress.html`; None writes nothing.
        settings: how.

    Raises:
        UserError: kinds or levels that there are not, polygons that are missing, classes that differ, nothing to test.
        IntegrityError: a bundle is damaged.
    """
    if not 1 <= len(paths) <= 2:
        raise UserError(f"stress: got {len(paths)} bundles, allowed: one, or two side by side")
    plan, notes = _plan(settings)
    if out is not None:
        atomic_io.require_free(out, "stress")
    opened = [bundles.load(path) for path in paths]
    ground_truth = _ground_truth(opened, truth, settings.split)
    crops = _crops(ground_truth, truth, settings)
    with ExitStack() as stack:
        classifiers = [
            stack.enter_context(engine_choice.classifier_of(bundle, settings.engine, say=say)) for bundle in opened
        ]
        say(f"stress: {len(crops):,} crops, {len(plan.kinds)} kinds at {len(plan.levels)} levels")
        with bar("stress") as advance:
            answers = classify_stressed(classifiers, crops, ground_truth.labels.names, plan, advance)
        notes += _require_answers(answers, plan)
        result = _result(classifiers, names, answers, plan, ground_truth)
    result = result.model_copy(update={"notes": (*ground_truth.notes, *notes, *answers.unreadable)})
    return result if out is None else _written(result, out, crops, answers, plan)


def name_list(given: str | Sequence[str]) -> tuple[str, ...]:
    """Names as a list, or with commas between them."""
    parts = given.split(",") if isinstance(given, str) else given
    return tuple(name for part in parts if (name := part.strip()))


def level_list(given: str | Sequence[int]) -> tuple[int, ...]:
    """Levels as numbers, or as text with commas between them.

    Raises:
        UserError: one is no whole number.
    """
    texts = name_list(given) if isinstance(given, str) else given
    try:
        return tuple(int(text) for text in texts)
    except ValueError:
        raise UserError(f"stress: --levels: got {given!r}, allowed: 1 to {LEVELS}, with commas between them") from None


def _plan(settings: StressSettings) -> tuple[StressPlan, list[str]]:
    for kind in settings.kinds:
        if kind not in KINDS:
            raise not_one_of("stress: --kinds", kind, KINDS)
    levels = tuple(sorted(set(settings.levels)))
    if not levels or not set(levels) <= set(range(1, LEVELS + 1)):
        raise UserError(f"stress: --levels: got {', '.join(map(str, levels)) or 'none'}, allowed: 1 to {LEVELS}")
    kinds = tuple(name for name in KINDS if not settings.kinds or name in settings.kinds)
    by: CutOutBy | None = next((name for name in CUT_OUT_BY if name == settings.cut_out_by), None)
    if by is None:
        raise not_one_of("stress: --cut-out", settings.cut_out_by, CUT_OUT_BY)
    if by == "polygon" and not settings.annotations:
        raise UserError("stress: --cut-out polygon needs polygons, and there are none: give --annotations FILE (COCO)")
    given = {"--textures": settings.textures, "--annotations": settings.annotations}
    for option, value in given.items():
        if value and BACKGROUND not in kinds:
            raise UserError(f"stress: {option} has no effect without the kind {BACKGROUND!r}; got {', '.join(kinds)}")
    photos, notes = load_grounds(settings.textures) if settings.textures else ((), [])
    return StressPlan(kinds, levels, settings.seed, settings.side, Grounds(photos), by), notes


def _ground_truth(opened: Sequence[Bundle], path: Path, split: str) -> GroundTruth:
    truth = read_ground_truth(path, split, opened[0].labels)
    for bundle in opened:
        if set(bundle.meta.labels) != set(truth.labels.names):
            raise UserError(
                f"stress: {truth.where} and a bundle have different classes: "
                f"{', '.join(truth.labels.names)}; {', '.join(bundle.meta.labels)}"
            )
    return truth


def _crops(truth: GroundTruth, path: Path, settings: StressSettings) -> list[StressCrop]:
    polygons = {}
    if settings.annotations:
        if is_csv(path) or (path.is_dir() and not DataFolder(path).manifest.exists()):
            raise UserError(f"stress: --annotations needs a manifest, whose crops name their boxes; {path} is none")
        polygons = object_polygons(manifests.load(path), settings.split, settings.annotations)
    crops = [
        StressCrop(name, truth.files[name], at, polygons.get(truth.files[name], ())) for name, at in truth.index.items()
    ]
    return choose_crops(crops, settings.crops)


def _require_answers(answers: StressAnswers, plan: StressPlan) -> list[str]:
    """Refuse a test of nothing; return a note on the kind that could not be made."""
    first = plan.levels[0]
    if not answers.truth[plan.conditions[0]]:
        raise UserError(f"stress: no crop can be read, first {answers.unreadable[0]}")
    if BACKGROUND not in plan.kinds or answers.truth[BACKGROUND, first]:
        return []
    lost = answers.not_cut[0]
    what = f"no object could be cut out of {len(answers.not_cut)} crops, first {lost.image}: {lost.reason}"
    if plan.kinds == (BACKGROUND,):
        raise UserError(f"stress: {what}")
    return [f"{BACKGROUND} was left out: {what}"]


def _result(
    classifiers: Sequence[Classifier],
    paths: Sequence[str],
    answers: StressAnswers,
    plan: StressPlan,
    truth: GroundTruth,
) -> StressResult:
    names = truth.labels.names
    clean = np.array(answers.truth[plan.conditions[0]])
    scored = [
        score_stressed(answers, at, classifier, path, plan)
        for at, (classifier, path) in enumerate(zip(classifiers, paths, strict=True))
    ]
    return StressResult(
        bundles=tuple(scored),
        truth=truth.where,
        crops=len(clean),
        macro_f1_classes=metrics.coverage(names, np.bincount(clean, minlength=len(names)).tolist()),
        side=plan.side,
        seed=plan.seed,
        parameters=tuple(_parameters(kind) for kind in plan.kinds),
        cut_outs=answers.cut_outs if BACKGROUND in plan.kinds else None,
        textures=len(plan.grounds.photos),
    )


def _parameters(name: str) -> KindParameters:
    kind = KINDS[name]
    levels = tuple(tuple(value) if isinstance(value, tuple) else (value,) for value in kind.levels)
    return KindParameters(name, kind.parameter, levels, kind.source)


def _written(
    result: StressResult, out: Path, crops: Sequence[StressCrop], answers: StressAnswers, plan: StressPlan
) -> StressResult:
    folder = StressFolder(atomic_io.new_folder(out, "stress"))
    lost = {item.image for item in answers.not_cut}
    examples = stress_examples(crops, lost, plan)
    result = result.model_copy(update={"page": str(folder.page.path)})
    folder.page.write(stress_page(result, examples))
    folder.result.write(result)
    return result

"""Pictures for a stress test's page: one crop under every kind and level, and objects on other grounds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from leansort.core.pixels import Image
from leansort.core.preprocess import UnreadableImage
from leansort.measure.corruptions.kinds import BACKGROUND, LEVELS, MIDDLE, Scene
from leansort.measure.robustness.stress_crops import StressCrop, cut_object, load_crop
from leansort.measure.robustness.stress_test import StressPlan, corrupted

MOST_CUT_OUTS = 24
_LEVELS = range(1, LEVELS + 1)


@dataclass(frozen=True)
class StressExamples:
    """What a page shows.

    Attributes:
        name: of the crop that is shown under every kind; empty where none can be.
        clean: this crop; None where there is none.
        levels: this crop by kind, at levels 1 to 5.
        cut_outs: name and picture of objects on other grounds, at the middle level.
    """

    name: str = ""
    clean: Image | None = None
    levels: dict[str, tuple[Image, ...]] | None = None
    cut_outs: tuple[tuple[str, Image], ...] = ()


def stress_examples(crops: Sequence[StressCrop], not_cut: Collection[str], plan: StressPlan) -> StressExamples:
    """Make the pictures, as the test made its own.

    Args:
        crops: of the test.
        not_cut: names of those whose objects could not be cut out.
        plan: of the test.
    """
    usable = [crop for crop in crops if crop.name not in not_cut]
    step = max(1, len(usable) // MOST_CUT_OUTS)
    scenes = {crop.name: _scene(crop, plan) for crop in usable[step // 2 :: step][:MOST_CUT_OUTS]}
    shown = [(name, scene) for name, scene in scenes.items() if scene is not None]
    if not shown:
        return StressExamples()
    name, first = shown[0]
    kinds = [kind for kind in plan.kinds if kind != BACKGROUND or first.cover is not None]
    levels = {kind: tuple(corrupted(first, name, (kind, at), plan.seed) for at in _LEVELS) for kind in kinds}
    cut_outs = [
        (name, corrupted(scene, name, (BACKGROUND, MIDDLE), plan.seed))
        for name, scene in shown
        if scene.cover is not None
    ]
    return StressExamples(name, first.image, levels, tuple(cut_outs))


def _scene(crop: StressCrop, plan: StressPlan) -> Scene | None:
    try:
        image = load_crop(crop, plan.side)
    except UnreadableImage:
        return None
    if BACKGROUND not in plan.kinds:
        return Scene(image)
    cut = cut_object(crop, image, plan.cut_out_by)
    return Scene(image, None if cut.fault else cut.cover, plan.grounds)

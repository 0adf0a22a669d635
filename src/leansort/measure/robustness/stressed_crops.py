"""Crops under every kind of a stress at one level, as a network takes them: made once, for all that are compared.

Pixels are those of `stress_test`: they depend on seed, kind, level and the crop's name and pixels alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leansort.core.preprocess import Preprocess
from leansort.measure.corruptions.kinds import BACKGROUND, Scene
from leansort.measure.robustness.stress_crops import StressCrop, cut_object, load_crop
from leansort.measure.robustness.stress_result import NotCutOut
from leansort.measure.robustness.stress_test import Advance, StressPlan, corrupted
from leansort.runtime.autobatch import usable_cores

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class StressFacts:
    """What networks were compared under.

    Attributes:
        kinds: of corruption, in the order in which they are told.
        level: of each, 1 to 5.
        crops: val crops that were taken.
        seed: of all randomness.
        digest: of everything that decides the pixels.
        not_cut: crops whose object could not be cut out; other grounds are measured without them.
        left_out: the kind that could be made of no crop, with the reason; empty where there is none.
    """

    kinds: tuple[str, ...]
    level: int
    crops: int
    seed: int
    digest: str
    not_cut: tuple[NotCutOut, ...] = ()
    left_out: str = ""

    def __str__(self) -> str:
        """As `16 kinds at level 3, 100 val crops`."""
        kinds = self.kinds[0] if len(self.kinds) == 1 else f"{len(self.kinds)} kinds"
        return f"{kinds} at level {self.level}, {self.crops:,} val crops"


@dataclass(frozen=True)
class StressedCrops:
    """Crops under stress.

    Attributes:
        facts: what stress.
        pixels: uint8 RGB (k * n, s, s, 3), all crops kind by kind; those that could not be made are black.
        label_n: class index of each crop.
        there_kn: whether a crop could be made, by kind.
    """

    facts: StressFacts
    pixels: Pixels
    label_n: npt.NDArray[np.int64]
    there_kn: npt.NDArray[np.bool_]


def fill_stressed(
    pixels: Pixels,
    crops: Sequence[StressCrop],
    preprocess: Preprocess,
    plan: StressPlan,
    advance: Advance | None = None,
) -> list[NotCutOut]:
    """Corrupt crops at the plan's first level, and lay them out as a network takes them.

    Args:
        pixels: zeros of the shape (kinds * crops, size, size, 3), which get the crops.
        crops: the crops.
        preprocess: of the network.
        plan: how.
        advance: called with (done, all), of crops.

    Returns:
        The crops whose objects could not be cut out, where the plan puts them on other grounds.

    Raises:
        UnreadableImage: a crop is missing or no image.
    """

    def fill(at: int) -> str:
        crop = crops[at]
        scene, fault = _scene(crop, plan)
        for number, kind in enumerate(plan.kinds):
            if kind != BACKGROUND or scene.cover is not None:
                image = corrupted(scene, crop.name, (kind, plan.levels[0]), plan.seed)
                pixels[number * len(crops) + at] = preprocess(np.ascontiguousarray(image))
        return fault

    lost = []
    with ThreadPoolExecutor(usable_cores()) as pool:
        for done, (crop, fault) in enumerate(zip(crops, pool.map(fill, range(len(crops))), strict=True), 1):
            if fault:
                lost.append(NotCutOut(crop.name, fault))
            if advance:
                advance(done, len(crops))
    return lost


def _scene(crop: StressCrop, plan: StressPlan) -> tuple[Scene, str]:
    """A crop with what is known of it, and why its object could not be cut out."""
    image = load_crop(crop, plan.side)
    if BACKGROUND not in plan.kinds:
        return Scene(image), ""
    cut = cut_object(crop, image, plan.cut_out_by)
    return Scene(image, None if cut.fault else cut.cover, plan.grounds), cut.fault

"""RandAugment's and TrivialAugment's operators: how strong each is, and how those drawn for a crop are done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from leansort.data.augmentation.affine import GEOMETRIC, Affine, Pixels, compose, is_shift, shift_image, warp
from leansort.data.augmentation.filters import color, contrast, sharpness
from leansort.data.augmentation.lookup_tables import FIXED, Table, apply_table, autocontrast, equalize, fixed_table

LEVELS = 31


class Filter(NamedTuple):
    """An operator in FILTERS."""

    name: str
    value: float


Step = Affine | Table | Filter
FILTERS: dict[str, Callable[[Pixels, float], Pixels]] = {
    "AutoContrast": autocontrast,
    "Equalize": equalize,
    "Color": color,
    "Contrast": contrast,
    "Sharpness": sharpness,
}
SIGNED = frozenset(GEOMETRIC) | {"Brightness", "Color", "Contrast", "Sharpness"}  # either way by chance


def strengths(names: Sequence[str], size: int, wide: bool) -> npt.NDArray[np.float64]:
    """Strength of each operator at each level, (operators, LEVELS).

    Args:
        names: of the operators.
        size: of the image in pixels.
        wide: TrivialAugment's ranges (arXiv:2103.10158) in place of RandAugment's (arXiv:1909.13719).

    Returns:
        Shear in pixels a pixel, shifts in pixels, turns in degrees, blends as factor - 1, bits, threshold of 255.
    """
    shift = 32.0 if wide else 150.0 / 331.0 * size
    shear, turn, blend, bits = (0.99, 135.0, 0.99, 6) if wide else (0.3, 30.0, 0.9, 4)
    most = dict.fromkeys(("ShearX", "ShearY"), shear) | dict.fromkeys(("TranslateX", "TranslateY"), shift)
    most |= {"Rotate": turn, "SolarizeAdd": 110.0}
    most |= dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), blend)
    rising = {name: np.linspace(0.0, end, LEVELS) for name, end in most.items()}
    rising["Posterize"] = np.rint(8 - np.arange(LEVELS) * bits / (LEVELS - 1))
    rising["Solarize"] = np.linspace(1.0, 0.0, LEVELS)
    return np.stack([rising.get(name, np.zeros(LEVELS)) for name in names])


def compile_steps(drawn: Iterable[tuple[str, float]], size: int) -> list[Step]:
    """Turn drawn operators into steps, in their order; neighbours that are maps, or fixed tables, become one.

    Args:
        drawn: names and signed strengths.
        size: of the image in pixels.
    """
    made: list[Step] = []
    busy = [operator for operator in drawn if operator[0] != "Identity"]
    for kind, run in groupby(busy, key=lambda operator: _kind(operator[0])):
        if kind == "geometric":
            made.append(reduce(compose, [GEOMETRIC[name](value, size) for name, value in run]))
        elif kind == "table":
            made.append(reduce(lambda first, second: second[first], [fixed_table(name, value) for name, value in run]))
        else:
            made += [Filter(name, value) for name, value in run]
    return made


def _kind(name: str) -> str:
    return "geometric" if name in GEOMETRIC else "table" if name in FIXED else "filter"


def apply_step(picture: Pixels, step: Step) -> Pixels:
    """Do a step to a square image (size, size, 3); the given one stays as it is."""
    if isinstance(step, Affine):
        return shift_image(picture, step) if is_shift(step) else warp(picture, step, len(picture))
    if isinstance(step, Filter):
        return FILTERS[step.name](picture, step.value)
    return apply_table(picture, step)

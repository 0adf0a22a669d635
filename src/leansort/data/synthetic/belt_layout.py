"""How densely objects lie on a drawn belt: in how many lanes, how large, and how far apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

from leansort.core.errors import UserError

CROSSING = 2.0  # seconds that an object takes through the picture, where nothing else is asked for
LEAST_SIDE = 24  # pixels of an object's patch; of a smaller one nobody could tell what it is
_SHARE = 0.9  # of a lane's height that a patch has: objects of neighbouring lanes never touch
_LANES, _APART = 2, (1.15, 2.2)  # where no density is asked for
_LEAST_APART, _MEAN_APART = 1.1, 1.3  # of a dense belt: from one patch's beginning to the next one's, in sides


@dataclass(frozen=True)
class BeltLook:
    """How a belt's video looks.

    Attributes:
        width: in pixels, even.
        height: in pixels, even.
        rate: frames a second.
        blur: length of the motion blur in pixels; 0 or 1 is none.
        glare: how white the lamp's reflection is that objects pass through, 0 to 1.
        density: objects a second that pass, above 0; None for two lanes of large objects, about two a second.
        crossing: seconds that an object takes through the picture, above 0.
    """

    width: int = 640
    height: int = 360
    rate: int = 30
    blur: int = 0
    glare: float = 0.0
    density: float | None = None
    crossing: float = CROSSING

    @property
    def speed(self) -> float:
        """Of the belt, in pixels a frame."""
        return self.width / self.crossing / self.rate


@dataclass(frozen=True)
class BeltLayout:
    """Where objects may lie.

    Attributes:
        lanes: side by side, at least 2.
        side: of the square that each object has for itself, in pixels.
        apart: least and most distance from the beginning of one square to that of the next in a lane, in sides; above
            1, so that no object covers another one.
    """

    lanes: int
    side: int
    apart: tuple[float, float]


def belt_layout(look: BeltLook) -> BeltLayout:
    """Return the fewest lanes, and so the largest objects, with which the density is reached.

    Raises:
        UserError: objects would be smaller than `LEAST_SIDE`, or go further in a frame than they are long.
    """
    lanes, apart = _LANES, _APART
    if look.density is not None:
        lanes = max(_LANES, math.ceil(math.sqrt(_MEAN_APART * look.density / _of_one_lane(look))))
        mean = lanes**2 * _of_one_lane(look) / look.density
        apart = (_LEAST_APART, 2 * mean - _LEAST_APART)
    side = round(_SHARE * look.height / lanes)
    if look.density is not None and side < LEAST_SIDE:
        most = int(_SHARE * look.height / LEAST_SIDE) ** 2 * _of_one_lane(look) / _MEAN_APART
        raise UserError(
            f"data sample: density: got {look.density:g} objects a second, allowed: up to {math.floor(most):,} where "
            f"{look.width}x{look.height} pixels are crossed in {look.crossing:g} s"
        )
    if look.speed > side:
        raise UserError(
            f"data sample: crossing: got {look.crossing:g} s, need more: objects of {side} pixels would go "
            f"{look.speed:.0f} in a frame, further than their own length, and could not be followed"
        )
    return BeltLayout(lanes, side, apart)


def _of_one_lane(look: BeltLook) -> float:
    """Objects a second of a single lane as high as the picture, were there no distance between them."""
    return look.width / look.crossing / (_SHARE * look.height)

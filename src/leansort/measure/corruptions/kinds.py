"""The kinds of corruption, with what sets each of their five levels.

Where ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261) has the kind, its numbers are taken; its radii are
pixels of images of 224, here fractions of the longer side. The others are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from leansort.measure.corruptions import geometry, lens, light, optics
from leansort.measure.corruptions.arrays import Floats, Image, Rng
from leansort.measure.corruptions.ground_replacement import replace_ground
from leansort.measure.corruptions.textures import Grounds

LEVELS = 5
MIDDLE = 3  # the level that kinds are compared at
BACKGROUND = "background"
_REF = "ImageNet-C"
DRAWN_ALONE = Grounds()
Value = TypeVar("Value")


@dataclass(frozen=True)
class Scene:
    """A photo, and what corruptions need to know of it.

    Attributes:
        image: uint8 (h, w, 3) RGB.
        cover: (h, w), 1 where the object is; None where that is not known.
        grounds: that an object may be put on.
    """

    image: Image
    cover: Floats | None = None
    grounds: Grounds = DRAWN_ALONE


@dataclass(frozen=True)
class Kind(Generic[Value]):
    """One kind of corruption.

    Attributes:
        name: as commands and recipes say it.
        parameter: what its levels set, with the unit.
        levels: the parameter at levels 1 to 5.
        source: where the numbers are from; empty for our own.
        function: changes a scene's image; gets the scene, the parameter and the image's own random numbers.
    """

    name: str
    parameter: str
    levels: tuple[Value, Value, Value, Value, Value]
    function: Callable[[Scene, Value, Rng], Image]
    source: str = ""

    def apply(self, scene: Scene, level: int, rng: Rng) -> Image:
        """Corrupt a photo.

        Args:
            scene: the photo; the given arrays stay as they are.
            level: 1 to 5.
            rng: of this photo and kind; the same one for every level, so that levels differ in strength alone.

        Returns:
            uint8 (h', w', 3), of other sides where the box is what is off.
        """
        return self.function(scene, self.levels[level - 1], rng)


def _replaced(scene: Scene, value: Any, rng: Rng) -> Image:
    if scene.cover is None:
        raise ValueError("a ground is replaced where the object was cut out")
    return replace_ground(scene.image, scene.cover, value, scene.grounds, rng)


def _on(function: Callable[[Image, Any, Rng], Image]) -> Callable[[Scene, Any, Rng], Image]:
    """A corruption that needs the photo alone."""
    return lambda scene, value, rng: function(scene.image, value, rng)


_ALL: tuple[Kind[Any], ...] = (
    Kind("darker", "stops less exposure", (0.5, 1.0, 1.5, 2.25, 3.0), _on(light.darken)),
    Kind("brighter", "added to the value of HSV", (0.1, 0.2, 0.3, 0.4, 0.5), _on(light.brighten), f"{_REF} brightness"),
    Kind("contrast", "contrast kept", (0.4, 0.3, 0.2, 0.1, 0.05), _on(light.flatten_contrast), f"{_REF} contrast"),
    Kind("colour_cast", "logarithm between the channels' gains", (0.3, 0.6, 0.9, 1.3, 1.8), _on(light.cast_colour)),
    Kind("blur", "radius in px of 224", (3.0, 4.0, 6.0, 8.0, 10.0), _on(optics.defocus), f"{_REF} defocus_blur"),
    Kind(
        "motion_blur",
        "radius and deviation in px of 224",
        ((10.0, 3.0), (15.0, 5.0), (15.0, 8.0), (15.0, 12.0), (20.0, 15.0)),
        _on(optics.blur_motion),
        f"{_REF} motion_blur",
    ),
    Kind("noise", "deviation", (0.08, 0.12, 0.18, 0.26, 0.38), _on(optics.add_noise), f"{_REF} gaussian_noise"),
    Kind(
        "shot_noise",
        "photons of a white pixel",
        (60.0, 25.0, 12.0, 5.0, 3.0),
        _on(optics.add_shot_noise),
        f"{_REF} shot_noise",
    ),
    Kind("jpeg", "quality", (25.0, 18.0, 15.0, 10.0, 7.0), _on(optics.compress), f"{_REF} jpeg_compression"),
    Kind("dirt", "fraction of the lens soiled", (0.03, 0.07, 0.13, 0.21, 0.32), _on(lens.soil)),
    Kind("occlusion", "fraction of the image covered", (0.05, 0.1, 0.17, 0.25, 0.35), _on(lens.occlude)),
    Kind("crush", "deviation of dents, of the side", (0.008, 0.015, 0.022, 0.03, 0.04), _on(geometry.crush)),
    Kind("rotation", "degrees", (10.0, 25.0, 45.0, 90.0, 135.0), _on(geometry.rotate)),
    Kind("distance", "size of the photo in the frame", (0.8, 0.65, 0.5, 0.4, 0.3), _on(geometry.move_away)),
    Kind(
        "crop_error",
        "shift and looseness of the box, of its sides",
        ((0.05, 0.1), (0.1, 0.2), (0.15, 0.3), (0.2, 0.4), (0.25, 0.5)),
        _on(geometry.misplace_box),
    ),
    Kind(
        BACKGROUND,
        "share and contrast of the new ground",
        ((0.35, 1.0), (0.7, 1.0), (1.0, 1.0), (1.0, 1.4), (1.0, 1.8)),
        _replaced,
    ),
)  # fmt: skip
KINDS: dict[str, Kind[Any]] = {kind.name: kind for kind in _ALL}

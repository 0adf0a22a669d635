"""`leansort data sample`: scenes, or a belt as a video."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.process.console import bar
from leansort.core.writing.atomic_io import new_folder
from leansort.workflows.data.data_results import SampleResult

SCENES = {"train": 900, "val": 150, "test": 250}
FRAMES, SIZE = 300, "640x360"
LEAST, MOST = 64, 4096  # pixels of a video's side


@dataclass(frozen=True)
class SampleOptions:
    """What is to be drawn; None and empty stand for what is usual.

    Attributes:
        seed: root seed.
        scenes: number of scenes by split.
        video: whether a belt is drawn, and no scenes.
        frames: of the video.
        size: of the video, as `WIDTHxHEIGHT`.
        blur: motion blur in pixels.
        glare: whiteness of a reflection, 0 to 1.
        density: objects a second.
        crossing: seconds that an object takes through the picture.
    """

    seed: int
    scenes: Mapping[str, int | None]
    video: bool = False
    frames: int | None = None
    size: str = ""
    blur: int | None = None
    glare: float | None = None
    density: float | None = None
    crossing: float | None = None


def draw(out: Path, options: SampleOptions) -> SampleResult:
    """Draw what the options say.

    Raises:
        UserError: the folder is not empty, the size is none, or an option has no effect.
        ModuleNotFoundError: a video needs PyAV, which is not installed.
    """
    of_video = {
        "frames": options.frames,
        "size": options.size,
        "blur": options.blur,
        "glare": options.glare,
        "density": options.density,
        "crossing": options.crossing,
    }
    for name, value in (options.scenes if options.video else of_video).items():
        if value is not None and value != "":
            kind = "is of scenes, and has no effect with --video" if options.video else "is of a video; add --video"
            raise UserError(f"data sample: --{name} {kind}")
    if options.video:
        return _draw_video(out, options)
    from leansort.workflows.data.import_data import draw_sample  # a video needs less than what this imports

    counts = {split: SCENES[split] if count is None else count for split, count in options.scenes.items()}
    return draw_sample(
        new_folder(out, "data sample"),
        seed=options.seed,
        train=counts["train"],
        val=counts["val"],
        test=counts["test"],
    )


def _draw_video(out: Path, options: SampleOptions) -> SampleResult:
    import av  # noqa: F401  # before the folder is made, and before OpenCV, which the extra of a video brings, too

    from leansort.data.synthetic.belt_layout import CROSSING, BeltLook, belt_layout
    from leansort.data.synthetic.belt_video import TRUTH, VIDEO, draw_belt_video

    width, height = _sides(options.size or SIZE)
    look = BeltLook(
        width=width,
        height=height,
        blur=options.blur or 0,
        glare=options.glare or 0.0,
        density=options.density,
        crossing=CROSSING if options.crossing is None else options.crossing,
    )
    belt_layout(look)  # refuses what cannot be drawn, before there is a folder
    frames = FRAMES if options.frames is None else options.frames
    new_folder(out, "data sample")
    with bar("drawing frames") as advance:
        drawn = draw_belt_video(out, seed=options.seed, frames=frames, look=look, progress=advance)
    return SampleResult(
        annotations=out / TRUTH, scenes={}, boxes=drawn.boxes, video=out / VIDEO, frames=frames, objects=drawn.objects
    )


def _sides(size: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    if any(side % 2 or not LEAST <= side <= MOST for side in sides):
        raise UserError(f"data sample: --size: got {size!r}, need WIDTHxHEIGHT such as {SIZE}, even, {LEAST} to {MOST}")
    return sides

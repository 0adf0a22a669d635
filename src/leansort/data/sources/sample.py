"""A data set that leansort draws itself: scenes of trash with COCO annotations, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import Field

from leansort.core.strict_model import StrictModel
from leansort.data.importing.items import Items
from leansort.data.sources import coco
from leansort.data.synthetic.dataset import draw_dataset


class Config(StrictModel):
    """What to draw.

    Attributes:
        path: gets `annotations.json`, `images/` and the crops.
        seed: root seed of the drawing.
        train: scenes to train on.
        val: scenes to choose on.
        test: scenes to score on.
    """

    path: Path
    seed: int = Field(default=0, ge=0)
    train: int = Field(default=900, ge=1)
    val: int = Field(default=150, ge=1)
    test: int = Field(default=250, ge=1)


def items(config: Config) -> Items:
    """Draw the scenes and cut out their boxes.

    Raises:
        LeansortError: the folder cannot be written.
    """
    draw_dataset(config.path, seed=config.seed, scenes={"train": config.train, "val": config.val, "test": config.test})
    result = coco.items(coco.Config(path=config.path / "annotations.json", out=config.path))
    return replace(result, inputs=None)  # they are drawn by the seed, and lie in the folder of the run

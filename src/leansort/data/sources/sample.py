"""A data set that leansort draws itself: scenes of trash with COCO annotations, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import Field

from leansort.core.strict_model import StrictModel
from leansort.data.importing.data_source import DataSource, ProgressCallback
from leansort.data.importing.items import Items
from leansort.data.sources.coco import CocoConfig, CocoSource
from leansort.data.synthetic.dataset import draw_dataset


class SampleConfig(StrictModel):
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


class SampleSource(DataSource[SampleConfig]):
    """Draws a data set of trash scenes."""

    Config = SampleConfig
    progress = "drawing scenes, then cutting crops"

    def items(self, advance: ProgressCallback | None = None) -> Items:
        """Draw the scenes and cut out their boxes.

        Args:
            advance: called with (done, all); every scene counts twice, as it is drawn and as it is cut.

        Raises:
            LeansortError: the folder cannot be written.
        """
        config = self.config
        draw_dataset(
            config.path,
            seed=config.seed,
            scenes={"train": config.train, "val": config.val, "test": config.test},
            progress=advance and _half(advance, first=True),
        )
        cutting = advance and _half(advance, first=False)
        result = CocoSource(CocoConfig(path=config.path / "annotations.json", out=config.path)).items(cutting)
        return replace(result, inputs=None)  # they are drawn by the seed, and lie in the folder of the run


def _half(advance: ProgressCallback, *, first: bool) -> ProgressCallback:
    """Move one bar by two jobs of equal length, one after the other."""
    return lambda done, total: advance(done if first else total + done, 2 * total)

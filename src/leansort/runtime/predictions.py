"""Predictions for many images, as a result that shows itself."""

from __future__ import annotations

from collections import Counter

from leansort.core.files.typed_result import TypedResult
from leansort.core.writing.escaping import markup
from leansort.runtime.predictor import Prediction

MOST_SHOWN = 20  # rows in a notebook


class Predictions(TypedResult):
    """What a bundle says of images.

    Attributes:
        images: paths of the images, in the order that they were given.
        predictions: one for each image; its `error` is set where the image could not be read.
        labels: the classes, in the order of each prediction's probabilities.
        bundle: digest of the bundle.
        engine: that ran it, with its settings.
    """

    images: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    labels: tuple[str, ...]
    bundle: str
    engine: str

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Paths of the images that have no label."""
        return tuple(image for image, item in zip(self.images, self.predictions, strict=True) if item.error)

    @property
    def counts(self) -> dict[str, int]:
        """Number of images by label, in the order of the labels; classes without an image are left out."""
        counted = Counter(item.label for item in self.predictions if not item.error)
        return {label: counted[label] for label in self.labels if counted[label]}

    def by_image(self) -> dict[str, Prediction]:
        """Return the predictions by path."""
        return dict(zip(self.images, self.predictions, strict=True))

    def headline(self) -> dict[str, str]:
        """Return how many images there are, how many of each label, and how many could not be read."""
        counted = ", ".join(f"{label} {count:,}" for label, count in self.counts.items())
        accepted = sum(item.accepted for item in self.predictions)
        return {
            "pictures": f"{len(self.images):,}",
            "labels": counted or "none",
            "accepted": f"{accepted:,}",
            "unreadable": f"{len(self.unreadable):,}",
            "engine": self.engine,
        }

    def _repr_html_(self) -> str:
        """Return a row an image, of the first ones, below the counts; notebooks show it in place of the object."""
        rows = "".join(
            f"<tr><td style='text-align:left'>{markup(image)}</td><td style='text-align:left'>{markup(_shown(item))}"
            f"</td><td>{'' if item.error else f'{item.probability:.3f}'}</td></tr>"
            for image, item in list(zip(self.images, self.predictions, strict=True))[:MOST_SHOWN]
        )
        more = len(self.images) - MOST_SHOWN
        note = f"<div>and {more:,} more</div>" if more > 0 else ""
        caption = ", ".join(f"{name} {text}" for name, text in self.headline().items())
        head = (
            "<tr><th style='text-align:left'>image</th><th style='text-align:left'>label</th><th>probability</th></tr>"
        )
        return f"<table><caption>{markup(caption)}</caption><tr>{head}</tr>{rows}</table>{note}"


def _shown(item: Prediction) -> str:
    if item.error:
        return f"error: {item.error}"
    return item.label if item.accepted else f"{item.label} (rejected)"

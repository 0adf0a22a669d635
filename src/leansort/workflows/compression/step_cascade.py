"""The cascade that a step of a compression makes: both graphs calibrated, and a threshold fitted on val."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from leansort.arch.trained_model import TrainedModel
from leansort.compress.passes_api import Artifact
from leansort.core.bundle import Bundle
from leansort.core.files.bundle_cascade import CascadeSettings, Decode
from leansort.core.manifest import Manifest
from leansort.measure.accuracy.ground_truth import GroundTruth
from leansort.measure.accuracy.image_names import image_names
from leansort.recipe.schema import Recipe
from leansort.runtime.cascades.cascade_bundle import assemble, default_decode
from leansort.workflows.cascading.make_cascade import fit_pair

Calibrated = Callable[[Bundle], Bundle]


def assemble_unfitted(
    export: Callable[[TrainedModel], Bundle], small: Artifact, large: Bundle, max_f1_drop: float, decode: str
) -> Bundle:
    """A cascade whose small graph is taken to answer half of all photos, where there are no photos to fit it on.

    Raises:
        UserError: the two cannot be a cascade.
    """
    first = small if isinstance(small, Bundle) else export(small)
    way = cast(Decode, decode) or default_decode(first, large)
    return assemble(first, large, CascadeSettings(threshold=0.5, decode=way, share=0.5))


@dataclass(frozen=True)
class StepCascade:
    """Makes cascades of a small network and what a pipeline holds.

    Attributes:
        recipe: names the cascade, and its target runs both graphs.
        manifest: its val photos fit the threshold.
        export: makes the bundle of a trained network.
        calibrated: fits a bundle's temperature, threshold and novelty, on which a cascade relies.
    """

    recipe: Recipe
    manifest: Manifest
    export: Callable[[TrainedModel], Bundle]
    calibrated: Calibrated

    def __call__(self, small: Artifact, large: Bundle, max_f1_drop: float, decode: str) -> Bundle:
        """Make one; a small bundle keeps its own calibration.

        Raises:
            NoThresholdError: val has too few photos, or no threshold keeps the macro-F1.
            UserError: the two cannot be a cascade.
        """
        first = small if isinstance(small, Bundle) else self.calibrated(self.export(small))
        made = fit_pair(
            first, self.calibrated(large), self._truth(), max_f1_drop=max_f1_drop, decode=decode,
            engine=self.recipe.target.engine_spec, name=self.recipe.name,
        ).bundle  # fmt: skip
        known = {**large.meta.provenance, **made.meta.provenance}
        return replace(made, meta=made.meta.model_copy(update={"provenance": known}))

    def _truth(self) -> GroundTruth:
        rows = self.manifest.split("val")
        files = [self.manifest.path(row) for row in rows]
        names = image_names(files)
        labels = {name: row.label for name, row in zip(names, rows, strict=True)}
        return GroundTruth(self.manifest.labels, labels, dict(zip(names, files, strict=True)), "val")

"""A small network answers the photos that it is sure of, and the pipeline's own network the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from leansort.arch import trained_model
from leansort.arch.trained_model import TrainedModel
from leansort.compress.passes.quantize import GRAPH_FORMATS, ONNX, QuantizePass
from leansort.compress.passes_api import Artifact, CompressionPass, PassContext, PassOutcome
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError
from leansort.core.files.bundle_cascade import Decode
from leansort.core.run_folder import ModelFolder
from leansort.core.strict_model import StrictModel
from leansort.measure.accuracy.cascade_fit import NoThresholdError
from leansort.runtime import shipped_models


class CascadeConfig(StrictModel):
    """Which network answers first.

    Attributes:
        small: its bundle, a name of `leansort models`, or a trained network: `model.safetensors` or its folder. Its
            classes are those of the data, in their order.
        decode: `once` decodes a photo for the pipeline's network and shrinks its pixels for the small one, `again`
            decodes it for each of the two that answers; None: once where both are fitted alike.
        fraction: of the macro-F1 that the step may lose, for which the threshold is fitted.
    """

    small: str = Field(min_length=1)
    decode: Decode | None = None
    fraction: float = Field(default=1.0, ge=0.0, le=1.0)


class CascadePass(CompressionPass[CascadeConfig, Bundle]):
    """Makes a cascade, with a threshold that is fitted on val for what the step's budget allows."""

    Config = CascadeConfig
    stage = "graph"
    faster = True
    note = "the mean time falls, not the longest: p99 is that of the large graph and the small one's time"
    last = True  # no pass works on two graphs
    timed_on_photos = True  # noise is what no small graph is sure of

    def weaker(self, fraction: float) -> CascadePass:
        """Fit for a part of what may be lost."""
        return self.changed(fraction=fraction * self.config.fraction)

    def obstacle(self, earlier: CompressionPass) -> str:
        """A small graph in another format than the one that the large graph is quantized in."""
        if not isinstance(earlier, QuantizePass):
            return ""
        try:
            small = self._small()
        except LeansortError:
            return ""  # which `unfit` tells
        own = small.format if isinstance(small, Bundle) else ONNX
        other = GRAPH_FORMATS[earlier.config.engine]
        return "" if own == other else f"small: its graph is in the {own} format, the quantized one in {other}"

    def unfit(self, model: TrainedModel) -> str:
        """A small network that is not there, damaged, of other classes, or a cascade itself."""
        try:
            small = self._small()
            small.labels.require_same(model.labels, "the small network", "the pipeline's")
        except LeansortError as error:
            return f"small: {error}"
        if isinstance(small, Bundle) and small.stages:
            return f"small: {self.config.small} is a cascade itself; need a bundle of one graph"
        return ""

    def files(self) -> list[Path]:
        """The small network's file."""
        return [_file(self.config.small)]

    def apply(self, bundle: Bundle, context: PassContext) -> PassOutcome:
        """Fit the threshold; where none lets the small graph answer anything, the bundle is left alone.

        Raises:
            UserError: the two cannot be a cascade: they differ in classes or format, or the way of decoding is wrong.
        """
        allowed = self.config.fraction * context.allowed_drop
        try:
            made = context.make_cascade(self._small(), bundle, allowed, self.config.decode or "")
        except NoThresholdError as error:
            return PassOutcome(bundle, {"allowed_drop": allowed}, str(error).removeprefix("cascade: "))
        return PassOutcome(made, {"allowed_drop": allowed, **_told(made)})

    def _small(self) -> Artifact:
        path = _file(self.config.small)
        return bundles.load(path) if path.suffix == ".leansort" else trained_model.load(path)


def _file(small: str) -> Path:
    path = Path(small)
    path = path if path.exists() else shipped_models.find_bundle(path)
    return ModelFolder(path).model if path.is_dir() else path


def _told(cascade: Bundle) -> dict[str, Any]:
    settings = cascade.meta.cascade
    assert settings is not None
    return settings.model_dump(mode="json", include={"threshold", "decode", "share", "fit"})

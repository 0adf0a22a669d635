"""What an artifact says of crops."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leansort.arch.trained_model import TrainedModel, compute_logits
from leansort.compress.passes_api import Artifact
from leansort.core.bundle import Bundle
from leansort.data.loading.crops import Crops
from leansort.data.loading.loader import eval_batches
from leansort.measure import engine_trial
from leansort.measure.robustness.stressed_crops import StressedCrops
from leansort.runtime import engine as engines

BATCH = 64
Ints = npt.NDArray[np.int64]


def artifact_logits(artifact: Artifact, crops: Crops, engine: str = "") -> npt.NDArray[np.float32]:
    """Logits (n, classes) of a network, by PyTorch, or of a bundle, by an engine.

    Args:
        artifact: the network or bundle.
        crops: at its input size.
        engine: for bundles; where it does not read the bundle's graph, the default engine of its format does.
    """
    if isinstance(artifact, TrainedModel):
        out: npt.NDArray[np.float32] = compute_logits(
            artifact.network(), artifact.preprocess, eval_batches(crops.pixels, BATCH)
        ).numpy()
        return out
    runner = engine_trial.load(artifact, engine_for(artifact, engine))
    return engines.compute_logits(runner, np.asarray(crops.pixels))


def predict_classes(artifact: Artifact, crops: Crops, engine: str = "") -> Ints:
    """Class indices (n,); see `scores`."""
    return np.asarray(artifact_logits(artifact, crops, engine).argmax(1), np.int64)


def predict_stressed(artifact: Artifact, stressed: StressedCrops, engine: str = "") -> Ints:
    """Class indices (k, n) of crops under each kind of stress, -1 where the logits are no finite numbers."""
    kinds, count = stressed.there_kn.shape
    logits = artifact_logits(artifact, Crops(stressed.pixels, np.tile(stressed.label_n, kinds).tolist()), engine)
    classes = np.where(np.isfinite(logits).all(1), logits.argmax(1), -1)
    return np.asarray(classes, np.int64).reshape(kinds, count)


def engine_for(bundle: Bundle, wanted: str) -> str:
    """The wanted engine, with its settings, where it reads the bundle's graph, else the default one of that format."""
    return (
        wanted
        if engines.parse_engine(wanted)[0] in engines.engines_reading(bundle.graph_format)
        else engines.default_engine(bundle)
    )

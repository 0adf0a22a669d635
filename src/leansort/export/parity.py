"""The gate of every export: on real val crops the bundle must say what the trained network says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from leansort.arch.trained_model import TrainedModel, compute_logits, normalize
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError
from leansort.data.loading.loader import eval_batches
from leansort.export.mismatch_location import find_first_mismatch
from leansort.measure import engine_trial
from leansort.runtime import engine as engines
from leansort.runtime.engine import Logits
from leansort.runtime.predictor import softmax

MAX_PROBABILITY_GAP = 1e-3
MIN_AGREEMENT = 0.995
MAX_DISTANCE_GAP = 1e-3  # of the largest distance
PICTURES = 4  # on which the first layer that differs is looked for


@dataclass(frozen=True)
class Parity:
    """How close a bundle comes to its network.

    Attributes:
        crops: images compared.
        agreement: fraction with the same label.
        gap: largest difference of any probability.
    """

    crops: int
    agreement: float
    gap: float


def check_parity(
    model: TrainedModel, bundle: Bundle, pixels: npt.NDArray[np.uint8], engine: str = "", *, untrained: bool = False
) -> Parity:
    """Compare a bundle with the network it was exported from.

    Args:
        model: the reference, run by PyTorch.
        bundle: the export.
        pixels: val crops, uint8 (n, size, size, 3).
        engine: what runs the bundle; what suits its format where empty.
        untrained: whether the weights are as they are drawn and the images noise: labels may then differ where
            probabilities do not.

    Returns:
        The agreement found.

    Raises:
        LeansortError: labels agree on less than 99.5 % or a probability differs by more than 0.001; the bundle
            must not be shipped. The first layer that differs is named.
    """
    logits = engines.compute_logits(engine_trial.load(bundle, engine), pixels)
    return compare_logits(pixels, model, logits, bundle, untrained=untrained)


def compare_logits(
    pixels: npt.NDArray[np.uint8],
    model: TrainedModel,
    logits: Logits,
    bundle: Bundle,
    where: str = "",
    *,
    untrained: bool = False,
) -> Parity:
    """Compare logits that a bundle gave, here or elsewhere, with its network's.

    Args:
        pixels: the crops, uint8 (n, size, size, 3).
        model: the reference, run by PyTorch.
        logits: float32 (n, classes), as the bundle gave them.
        bundle: that gave them.
        where: the device that they are from; empty: this machine.
        untrained: as for `check_parity`.

    Raises:
        LeansortError: as `check_parity`.
    """
    reference = compute_logits(model.network(), model.preprocess, eval_batches(pixels, 64)).numpy()
    parity = _compare(reference, logits)
    if not _is_same(parity, untrained):
        layer = "" if where else find_first_mismatch(model, bundle, np.asarray(pixels[:PICTURES]))
        crops = "pictures of noise" if untrained else "val crops"
        raise _refusal(parity, f"the network{where and f' on {where}'}", crops, layer)
    return parity


def check_conversion(source: Bundle, bundle: Bundle, pixels: npt.NDArray[np.uint8]) -> Parity:
    """Compare a bundle with the one that it was converted from: labels, probabilities and distances.

    Args:
        source: what was converted, run by the engine of its format.
        bundle: what was made of it, run by the engine of its own.
        pixels: val crops, uint8 (n, size, size, 3).

    Raises:
        LeansortError: as `check_parity`, or a distance is lost or differs by more than a thousandth of the largest.
    """
    logits, distances = engines.compute_with_distances(engine_trial.load(source), pixels)
    made, made_distances = engines.compute_with_distances(engine_trial.load(bundle), pixels)
    parity = _compare(logits, made)
    if not _is_same(parity):
        raise _refusal(parity, source.meta.name, "val crops")
    if distances is not None:
        gap = np.inf if made_distances is None else float(np.abs(made_distances - distances).max() / distances.max())
        if not gap <= MAX_DISTANCE_GAP:
            text = f"distances differ by {gap:.2g} of the largest (at most {MAX_DISTANCE_GAP})"
            raise LeansortError(f"export: refused, the graph differs from {source.meta.name}: {text}")
    return parity


def _compare(reference: Logits, exported: Logits) -> Parity:
    expected, given = softmax(reference), softmax(exported)
    agreement = float((expected.argmax(1) == given.argmax(1)).mean())
    return Parity(len(given), agreement, float(np.abs(expected - given).max()))


def _is_same(parity: Parity, untrained: bool = False) -> bool:
    """NaN is not the same either."""
    return parity.gap <= MAX_PROBABILITY_GAP and (untrained or parity.agreement >= MIN_AGREEMENT)


def _refusal(parity: Parity, other: str, crops: str, where: str = "") -> LeansortError:
    return LeansortError(
        f"export: refused, the graph differs from {other}: labels agree on {parity.agreement:.2%} of "
        f"{parity.crops} {crops} (need {MIN_AGREEMENT:.1%}), largest probability gap {parity.gap:.2g} "
        f"(at most {MAX_PROBABILITY_GAP}){where and '; '}{where}"
    )


def rounding(model: TrainedModel, pixels: npt.NDArray[np.uint8]) -> float:
    """The largest difference of any probability between double precision and single, where a network runs in double."""
    network = model.network()
    with torch.inference_mode():
        x_bchw = normalize(next(iter(eval_batches(pixels, len(pixels)))), model.preprocess)
        try:
            single, double = network(x_bchw), network.double()(x_bchw.double())
        except RuntimeError:  # some make tensors in single precision on their way
            return 0.0
    return float(np.abs(softmax(double.float().numpy()) - softmax(single.numpy())).max())

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
    reference = softmax(compute_logits(model.network(), model.preprocess, eval_batches(pixels, 64)).numpy())
    exported = softmax(logits)
    agreement = float((reference.argmax(1) == exported.argmax(1)).mean())
    parity = Parity(len(pixels), agreement, float(np.abs(reference - exported).max()))
    same = parity.gap <= MAX_PROBABILITY_GAP and (untrained or parity.agreement >= MIN_AGREEMENT)
    if not same:  # NaN is not the same either
        layer = "" if where else find_first_mismatch(model, bundle, np.asarray(pixels[:PICTURES]))
        looked_at = f"{parity.crops} {'pictures of noise' if untrained else 'val crops'}"
        raise LeansortError(
            f"export: refused, the graph differs from the network{where and f' on {where}'}: labels agree on "
            f"{parity.agreement:.2%} of {looked_at} (need {MIN_AGREEMENT:.1%}), largest probability gap "
            f"{parity.gap:.2g} (at most {MAX_PROBABILITY_GAP}){layer and '; '}{layer}"
        )
    return parity


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

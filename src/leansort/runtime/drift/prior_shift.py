"""Class shares in the field, where those differ from val's and the classes look as they did.

Counting labels is biased by the classifier's mistakes. Two estimates correct for them. From probabilities, by
expectation maximization (Saerens, Latinne and Decaestecker 2002, doi:10.1162/089976602753284446), for which they are
first weighted so that their means over val are val's class shares (Alexandari, Kundaje and Shrikumar 2020,
arXiv:1901.06852). From labels, by val's confusion matrix (black-box shift estimation, Lipton, Wang and Smola 2018,
arXiv:1802.03916), which needs no probabilities that mean something, but many val photos of each class.
`benchmarks.drift` found the first to be better on a small val split, so shares are corrected by it, and the second
tells whether it can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leansort.core.files.bundle_reference import BundleReference

Floats = npt.NDArray[np.float64]
_STEPS = 1000
_SMALL = 1e-6
_LEAST = 1e-9
_DRAWS = 100
_COUNT = 0.5  # added to each class's number of val photos, so that no share is exactly 0


@dataclass(frozen=True)
class ShareEstimates:
    """Class shares of some photos, each (classes,) with the sum 1.

    Attributes:
        counted_c: of the labels that were given.
        corrected_c: by expectation maximization.
        by_confusion_c: by val's confusion matrix.
    """

    counted_c: Floats
    corrected_c: Floats
    by_confusion_c: Floats


def estimate_shares(window: Sequence[Sequence[float]], reference: BundleReference) -> ShareEstimates:
    """Estimate the class shares of photos.

    Args:
        window: probabilities of the photos, at least one.
        reference: of the bundle.
    """
    p_nc = np.asarray(window, np.float64)
    confusion_cc = np.asarray(reference.confusion, np.float64)
    counts_c = np.bincount(p_nc.argmax(axis=1), minlength=reference.classes).astype(np.float64)
    weighted_nc = scaled_rows(p_nc * np.asarray(reference.weights))
    return ShareEstimates(
        counts_c / counts_c.sum(),
        shares_by_em(weighted_nc, val_shares(confusion_cc)),
        shares_by_confusion(counts_c, confusion_cc),
    )


def val_shares(confusion_cc: Floats) -> Floats:
    """Class shares of val, none of which is exactly 0."""
    counts_c = confusion_cc.sum(axis=1) + _COUNT
    return np.asarray(counts_c / counts_c.sum(), np.float64)


def fit_weights(p_nc: Floats, confusion_cc: Floats) -> Floats:
    """Weights of the classes that make the mean probabilities over val its class shares.

    Args:
        p_nc: (n, classes) probabilities of val photos.
        confusion_cc: of the same photos, by class (row) and label.

    Returns:
        (classes,), the largest is 1.
    """
    shares_c, weights_c = val_shares(confusion_cc), np.ones(p_nc.shape[1])
    for _ in range(_STEPS):
        change_c = shares_c / np.maximum(scaled_rows(p_nc * weights_c).mean(axis=0), _LEAST)
        weights_c *= change_c
        weights_c = np.maximum(weights_c / weights_c.max(), _LEAST)
        if float(np.abs(change_c - 1).max()) < _SMALL:
            break
    return weights_c


def shares_by_em(p_nc: Floats, prior_c: Floats) -> Floats:
    """Class shares that make probabilities most likely.

    Args:
        p_nc: (n, classes) probabilities, n at least 1.
        prior_c: (classes,) shares that they rest on, none 0.
    """
    shares_c = prior_c
    for _ in range(_STEPS):
        moved_c = scaled_rows(p_nc * (shares_c / prior_c)).mean(axis=0)
        done = float(np.abs(moved_c - shares_c).max()) < _SMALL
        shares_c = moved_c
        if done:
            break
    return shares_c


def shares_by_confusion(label_counts_c: Floats, confusion_cc: Floats) -> Floats:
    """Class shares that val's confusion matrix turns into the labels that were given.

    Args:
        label_counts_c: (classes,) labels given in the field.
        confusion_cc: val photos by class (row) and label (column).

    Returns:
        (classes,), none negative. A class that val does not show has the share 0.
    """
    of_class_c = confusion_cc.sum(axis=1)
    shown = of_class_c > 0
    rates_lc = (confusion_cc[shown] / of_class_c[shown, None]).T  # of labels (row) given to each class
    shares = np.maximum(np.linalg.lstsq(rates_lc, label_counts_c / label_counts_c.sum(), rcond=None)[0], 0.0)
    result_c = np.zeros(len(of_class_c))
    result_c[shown] = shares / max(shares.sum(), _LEAST)
    return result_c


def share_margins(window: Sequence[Sequence[float]], reference: BundleReference) -> Floats:
    """How far shares by the confusion matrix may be off by the sizes of val and window alone, at about 95 %.

    Confusion matrices are drawn row by row from Dirichlet distributions with val's counts, labels from their shares.

    Args:
        window: probabilities of the photos, at least one.
        reference: of the bundle.

    Returns:
        (classes,) half widths.
    """
    chance = np.random.default_rng(0)
    labels_n = np.asarray(window, np.float64).argmax(axis=1)
    counts_c = np.bincount(labels_n, minlength=reference.classes)
    confusion_cc = np.asarray(reference.confusion, np.float64)
    shown_c = (confusion_cc.sum(axis=1) > 0)[:, None]
    drawn = []
    for _ in range(_DRAWS):
        rows = [chance.dirichlet(row + _COUNT) for row in confusion_cc]
        counts = chance.multinomial(len(labels_n), counts_c / len(labels_n)).astype(np.float64)
        drawn.append(shares_by_confusion(counts, np.stack(rows) * shown_c))
    return np.asarray(1.96 * np.std(drawn, axis=0), np.float64)


def scaled_rows(p_nc: Floats) -> Floats:
    """The rows with the sum 1."""
    return np.asarray(p_nc / np.maximum(p_nc.sum(axis=1, keepdims=True), _LEAST), np.float64)

"""Which labels are probably wrong, from predictions by classifiers that have not seen them.

Confident learning (Northcutt, Jiang and Chuang 2021, arXiv:1911.00068): a photo counts as one of class j where its
probability of j is at least what photos labelled j have on average. Those that count as another class than their label
are flagged. The photos are ranked by the probability of their own label, flagged or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LabelDoubts:
    """What predictions say of labels.

    Attributes:
        own_n: (n,) probability of each photo's own label.
        suggested_n: (n,) class index that speaks most against the label: the one that the photo counts as where it is
            flagged, else the most probable other class.
        flagged_n: (n,) bool, whether the photo counts as another class than its label.
        order_n: (n,) photo indices, the most doubtful label first.
        thresholds_c: (classes,) mean probability of a class over the photos that are labelled so.
        joint_cc: (classes, classes) photos by label (row) and the class that they count as; the confident joint.
    """

    own_n: Probabilities
    suggested_n: Indices
    flagged_n: npt.NDArray[np.bool_]
    order_n: Indices
    thresholds_c: Probabilities
    joint_cc: Indices


def doubt_labels(p_nc: Probabilities, labels_n: Indices) -> LabelDoubts:
    """Judge labels by predictions.

    Args:
        p_nc: (n, classes) probabilities, each by a classifier that the photo took no part in.
        labels_n: (n,) class indices.
    """
    at_n, classes = np.arange(len(labels_n)), p_nc.shape[1]
    own_n = p_nc[at_n, labels_n]
    sums_c = np.bincount(labels_n, weights=own_n, minlength=classes)
    counts_c = np.bincount(labels_n, minlength=classes)
    # A class that no photo is labelled as has no threshold, and no photo counts as it.
    thresholds_c = np.where(counts_c > 0, sums_c / np.maximum(counts_c, 1), np.inf)
    confident_nc = np.where(p_nc >= thresholds_c, p_nc, -1.0)
    counted_n, counts_n = confident_nc.argmax(1), confident_nc.max(1) >= 0.0
    joint_cc = np.zeros((classes, classes), np.int64)
    np.add.at(joint_cc, (labels_n[counts_n], counted_n[counts_n]), 1)
    flagged_n = counts_n & (counted_n != labels_n)
    others_nc = p_nc.copy()
    others_nc[at_n, labels_n] = -1.0
    suggested_n = np.where(flagged_n, counted_n, others_nc.argmax(1))
    return LabelDoubts(own_n, suggested_n, flagged_n, np.argsort(own_n, kind="stable"), thresholds_c, joint_cc)

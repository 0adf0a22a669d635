"""Which photos are most worth a label, by what a deployed graph says of them: uncertain, novel, and unlike each other.

Greedy k-centre (Sener and Savarese 2018, arXiv:1708.00489) on the square roots of the probabilities, whose distance is
Hellinger's, each photo's distance weighted by how uncertain or novel it is. So a thousand photos of the same bottle,
all between glass and plastic, count about as one. `benchmarks.mining` compares it with chance, and with uncertainty
alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAST = 1e-3  # of a weight: what is certain comes last, and still in an order


def photo_worth(p_nc: Floats, novelty_n: Floats | None = None) -> Floats:
    """How uncertain or novel photos are, 0 to 1.

    Args:
        p_nc: (n, classes) probabilities, at least two classes.
        novelty_n: (n,) where known ends at 1; NaN where it is not told. None where no photo tells it.

    Returns:
        (n,): one less the margin between the first two classes; an unknown photo is worth as much as novelty is above
        1, up to all.
    """
    ranked_nc = np.sort(p_nc, axis=1)
    worth_n = 1.0 - (ranked_nc[:, -1] - ranked_nc[:, -2])
    if novelty_n is not None:
        worth_n = np.maximum(worth_n, np.clip(np.nan_to_num(novelty_n) - 1.0, 0.0, 1.0))
    return np.asarray(worth_n, np.float64)


def select_photos(
    p_nc: Floats,
    worth_n: Floats,
    *,
    most: int | None = None,
    sizes_n: Sequence[int] | None = None,
    most_bytes: int | None = None,
    labelled_nc: Floats | None = None,
) -> list[int]:
    """Choose photos one after the other, each far from those that were chosen before.

    Args:
        p_nc: (n, classes) probabilities.
        worth_n: (n,) as `photo_worth` gives it.
        most: number of photos; None for no limit.
        sizes_n: n sizes in bytes; needed for `most_bytes`.
        most_bytes: of all chosen photos; one that no longer fits is passed over, and a smaller one may follow.
        labelled_nc: (m, classes) probabilities of photos that have labels already, from which to keep away, too.

    Returns:
        Indices, the photo most worth a label first.
    """
    root_nc, weight_n = np.sqrt(p_nc), np.maximum(worth_n, LEAST)
    near_n = np.full(len(root_nc), 2.0)  # squared, at most that far apart are any two
    for root_c in np.sqrt(labelled_nc) if labelled_nc is not None else ():
        near_n = np.minimum(near_n, ((root_nc - root_c) ** 2).sum(axis=1))
    open_n = np.ones(len(root_nc), bool)
    sizes = np.asarray(sizes_n if sizes_n is not None else [0] * len(root_nc), np.int64)
    left = np.iinfo(np.int64).max if most_bytes is None else most_bytes
    chosen: list[int] = []
    while most is None or len(chosen) < most:
        open_n &= sizes <= left
        if not open_n.any():
            break
        # Where all distances are 0, as of photos with equal outputs, worth alone decides.
        score_n = np.where(open_n, weight_n * (np.sqrt(near_n) + LEAST), -1.0)
        at = int(score_n.argmax())
        chosen.append(at)
        open_n[at] = False
        left -= int(sizes[at])
        near_n = np.minimum(near_n, ((root_nc - root_nc[at]) ** 2).sum(axis=1))
    return chosen

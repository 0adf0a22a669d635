"""Features computed once and kept as a file, whose name says what they were computed from.

The file is written beside and renamed when whole, so that a killed probe leaves none; a lock that vanishes with its
process lets one compute while others wait for the same file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import nn

from leansort.arch.spec.initialization import find_classifiers
from leansort.core.preprocess import Preprocess
from leansort.core.writing import atomic_io
from leansort.core.writing.file_lock import hold_lock

Features = npt.NDArray[np.float32]
_VERSION = 1  # of how features are computed


def body_digest(network: nn.Module, classes: int) -> str:
    """Digest of all weights but the classifier's, by name: the same for any number of classes."""
    heads = {id(part) for head in find_classifiers(network, classes) for part in head.parameters()}
    result = hashlib.sha256(type(network).__name__.encode())
    for name, value in network.state_dict(keep_vars=True).items():
        if id(value) not in heads:
            result.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            result.update(value.detach().cpu().contiguous().numpy().tobytes())
    return result.hexdigest()


def feature_file(folder: Path, body: str, preprocess: Preprocess, names: Sequence[str], hashes: Sequence[str]) -> Path:
    """Where features are kept.

    Args:
        folder: of the cache.
        body: digest of the network.
        preprocess: how crops become its input.
        names: of the layers that the features are taken from.
        hashes: of the crops, in order.
    """
    known = [_VERSION, body, preprocess.digest, preprocess.mean, preprocess.std, list(names), list(hashes)]
    return folder / f"{atomic_io.digest(known)}.features.npy"


def load_features(path: Path, rows: int, compute: Callable[[], Features]) -> Features:
    """Return the features in a file, computing and writing them where it is not there or damaged.

    Args:
        path: as `feature_file` names it.
        rows: number of crops.
        compute: gives the features, finite float32 of shape (rows, f).

    Raises:
        MachineError: the file cannot be written.
    """
    kept = _read(path, rows)
    if kept is not None:
        return kept
    with hold_lock(path.with_suffix(".lock")):
        kept = _read(path, rows)  # another process may have made it while this one waited
        if kept is None:
            atomic_io.clear_leftovers(path)
            kept = compute()
            with atomic_io.replace_file(path) as temporary, temporary.open("wb") as file:
                np.save(file, kept, allow_pickle=False)
    return kept


def _read(path: Path, rows: int) -> Features | None:
    """The features in a file; None where there are none, or it is damaged."""
    try:
        kept: Features = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = kept.dtype == np.float32 and kept.ndim == 2 and len(kept) == rows and bool(np.isfinite(kept).all())
    return kept if whole else None

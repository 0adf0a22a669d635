"""Encoded photos, as latencies from photo to label read them: held in memory, so that the disk is not timed."""

from __future__ import annotations

from leansort.core.manifest import Manifest
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io

MOST = 64  # decoded in turns


def encoded_val(manifest: Manifest, seed: int) -> list[bytes]:
    """Encoded val photos, drawn by a seed: the same ones for all that are compared.

    Args:
        manifest: the data.
        seed: of the recipe.

    Returns:
        The bytes of at most 64 files.
    """
    val = manifest.split("val")
    order = Seeds(seed).child("search/pictures").numpy().permutation(len(val))[:MOST]
    return [atomic_io.read_file(manifest.path(val[at])) for at in order]

"""`leansort data cache`: decode crops once, and say how much room they take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leansort.core.damage.watch import watch_images
from leansort.core.manifest import SPLITS, Manifest, Row
from leansort.core.preprocess import Preprocess
from leansort.core.process.console import bar, say
from leansort.core.writing.escaping import printable
from leansort.data.loading.decoded_cache import HashedFile, load_decoded_files, size_bytes
from leansort.recipe.schema import Recipe
from leansort.workflows.data.data_results import CachedSplit, CacheResult


def decoded_crops(
    manifest: Manifest, rows: Sequence[Row], preprocess: Preprocess, folder: Path, what: str
) -> npt.NDArray[np.uint8]:
    """Decoded crops of a manifest's rows, (n, size, size, 3) RGB; see `decoded_files`."""
    return decoded_files([(manifest.path(row), row.hash) for row in rows], preprocess, folder, what)


def decoded_files(
    pictures: Sequence[HashedFile], preprocess: Preprocess, folder: Path, what: str
) -> npt.NDArray[np.uint8]:
    """Decoded crops of images with known hashes, (n, size, size, 3) RGB, from the cache where they are there already.

    Raises:
        LeansortError: the cache cannot be written (full disk), or a picture has gone bad since the import.
    """
    size = size_bytes(len(pictures), preprocess) / 1e6
    say(f"cache: {len(pictures):,} {what} crops of {preprocess.size} px, {size:,.1f} MB in {folder}")
    with bar(f"decoding {what} crops") as advance, watch_images() as watch:
        crops = load_decoded_files(pictures, preprocess, folder, advance, watch.note_suspect)
        for line in watch.damage_lines():
            say(printable(f"warning: {line}; import the data again, which leaves it out"))
    return crops


def build_cache(recipe: Recipe, manifest: Manifest, folder: Path) -> CacheResult:
    """Build what a training with this recipe reads: train crops enlarged, the others as the network takes them."""
    built: dict[str, CachedSplit] = {}
    for split in SPLITS:
        rows = [row for row in manifest.rows if row.split == split]
        if rows:
            preprocess = recipe.train_preprocess if split == "train" else recipe.preprocess
            decoded_crops(manifest, rows, preprocess, folder, split)
            built[split] = CachedSplit(len(rows), preprocess.size, size_bytes(len(rows), preprocess))
    return CacheResult(train=built.get("train"), val=built.get("val"), test=built.get("test"))

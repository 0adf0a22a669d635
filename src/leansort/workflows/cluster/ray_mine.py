"""`leansort mine --ray`: the predictions of a cluster, from which photos are chosen like from those of one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from leansort.core.bundle import Bundle
from leansort.workflows.cluster.ray_predict import classify_on_cluster
from leansort.workflows.field.photo_mining import LookedAtPhoto


def look_on_cluster(address: str, out: Path) -> Callable[[Bundle, Sequence[Path], str], Sequence[LookedAtPhoto]]:
    """Return what looks at photos in place of `photo_mining.look_at_photos`; see `ray_predict.classify_on_cluster`.

    Args:
        address: of the cluster, as for `predict_with_ray`.
        out: local folder for the partitions; one that `predict --ray` left for the same bundle is gone on with.
    """

    def look(bundle: Bundle, photos: Sequence[Path], engine: str) -> list[LookedAtPhoto]:
        rows = {row.image: row for row in classify_on_cluster(bundle, photos, out, address, engine=engine).rows}
        named = [(path, rows[str(path)]) for path in photos]
        return [LookedAtPhoto(path, row.digest, row.prediction) for path, row in named]

    return look

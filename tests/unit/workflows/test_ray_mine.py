"""Photos that are mined from the predictions of a cluster are those of one process; Ray itself is not needed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leansort.core.bundle import Bundle
from leansort.core.provenance import versions
from leansort.runtime.engine import default_engine
from leansort.workflows.cluster import ray_mine
from leansort.workflows.cluster.partitions import row_of
from leansort.workflows.cluster.ray_predict import ClusterRun
from leansort.workflows.cluster.ray_worker import RayWorker, WorkerTask, stamp_of
from leansort.workflows.field.photo_mining import mine_photos
from tests.support.graphs import colour_bundle
from tests.unit.workflows.test_watch import paint


@pytest.fixture
def belt(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    for number in range(12):
        paint(tmp_path / "belt" / f"{number}.png", rng)
    shutil.copy(tmp_path / "belt" / "0.png", tmp_path / "belt" / "twice.png")
    for name in ("bad.png", "bad-again.png"):
        (tmp_path / "belt" / name).write_bytes(b"x")
    return tmp_path / "belt"


def worker_alone(opened: Bundle, pictures: Sequence[Path], out: Path, address: str, **given: Any) -> ClusterRun:
    """Rows of a worker in this process, the last photo first."""
    worker = RayWorker(WorkerTask(opened.to_bytes(), opened.digest, versions()["leansort"], default_engine(opened)))
    names = [str(path) for path in pictures]
    columns = {"source": names, "image": names, "stamp": list(map(stamp_of, pictures)), "known": [""] * len(names)}
    made = worker({name: np.array(values, object) for name, values in columns.items()})
    return ClusterRun([row_of(json.loads(text)) for text in reversed(made["row"])], len(names))


def test_a_cluster_chooses_what_one_process_chooses(
    belt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_mine, "classify_on_cluster", worker_alone)
    far = mine_photos(
        colour_bundle(), belt, tmp_path / "far", keep=5, look=ray_mine.look_on_cluster("local", tmp_path / "kept")
    )
    near = mine_photos(colour_bundle(), belt, tmp_path / "near", keep=5)
    assert (far.photos, far.repeated, far.unreadable) == (near.photos, near.repeated, near.unreadable)
    assert (len(far.photos), far.looked_at) == (5, 15)
    assert far.repeated == ("bad.png", "twice.png")  # bad-again.png comes first
    assert far.guesses.read_text() == near.guesses.read_text()

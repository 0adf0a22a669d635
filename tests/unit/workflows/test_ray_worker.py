"""What a worker of a cluster does, and the folder that a run leaves; Ray itself is not needed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leansort.core import bundle as bundles
from leansort.core.errors import IntegrityError, UserError
from leansort.core.provenance import versions
from leansort.core.writing.file_lock import take_lock
from leansort.runtime.predictor import Classifier
from leansort.runtime.shipped_models import default_model
from leansort.workflows.cluster.partitions import ClusterRow, PartitionFolder, PartitionManifest
from leansort.workflows.cluster.ray_predict import predict_with_ray
from leansort.workflows.cluster.ray_worker import RayWorker, WorkerTask, stamp_of
from tests.conftest import draw

BEGUN = PartitionManifest(bundle="b", leansort="1", engine="e", settings="", labels=("x", "y"))
ROW = ClusterRow("a.jpg", "d", "3 4", "", "x", 0.7, True, (0.7, 0.3), 0.5, True, graph="first")


@pytest.fixture(scope="module")
def task() -> WorkerTask:
    bundle = bundles.load(default_model().path)
    return WorkerTask(bundle.to_bytes(), bundle.digest, versions()["leansort"], "onnxruntime")


def batch(*paths: Path, known: str = "") -> dict[str, np.ndarray]:
    names = [str(path) for path in paths]
    columns = {"source": names, "image": names, "stamp": [stamp_of(path) for path in paths]}
    return {name: np.array(values, object) for name, values in {**columns, "known": [known] * len(names)}.items()}


def test_a_worker_says_what_one_process_says(task: WorkerTask, tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg", 0, seed=1)
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:500])
    worker = RayWorker(task)
    good, cut, gone = map(json.loads, worker(batch(*(tmp_path / n for n in ("a.jpg", "cut.jpg", "gone.jpg"))))["row"])
    with Classifier.load() as classifier:
        made = classifier.predict(tmp_path / "a.jpg")
    assert (good["label"], tuple(good["probabilities"])) == (made.label, made.probabilities)
    assert "cut short" in cut["error"]
    assert "cannot be read" in gone["error"]
    again = json.loads(worker(batch(tmp_path / "a.jpg", known=good["digest"]))["row"][0])
    assert again == {"same": str(tmp_path / "a.jpg"), "stamp": good["stamp"]}


def test_a_worker_of_another_version_or_bundle_is_refused_by_name(task: WorkerTask, tmp_path: Path) -> None:
    for wrong, told in ((replace(task, leansort="9.9"), "need 9.9"), (replace(task, digest="0" * 16), "need 0000")):
        row = json.loads(RayWorker(wrong)(batch(tmp_path / "a.jpg"))["row"][0])
        assert told in row["fatal"]
        assert row["fatal"].startswith("worker ")


def test_partitions_are_read_back_and_the_later_one_counts(tmp_path: Path) -> None:
    folder = PartitionFolder(tmp_path, BEGUN)
    folder.add([ROW, replace(ROW, image="b.jpg", error="is empty", label="", probabilities=())])
    folder.add([replace(ROW, label="y", novelty=None, known=None)])
    kept = PartitionFolder(tmp_path, BEGUN)
    assert kept.rows["a.jpg"].label == "y"
    assert kept.rows["a.jpg"].novelty is None
    assert kept.rows["b.jpg"].prediction.error == "is empty"
    assert [(part.rows, part.failed) for part in kept.manifest.parts] == [(2, 1), (1, 0)]


def test_a_folder_of_another_bundle_is_refused_and_damage_is_named(tmp_path: Path) -> None:
    PartitionFolder(tmp_path, BEGUN).add([ROW])
    with pytest.raises(UserError, match=r"predictions of another bundle \(b, now c\)"):
        PartitionFolder(tmp_path, BEGUN.model_copy(update={"bundle": "c"}))
    next(tmp_path.glob("part-*.parquet")).write_bytes(b"PAR1")
    with pytest.raises(IntegrityError, match=r"part-.*is missing or damaged"):
        PartitionFolder(tmp_path, BEGUN)


def test_two_runs_into_one_folder_are_refused(tmp_path: Path) -> None:
    lock = take_lock(tmp_path / ".lock", "busy")
    try:
        with pytest.raises(UserError, match="another run works into"):
            predict_with_ray(None, [tmp_path / "a.jpg"], tmp_path, "local")
    finally:
        lock.release()

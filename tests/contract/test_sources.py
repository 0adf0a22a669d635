"""Every data source that is found keeps the same promises, whatever its files look like."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leansort.core import plugins
from leansort.core.errors import UserError
from leansort.data.importing.data_source import DataSource
from leansort.testing import SourceContract
from leansort.testing.source_contract import Maker
from tests.conftest import draw

NAMES = ("glass", "paper")


def pictures(root: Path) -> list[tuple[str, str, str]]:
    made = []
    for split, count in (("train", 6), ("val", 3), ("test", 2)):
        for kind, label in enumerate(NAMES):
            for number in range(count):
                name = f"{split}/{label}/{number}.jpg"
                draw(root / name, kind, seed=number + 100 * kind)
                made.append((name, label, split))
    return made


def of_folder(root: Path) -> dict[str, Any]:
    pictures(root)
    return {"path": root}


def of_table(root: Path) -> dict[str, Any]:
    lines = [",".join(row) for row in pictures(root)]
    (root / "list.csv").write_text("\n".join(["image,label,split", *lines]) + "\n")
    return {"path": root / "list.csv"}


def of_parquet(root: Path) -> dict[str, Any]:
    rows = [dict(zip(("image", "label", "split"), row, strict=True)) for row in pictures(root)]
    pq.write_table(pa.Table.from_pylist(rows), root / "list.parquet")
    return {"path": root / "list.parquet"}


def of_coco(root: Path) -> dict[str, Any]:
    made = pictures(root)
    tree = {
        "images": [
            {"id": k, "file_name": name, "split": split, "width": 96, "height": 72}
            for k, (name, _, split) in enumerate(made)
        ],
        "categories": [{"id": 3, "name": "glass"}, {"id": 8, "name": "paper"}],
        "annotations": [
            {"id": k, "image_id": k, "category_id": 3 if label == "glass" else 8, "bbox": [5, 6, 40, 30]}
            for k, (_, label, _) in enumerate(made)
        ],
    }
    (root / "annotations.json").write_text(json.dumps(tree))
    return {"path": root / "annotations.json", "out": root / "out"}


def of_cifar(root: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)

    def records(count: int) -> bytes:
        return b"".join(bytes([k % 2]) + rng.integers(0, 256, 3072, dtype=np.uint8).tobytes() for k in range(count))

    files = {"data_batch_1.bin": records(12), "test_batch.bin": records(4), "batches.meta.txt": b"glass\npaper\n\n"}
    root.mkdir(parents=True, exist_ok=True)
    with tarfile.open(root / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return {"path": root / "cifar-10-binary.tar.gz", "out": root / "out"}


def of_sample(root: Path) -> dict[str, Any]:
    return {"path": root / "drawn", "train": 4, "val": 2, "test": 2}


CASES: dict[str, list[Maker]] = {
    "folder": [of_folder], "table": [of_table, of_parquet], "coco": [of_coco], "cifar": [of_cifar],
    "sample": [of_sample],
}  # fmt: skip


class TestSources(SourceContract):
    """Every source that is found."""

    names = sorted(plugins.list_plugins("sources"))
    makers = CASES
    draws = ("sample",)


def test_a_cifar_picture_is_what_the_archive_holds(tmp_path: Path) -> None:
    kind = plugins.load("sources", "cifar", DataSource)
    result = kind(kind.Config(**of_cifar(tmp_path))).items()
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz") as archive:
        data = archive.extractfile("cifar-10-batches-bin/test_batch.bin").read()  # type: ignore[union-attr]
    planes = np.frombuffer(data[1:3073], np.uint8).reshape(3, 32, 32)
    [first] = [item for item in result.items if item.split == "test"][:1]
    assert np.array_equal(cv2.imread(str(first.image))[:, :, ::-1], planes.transpose(1, 2, 0))  # type: ignore[index]
    assert first.label == "glass"


def test_the_pickled_cifar_is_refused_and_the_other_one_named(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        archive.addfile(member, io.BytesIO(b""))
    kind = plugins.load("sources", "cifar", DataSource)
    with pytest.raises(UserError, match=r"never read; take the binary version, cifar-10-binary\.tar\.gz"):
        kind(kind.Config(path=tmp_path / "cifar-10-python.tar.gz")).items()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("image;label\na.jpg;x\n", "need at least two"),
        ("picture,label\na.jpg,x\n", "lacks the column 'image'; it has 'picture', 'label'"),
        ("", "lacks the column 'image'; it has none"),
        ("image,label,split\na.jpg,x,train\nb.jpg,y,trian\n", "row 3: split: got 'trian'.*did you mean 'train'"),
        ("image,label\n../a.jpg,x\nb.jpg,y\n", r"row 2: file name '../a.jpg' leaves"),
        ("image,label\n/etc/passwd,x\nb.jpg,y\n", "row 2: file name '/etc/passwd' leaves"),
    ],
)
def test_tables_that_cannot_be_used(text: str, part: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(text)
    kind = plugins.load("sources", "table", DataSource)
    with pytest.raises(UserError, match=part):
        kind(kind.Config(path=tmp_path / "list.csv")).items()

"""What a robot meets: bad pictures and bad bundles through every command that takes them, and through Python."""

from __future__ import annotations

import csv
import io
import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from leansort import Classifier
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle, BundleMeta
from leansort.core.errors import IntegrityError, UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import UnreadableImage
from leansort.runtime import engine as engines
from tests.conftest import CLASSES, Cli, draw
from tests.e2e.test_mistakes import refused

GOOD = ("plain.jpg", "grey.jpg", "cmyk.jpg", "turned.jpg", "deep.png", "alpha.png", "one pixel.png", "é ü.jpg")
BAD = ("cut.jpg", "empty.jpg", "text.jpg", "header only.jpg", "noise.png", "a folder.jpg", "dangling.jpg", "huge.jpg")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures as they come, good and bad. Treat as read-only."""
    folder = tmp_path_factory.mktemp("hostile")
    draw(folder / "plain.jpg", 0, seed=1)
    picture = Image.open(folder / "plain.jpg")
    picture.convert("L").save(folder / "grey.jpg")
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    picture.save(folder / "é ü.jpg")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.rotate(90, expand=True).save(folder / "turned.jpg", exif=exif.tobytes(), quality=95)
    cv2.imwrite(str(folder / "deep.png"), np.full((40, 30, 3), 40_000, np.uint16))
    picture.convert("RGBA").save(folder / "alpha.png")
    picture.resize((1, 1)).save(folder / "one pixel.png")
    data = (folder / "plain.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(data[: len(data) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("not a picture")
    (folder / "header only.jpg").write_bytes(data[:20])
    (folder / "noise.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    (folder / "a folder.jpg").mkdir()
    (folder / "dangling.jpg").symlink_to(folder / "gone.jpg")
    at = data.index(b"\xff\xc0")  # the frame header: 65,500 pixels a side of which the file has a few
    (folder / "huge.jpg").write_bytes(data[: at + 5] + b"\xff\xdc\xff\xdc" + data[at + 9 :])
    return folder


def listed(pictures: Path) -> str:
    return "\n".join(str(pictures / name) for name in (*GOOD, *BAD))


@pytest.mark.parametrize("given", [(), ("--threads", "2", "--batch", "3"), ("--threads", "1", "--batch", "1")])
def test_a_bad_picture_never_stops_the_rest(cli: Cli, tiny_run: Path, pictures: Path, given: tuple[str, ...]) -> None:
    done = cli("predict", tiny_run / "model.leansort", "-", "--format", "csv", *given, stdin=listed(pictures))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [Path(row["image"]).name for row in rows] == [*GOOD, *BAD]
    for row in rows:
        good = Path(row["image"]).name in GOOD
        assert (row["label"] in CLASSES, row["error"] == "") == (good, good), row
    labels = {Path(row["image"]).name: row["label"] for row in rows}
    assert labels["turned.jpg"] == labels["plain.jpg"] == labels["é ü.jpg"]


def test_submit_answers_for_every_picture(cli: Cli, tiny_run: Path, pictures: Path, tmp_path: Path) -> None:
    done = cli("submit", tiny_run / "model.leansort", "-", "--out", tmp_path / "o.csv", stdin=listed(pictures))
    assert done.returncode == 1
    tree = json.loads((tmp_path / "o.csv").read_text())
    assert set(tree["inference"]) == {*GOOD, *BAD}
    assert set(tree["inference"].values()) <= set(CLASSES)
    assert sorted(line.split(": ")[0] for line in done.stderr.splitlines()) == sorted(
        f"unreadable {pictures / name}" for name in BAD
    )


def test_bench_takes_what_can_be_read(cli: Cli, tiny_run: Path, pictures: Path) -> None:
    bundle = tiny_run / "model.leansort"
    quick = ("--seconds", "0.1", "--queries", "5", "--starts", "1")
    done = cli("bench", bundle, "--images", pictures, *quick)
    assert done.returncode == 0, done.stderr
    assert "decode to label" in done.stdout
    cut = cli("bench", bundle, "--images", pictures / "cut.jpg", *quick)
    refused(cut, "none of 1 pictures can be read", "cut short")
    refused(cli("bench", bundle, "--images", pictures, "--baseline", pictures / "no"), "baseline", "is not there")


def damaged(whole: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("graph.onnx", bytes(30_000_000))
        bomb.writestr("bundle.json", members["bundle.json"])
        bomb.writestr("hashes.json", members["hashes.json"])
    meta = json.loads(members["bundle.json"])
    names = [*meta["labels"], "one more"]
    more = BundleMeta.model_validate(meta | {"labels": names, "labels_digest": LabelSet.of(names).digest})
    return {
        "cut": whole[: len(whole) // 2],
        "swapped": bundles.zip_members(members | {"graph.onnx": b"another graph"}),
        "bomb": buffer.getvalue(),
        "outside": bundles.zip_members({name.replace("graph", "../out"): data for name, data in members.items()}),
        "schema": bundles.zip_members(members | {"bundle.json": json.dumps(meta | {"bundle_schema": 99}).encode()}),
        "labels": Bundle(more, {"graph.onnx": members["graph.onnx"]}).to_bytes(),
        "no bundle": b"not a bundle",
        "empty": b"",
    }


@pytest.mark.parametrize("command", ["predict", "submit", "bench", "score"])
def test_a_bad_bundle_is_one_line_from_every_command(
    cli: Cli, tiny_run: Path, folders: Path, tmp_path: Path, command: str
) -> None:
    picture = folders / "val" / "Paper"
    rest: dict[str, list[str | Path]] = {
        "predict": [picture],
        "submit": [picture, "--out", tmp_path / "o.csv"],
        "score": ["--ground-truth", tiny_run, "--split", "val"],
        "bench": ["--images", picture, "--seconds", "0.1", "--queries", "1", "--starts", "0"],
    }
    for name, data in damaged((tiny_run / "model.leansort").read_bytes()).items():
        path = tmp_path / f"{name}.leansort"
        path.write_bytes(data)
        refused(cli(command, path, *rest[command]), "labels" if name == "labels" else "bundle:")
    assert not (tmp_path / "o.csv").exists()
    assert not (tmp_path.parent / "out.onnx").exists()


def test_from_python(tiny_run: Path, pictures: Path, folders: Path) -> None:
    path = tiny_run / "model.leansort"
    with Classifier.load(path) as classifier:
        plain = classifier.predict(pictures / "plain.jpg")
        assert plain.label in CLASSES
        assert plain.accepted
        assert sum(plain.probabilities) == pytest.approx(1)
        assert classifier.predict(str(pictures / "plain.jpg")) == plain
        assert classifier.predict((pictures / "plain.jpg").read_bytes()) == plain
        rgb = np.asarray(Image.open(pictures / "plain.jpg"))
        assert classifier.predict(rgb).label == plain.label
        with pytest.raises(UnreadableImage, match="cut short"):
            classifier.predict(pictures / "cut.jpg")
        for wrong in (rgb[..., :1], rgb.astype(np.float32), rgb[0]):
            with pytest.raises(UserError, match=r"need uint8 \(height, width, 3\) RGB"):
                classifier.predict(wrong)  # type: ignore[arg-type]
        with pytest.raises(UserError, match="allowed: 0, which chooses, or more"):
            list(classifier.predict_many([], batch=-1))
        together, ready = threading.Barrier(6), sorted((folders / "val").rglob("*.jpg"))

        def work(_: int) -> list[str]:
            together.wait()
            return [classifier.predict(item).label for item in ready]

        with ThreadPoolExecutor(6) as pool:
            text = list(pool.map(work, range(6)))
        assert all(item == text[0] for item in text)
        for threads, batch in ((1, 1), (2, 4), (0, 0)):
            many = list(classifier.predict_many(ready * 20, threads=threads, batch=batch))
            assert [item.label for item in many] == text[0] * 20


def test_labels_that_the_graph_does_not_have(tiny_run: Path, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(damaged((tiny_run / "model.leansort").read_bytes())["labels"])
    with pytest.raises(IntegrityError, match="3 outputs, its labels are 4"):
        Classifier.load(tmp_path / "m")
    bundle = bundles.load(tiny_run / "model.leansort")  # and where a graph says so only when it runs
    more = bundle.meta.model_copy(update={"labels": (*bundle.meta.labels, "one more")})
    with Classifier(Bundle(more, bundle.files), engines.load_engine(bundle)) as classifier:
        with pytest.raises(IntegrityError, match="3 outputs, its labels are 4"):
            classifier.predict(pictures / "plain.jpg")
        with pytest.raises(IntegrityError, match="3 outputs, its labels are 4"):
            list(classifier.predict_many([pictures / "plain.jpg"]))

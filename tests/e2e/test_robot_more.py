"""What a robot meets, continued: pipes, lists, doubled names, devices, promises that a picture's header makes."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from leansort import Classifier
from leansort.core import bundle as bundles
from leansort.core.errors import UserError
from leansort.runtime import engine as engines
from tests.conftest import CLASSES, Cli
from tests.e2e.test_mistakes import refused


def test_each_label_is_said_before_the_next_picture_is_named(tiny_run: Path, folders: Path) -> None:
    """A robot that waits for the answer must not wait for a full buffer."""
    pictures = sorted(folders.rglob("val/*/*.jpg"))[:3]
    command = [sys.executable, "-m", "leansort", "predict", str(tiny_run / "model.leansort"), "-"]
    command += ["--threads", "1", "--batch", "1"]
    asked = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert asked.stdin is not None
    assert asked.stdout is not None
    for path in pictures:
        asked.stdin.write(f"{path}\n")
        asked.stdin.flush()
        assert asked.stdout.readline().startswith(f"{path}\t")
    asked.stdin.close()
    assert asked.wait(timeout=30) == 0


@pytest.mark.slow
def test_a_whole_run_on_names_that_are_doubled_and_have_blanks(
    tiny_recipe: Path, folders: Path, tmp_path: Path, cli: Cli
) -> None:
    """Class folders are often numbered each by itself; submission, lists and score go by path then."""
    for split in ("train", "val"):
        for name in CLASSES:
            target = tmp_path / "photos" / split / name
            target.mkdir(parents=True)
            for number, path in enumerate(sorted((folders / split / name).iterdir())):
                shutil.copy(path, target / f"photo ({number}).jpg")
    done = cli("run", tiny_recipe, "train.epochs=1", "--data", tmp_path / "photos", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    scored = json.loads((tmp_path / "out" / "score.json").read_text())
    assert scored["lists"]["all"]["crops"] == 24
    assert sum(scored["lists"][half]["crops"] for half in ("public", "private")) == 24
    again = cli(
        "score", tmp_path / "out" / "output.csv", "--ground-truth", tmp_path / "out", "--split", "val", "--json"
    )
    assert json.loads(again.stdout)["lists"]["all"]["macro_f1"] == scored["lists"]["all"]["macro_f1"]


def test_pictures_of_a_list_lie_beside_it_and_unreadable_ones_are_said(
    tiny_run: Path, folders: Path, tmp_path: Path, cli: Cli
) -> None:
    rows = ["image,label"]
    for name in CLASSES:
        for path in sorted((folders / "val" / name).iterdir())[:4]:
            shutil.copy(path, tmp_path)
            rows.append(f"{path.name},{name}")
    (tmp_path / "truth.csv").write_text("\ufeff" + "\n".join(rows))  # as a spreadsheet writes it
    bundle = tiny_run / "model.leansort"
    whole = cli("score", bundle, "--ground-truth", tmp_path / "truth.csv", "--json", cwd=folders)
    assert whole.returncode == 0, whole.stderr
    broken = tmp_path / rows[1].partition(",")[0]
    broken.write_bytes(b"")
    item = cli("score", bundle, "--ground-truth", tmp_path / "truth.csv", "--json", cwd=folders)
    assert (item.returncode, f"unreadable {broken}" in item.stderr) == (1, True)
    for path in tmp_path.glob("*.jpg"):
        path.unlink()
    refused(cli("score", bundle, "--ground-truth", tmp_path / "truth.csv"), "none of the 12 pictures can be read")
    (tmp_path / "truth.csv").write_text("image,label\nonly.jpg\n")
    refused(cli("score", bundle, "--ground-truth", tmp_path / "truth.csv"), "row 2 has 1 field where the header has 2")


def test_a_class_that_no_answer_has_is_scored_all_the_same(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "truth.csv").write_text("image,label\na.jpg,Metal\nb.jpg,Paper\nc.jpg,Paper\n")
    answers = {"inference": {"a.jpg": "Metal", "b.jpg": "Glass", "c.jpg": "Metal"}}
    answers |= {"time": {"runtime": {"all": 1.0}}, "macs": 5}  # type: ignore[dict-item]
    (tmp_path / "output.csv").write_text(json.dumps(answers))
    done = cli("score", tmp_path / "output.csv", "--ground-truth", tmp_path / "truth.csv", "--json")
    assert done.returncode == 0, done.stderr
    # Metal: precision 1/2, recall 1, F1 2/3; Paper: 0; Glass, which has no crop: 0 in the contest alone.
    scored = json.loads(done.stdout)
    assert scored["lists"]["all"]["macro_f1"]["value"] == pytest.approx(1 / 3)
    assert scored["lists"]["all"]["macro_f1_classes"]["left_out"] == ["Glass"]
    assert [row["f1"] for row in scored["contest"]] == [pytest.approx(2 / 9)] * 2


def test_what_is_no_picture_is_said_and_the_rest_goes_on(tiny_run: Path, folders: Path, cli: Cli) -> None:
    good = next(folders.rglob("val/*/*.jpg"))
    with Classifier.load(tiny_run / "model.leansort") as classifier:
        mixed = [good, None, bytearray(b"x"), "a\0b.jpg", good]  # a camera that drops a frame gives None
        text = list(classifier.predict_many(mixed))  # type: ignore[arg-type]
    assert [bool(item.error) for item in text] == [False, True, True, True, False]
    assert "got NoneType" in text[1].error
    listed = cli("predict", tiny_run / "model.leansort", "-", "--format", "json", stdin=f"{good}\na\0b.jpg\n{good}\n")
    assert [("error" in json.loads(line)) for line in listed.stdout.splitlines()] == [False, True, False]


def test_a_small_file_that_promises_a_billion_pixels_is_unreadable(tiny_run: Path, tmp_path: Path, cli: Cli) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    side, packed = 30_000, zlib.compressobj(9)
    rows = b"".join(packed.compress(bytes(1 + side // 8) * 100) for _ in range(side // 100)) + packed.flush()
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    (tmp_path / "bomb.png").write_bytes(png + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    assert (tmp_path / "bomb.png").stat().st_size < 200_000
    done = cli("predict", tiny_run / "model.leansort", tmp_path / "bomb.png")
    assert (done.returncode, "error: cannot be decoded" in done.stdout) == (1, True)


def test_no_device_is_written_over(tiny_run: Path, folders: Path, cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "link.csv"
    out.symlink_to("/dev/null")
    refused(cli("predict", tiny_run / "model.leansort", folders / "val", "--out", out), "it is there and no file")
    assert Path("/dev/null").is_char_device()


def test_settings_behind_an_engines_name_are_taken(tiny_run: Path) -> None:
    bundle = bundles.load(tiny_run / "model.leansort")
    engines.load_engine(bundle, "onnxruntime:threads=2", threads=0)  # which alone would be refused
    with pytest.raises(UserError, match="threads"):
        engines.load_engine(bundle, "onnxruntime", threads=0)
    with pytest.raises(UserError, match="threads"):
        Classifier.load(tiny_run / "model.leansort", engine="onnxruntime:threads=two")


def test_names_that_are_no_text_are_read(tiny_run: Path, folders: Path, tmp_path: Path) -> None:
    good = next(folders.rglob("val/*/*.jpg"))
    odd = bytes(tmp_path) + b"/\xff odd.jpg"
    Path(odd.decode(errors="surrogateescape")).write_bytes(good.read_bytes())
    command = [sys.executable, "-m", "leansort", "predict", str(tiny_run / "model.leansort"), "-", "--format", "json"]
    done = subprocess.run(command, input=odd + b"\n", capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] in CLASSES
    into = subprocess.run([*command, "--out", str(tmp_path / "o.json")], input=odd + b"\n", check=False)
    assert into.returncode == 0
    assert json.load(io.StringIO((tmp_path / "o.json").read_text()))["label"] in CLASSES
    assert np.isfinite(json.loads((tmp_path / "o.json").read_text())["probability"])


def test_without_what_only_training_needs_the_robot_does_its_work(
    tiny_run: Path, folders: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `pip install leansort` leaves it: no torch, OpenCV, Parquet or YAML; the same labels."""
    bundle, photos = tiny_run / "model.leansort", folders / "val"
    before = cli("predict", bundle, photos, "--format", "csv").stdout
    missing = ("torch", "cv2", "pyarrow", "yaml", "jinja2", "onnx", "openvino", "safetensors")
    code = f"import sys\nsys.modules.update(dict.fromkeys({missing!r}))\n"
    (tmp_path / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = [
        cli("predict", bundle, photos, "--format", "csv"),
        cli("submit", bundle, photos, "--out", tmp_path / "o.csv"),
        cli("score", bundle, "--ground-truth", photos),
        cli("bench", bundle, "--images", photos, "--seconds", "0.1", "--queries", "20", "--starts", "1"),
    ]
    assert [item.stderr for item in done if item.returncode] == []
    labels = [[line.split(",")[1] for line in text.splitlines()] for text in (done[0].stdout, before)]
    assert labels[0] == labels[1]
    assert len(labels[0]) == 25
    for arguments, extra in (
        (["train", tiny_run / "recipe.json"], "train"),
        (["data", "sample", "--out", tmp_path / "s"], "train"),
        (["data", "check", tiny_run], "train"),
        (["report", tiny_run], "train"),
        (["tune", "report", tiny_run], "tune"),
        (["compress", tiny_run / "recipe.json", tiny_run], "compress"),
    ):
        refused(cli(*arguments), f"which is not installed; run: pip install 'leansort[{extra}]'")

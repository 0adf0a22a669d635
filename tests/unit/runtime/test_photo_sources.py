"""Photos and boxes by name: folders that fill, lines of JSON, COCO; what cannot be used is passed over and named."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from leansort.core.errors import UserError
from leansort.core.pixels.camera_frames import Frame
from leansort.runtime.sorting.box_lines import BoxFile, boxes_of_line
from leansort.runtime.sorting.photo_sources import FolderSource, LineSource
from leansort.runtime.sorting.timed_frames import SourceCounts, TimedFrame


def photo(path: Path, shade: int = 90, size: tuple[int, int] = (31, 20)) -> Path:
    Pillow.new("RGB", size, (shade, 10, 20)).save(path)
    return path


def timed(number: int = 0, name: str = "") -> TimedFrame:
    return TimedFrame(Frame(bytes(4), "GRAY", 2, 2), number, 0.0, 0.0, name)


def test_a_folder_is_read_oldest_first_and_what_is_no_photo_is_named(tmp_path: Path) -> None:
    for age, name in ((30, "b.png"), (20, "a.png"), (10, "c.png")):
        os.utime(photo(tmp_path / name, age), (time.time() - age,) * 2)
    (tmp_path / "d.jpg").write_bytes(b"<html>")
    (tmp_path / "notes.txt").write_text("no photo")
    photo(tmp_path / ".hidden.png")
    counts = SourceCounts()
    got = list(FolderSource(tmp_path, 0, counts))
    assert [item.name for item in got] == ["b.png", "a.png", "c.png"]
    assert [item.number for item in got] == [0, 1, 2]
    assert got[0].frame.rgb()[0, 0].tolist() == [30, 10, 20]
    assert (counts.frames, counts.unreadable) == (3, 1)
    assert "d.jpg" in counts.examples[0]


def test_photos_that_come_later_are_taken_when_they_are_whole(tmp_path: Path) -> None:
    counts, whole = SourceCounts(), photo(tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").unlink()

    def fill() -> None:
        for number in range(3):
            time.sleep(0.3)
            with (tmp_path / f"{number}.png").open("wb") as file:
                file.write(whole[:20])
                file.flush()
                time.sleep(0.2)
                file.write(whole[20:])

    filler = threading.Thread(target=fill)
    filler.start()
    got = [item.name for item in FolderSource(tmp_path, 3.0, counts)]
    filler.join()
    assert got == ["0.png", "1.png", "2.png"]
    assert counts.unreadable == 0


@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_an_empty_folder_is_refused(tmp_path: Path, stall: float) -> None:
    with pytest.raises(UserError, match="holds no photos, and none came within"):
        list(FolderSource(tmp_path, stall, SourceCounts()))
    with pytest.raises(UserError, match="cannot be read"):
        list(FolderSource(tmp_path / "gone", stall, SourceCounts()))


def test_lines_name_photos_with_boxes_or_without(tmp_path: Path) -> None:
    path = str(photo(tmp_path / "a.png"))
    lines = [
        {"image": path},
        {"image": path, "boxes": [[1, 2, 3, 4], {"bbox": [5, 6, 7.5, 8]}]},
        {"image": path, "box": [1, 2, 3, 4]},
        {"image": path, "boxes": []},
    ]
    bad = [b"nonsense", b'{"image": 5}', b"[1]", b'{"image": "' + path.encode() + b'", "box": [1, 2, 3]}', b"[" * 9000,
           json.dumps({"image": str(tmp_path / "gone.png")}).encode()]  # fmt: skip
    counts = SourceCounts()
    text = b"\n".join([*(json.dumps(line).encode() for line in lines), b"", *bad])
    got = [item.boxes for item in LineSource(io.BytesIO(text), counts)]
    assert got == [None, ((1, 2, 3, 4), (5, 6, 7.5, 8)), ((1, 2, 3, 4),), ()]
    assert counts.unreadable == len(bad)
    assert "line 6: is no JSON" in counts.examples[0]


@pytest.mark.parametrize(
    ("text", "message"), [(b"", "standard input is empty"), (b"{}\n", "named no photo that could")]
)
def test_lines_without_a_photo_are_refused(text: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(LineSource(io.BytesIO(text), SourceCounts()))


def test_boxes_by_lines_and_by_coco_are_the_same(tmp_path: Path) -> None:
    lines = tmp_path / "boxes.jsonl"
    rows = ['{"frame": 3, "box": [1, 2, 3, 4]}', "", '{"frame": 3, "boxes": [[5, 6, 7, 8]]}']
    lines.write_text("\n".join([*rows, '{"image": "a.png", "box": [9, 9, 9, 9]}']))
    coco = tmp_path / "coco.json"
    images: list[dict[str, Any]] = [{"id": 1, "file_name": "f3.png", "frame_id": 3}, {"id": 2, "file_name": "a.png"}]
    boxes = [(1, [1, 2, 3, 4]), (1, [5, 6, 7, 8]), (2, [9, 9, 9, 9]), (7, [0, 0, 1, 1]), (1, [1, 2]), (1, None)]
    annotations = [{"image_id": image, "bbox": box} for image, box in boxes]
    coco.write_text(json.dumps({"images": images, "annotations": annotations}))
    counts = SourceCounts()
    for file in (BoxFile(lines, counts), BoxFile(coco, counts)):
        assert file(timed(3)) == [(1, 2, 3, 4), (5, 6, 7, 8)]
        assert file(timed(0, "belt/a.png")) == [(9, 9, 9, 9)]
        assert file(timed(4)) == []
    assert counts.unreadable == 3


BAD = ["", "nonsense\n", '{"frame": 1, "boxes": 5}',
       '{"frame": true, "box": [1, 2, 3, 4]}', '{"frame": 1, "box": [1, 2, 3, "4"]}',
       '{"images": [], "annotations": []}',
       '{"frame": 1, "box": [1, 2, 3, NaN]}']  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_a_file_without_boxes_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(UserError, match="holds no boxes by frame or image"):
        BoxFile(tmp_path / "boxes.json", SourceCounts())


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "boxes.bin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        BoxFile(tmp_path / "boxes.bin", SourceCounts())
    with pytest.raises(UserError, match=r"is not there.*did you mean 'boxes.bin'"):
        BoxFile(tmp_path / "boxs.bin", SourceCounts())
    with pytest.raises(UserError, match="did you mean 'belt'"):
        BoxFile(Path("bellt"), SourceCounts())
    (tmp_path / "odd.json").write_text('{"images": 3, "annotations": []}')
    with pytest.raises(UserError, match="no lists `images` and `annotations`"):
        BoxFile(tmp_path / "odd.json", SourceCounts())
    assert np.isfinite(boxes_of_line({"box": [1, 2, 3, 4]})).all()

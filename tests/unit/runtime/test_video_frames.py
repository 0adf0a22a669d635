"""Videos written and read: pixels, sizes, damage. What is no video is refused in one line."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from leansort.core.errors import LeansortError, UserError
from leansort.core.pixels import Image
from leansort.runtime.sorting.live_source import FileSource
from leansort.runtime.sorting.timed_frames import SourceCounts, TimedFrame
from leansort.runtime.sorting.video_frames import frame_of, open_video
from leansort.runtime.sorting.video_writer import VideoWriter


def picture(number: int, width: int = 96, height: int = 64) -> Image:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([(x * 2 + 4 * number) % 200 + 20, y * 2 % 200 + 20, np.full_like(x, 90)], -1).astype(np.uint8)


def written(path: Path, frames: int = 30) -> Path:
    writer = VideoWriter(path, quality=5)
    for number in range(frames):
        writer.write(picture(number), number / 30)
    writer.close()
    return path


def read(source: str | io.BytesIO, counts: SourceCounts) -> list[TimedFrame]:
    return list(FileSource(lambda: open_video(source, counts), counts))


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mov"])
def test_what_is_written_is_read(tmp_path: Path, ending: str) -> None:
    got = read(str(written(tmp_path / f"x{ending}")), SourceCounts())
    assert [item.number for item in got] == list(range(30))
    assert got[15].time == pytest.approx(0.5, abs=0.002)
    assert got[0].frame.format == "I420"
    assert np.abs(got[9].frame.rgb().astype(int) - picture(9)).mean() < 6
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"x{ending}"]


@pytest.mark.parametrize(
    "name", ["yuv420p", "nv12", "yuyv422", "rgb24", "bgr24", "gray", "yuvj420p", "rgba", "gray10le"]
)
@pytest.mark.parametrize("size", [(64, 48), (70, 46), (33, 21)])
def test_planes_of_any_format_are_those_that_ffmpeg_converts(name: str, size: tuple[int, int]) -> None:
    if name == "yuyv422" and size[0] % 2:
        pytest.skip("not a picture of this format")
    rgb = np.repeat(np.repeat(picture(3, 40, 30), 3, axis=0), 3, axis=1)[: size[1], : size[0]].copy()
    made = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=name)
    frame = frame_of(made)
    expected = made.to_ndarray(format="rgb24")
    assert frame.rgb().shape == expected.shape
    assert np.abs(frame.rgb().astype(int) - expected).mean() < 4


def test_damaged_bytes_cost_frames_and_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "x.mkv", 90)
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for at in rng.integers(len(data) // 3, len(data) * 2 // 3, 60).tolist():
        data[at] ^= 0x5A
    path.write_bytes(data)
    counts = SourceCounts()
    got = read(str(path), counts)
    assert 10 < len(got) <= 90
    assert counts.damaged + counts.failed > 0
    assert counts.examples


def test_a_video_that_is_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    path = written(tmp_path / "x.mkv", 90)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 5 < len(read(str(path), SourceCounts())) < 90


@pytest.mark.parametrize("name", ["garbage.mp4", "empty.mp4", "text.mp4", "cut.mp4", "gone.mp4", "sound.wav"])
def test_what_is_no_video_is_refused(tmp_path: Path, name: str) -> None:
    whole = written(tmp_path / "whole.mp4").read_bytes()
    content = {
        "garbage.mp4": np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8).tobytes(),
        "empty.mp4": b"",
        "text.mp4": b"frame\n" * 300,
        "cut.mp4": whole[: len(whole) // 2],  # without the table at its end
    }
    if name == "sound.wav":
        with av.open(str(tmp_path / name), "w") as container:
            container.add_stream("pcm_s16le", rate=8000)
            container.start_encoding()
    elif name in content:
        (tmp_path / name).write_bytes(content[name])
    with pytest.raises(LeansortError) as caught:
        read(str(tmp_path / name), SourceCounts())
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_jpegs_one_after_the_other_are_a_video() -> None:
    stream = io.BytesIO()
    for number in range(12):
        Pillow.fromarray(picture(number)).save(stream, "JPEG", quality=95)
    stream.seek(0)
    got = read(stream, SourceCounts())
    assert len(got) == 12
    assert np.abs(got[5].frame.rgb().astype(int) - picture(5)).mean() < 6


def test_frames_of_another_size_are_written_onto_the_first_ones_ground(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "x.mp4", quality=5)
    writer.write(picture(0), 0)
    writer.write(picture(0, 40, 120), 0)  # at the same time, which no video may have
    writer.write(picture(0, 97, 65), 0.1)
    writer.close()
    got = read(str(tmp_path / "x.mp4"), SourceCounts())
    assert [item.frame.shape for item in got] == [(64, 96)] * 3
    assert got[1].frame.rgb()[10, 70].max() < 20


def test_a_video_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "x.mp4")
    writer.write(picture(0), 0)
    assert not (tmp_path / "x.mp4").exists()
    writer.discard()
    VideoWriter(tmp_path / "none.mp4").close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match=r"got x.avi, allowed endings: .mp4, .mkv, .mov"):
        VideoWriter(tmp_path / "x.avi")
    with pytest.raises(UserError, match="no such folder"):
        VideoWriter(tmp_path / "gone" / "x.mp4")

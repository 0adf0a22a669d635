"""`leansort sort` as a user calls it: videos, folders, lines, streams that end and stall, Ctrl-C, and mistakes."""

from __future__ import annotations

import importlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image as Pillow

import leansort
from leansort.core.errors import MissingExtraError
from leansort.runtime.predictor import Classifier
from leansort.runtime.shipped_models import open_default
from leansort.runtime.sorting.live_source import FileSource
from leansort.runtime.sorting.motion.box_tracker import overlap
from leansort.runtime.sorting.timed_frames import SourceCounts
from leansort.runtime.sorting.video_frames import open_video
from tests.conftest import ROOT, Cli
from tests.e2e.test_mistakes import refused
from tests.support.interrupts import hear_interrupts


@pytest.fixture(scope="module")
def belt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn belt. Treat as read-only."""
    folder = tmp_path_factory.mktemp("belt") / "drawn"
    leansort.draw_sample(folder, seed=3, video=True, frames=150, size="320x180", blur=3, glare=0.2)
    return folder


def truth_of(belt: Path) -> dict[int, list[dict[str, Any]]]:
    by_frame = defaultdict(list)
    for line in (belt / "truth.jsonl").read_text().splitlines():
        item = json.loads(line)
        by_frame[item["frame"]].append(item)
    return by_frame


def decisions_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def object_of(decision: dict[str, Any], truth: dict[int, list[dict[str, Any]]]) -> int:
    return int(max(truth[decision["frame"]], key=lambda item: overlap(item["box"], decision["box"]))["object"])


def test_every_object_is_decided_once_before_the_line(cli: Cli, belt: Path, tmp_path: Path) -> None:
    truth = truth_of(belt)
    done = cli(
        "sort",
        belt / "belt.mp4",
        "--boxes",
        belt / "truth.jsonl",
        "--deadline",
        "0.7",
        "--annotate",
        tmp_path / "s.mp4",
    )
    made = [item for item in decisions_of(done) if item["decided"] == "deadline"]
    objects = Counter(object_of(item, truth) for item in made)
    crossed = {
        item["object"] for items in truth.values() for item in items if item["box"][0] + item["box"][2] > 0.72 * 320
    }
    assert set(objects) >= crossed
    assert set(objects.values()) == {1}
    assert all(item["box"][0] + item["box"][2] <= 0.7 * 320 + 1 for item in made)
    assert all(item["label"] and item["voted"] > 5 and item["latency_ms"] > 0 for item in made)
    assert f"{len(decisions_of(done))} objects" in done.stderr.splitlines()[-1]
    counts = SourceCounts()
    frames = list(FileSource(lambda: open_video(str(tmp_path / "s.mp4"), counts), counts))
    assert len(frames) == 150
    assert counts.damaged == 0
    line = frames[100].frame.rgb()[:, 224].astype(int)  # blue, where no object is
    assert np.median(line[:, 2] - line[:, 0]) > 60


def test_a_belt_without_a_detector(cli: Cli, belt: Path) -> None:
    truth, made = truth_of(belt), decisions_of(cli("sort", belt / "belt.mp4"))
    objects = Counter(object_of(item, truth) for item in made)
    seen = {item["object"] for number in range(60, 150) for item in truth[number] if item["visible"] == 1}
    assert len(set(objects) & seen) >= 0.75 * len(seen)
    assert max(objects.values()) == 1


def test_a_vote_is_right_as_often_as_single_frames_or_more(belt: Path) -> None:
    """With a network that errs in every third frame at random, told by the truth: the vote is right nearly always."""
    truth = truth_of(belt)
    by_place = {(number, tuple(item["box"])): item["label"] for number, items in truth.items() for item in items}
    labels, rng, right = open_default().meta.labels, np.random.default_rng(0), list[bool]()
    counts = SourceCounts()
    made: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        number = iter(range(10**6))
        now = {"frame": 0}

        def predict(self: Classifier, frame: Any, boxes: Any) -> list[Any]:
            answers = []
            for box in boxes:
                name = by_place[(now["frame"], tuple(box))]
                right.append(bool(rng.random() < 0.66))
                label = name if right[-1] else str(rng.choice([item for item in labels if item != name]))
                answers.append(leansort.Prediction(label, float(rng.uniform(0.4, 0.9)), True, (), known=True))
            return answers

        from leansort.runtime.sorting.belt_sorter import BeltSorter
        from leansort.runtime.sorting.box_lines import BoxFile

        patch.setattr(Classifier, "predict_boxes", predict)
        with Classifier.of(open_default()) as classifier:
            sorter = BeltSorter(classifier, BoxFile(belt / "truth.jsonl", counts))
            for timed in FileSource(lambda: open_video(str(belt / "belt.mp4"), counts), counts):
                now["frame"] = next(number)
                made += sorter.take(timed)
            made += sorter.end()
    good = [item for item in made if item.voted >= 5]
    hits = [item.label == by_place[(item.frame, item.box)] for item in good if (item.frame, item.box) in by_place]
    assert len(hits) >= 6
    assert np.mean(hits) > np.mean(right)
    assert np.mean(hits) >= 0.9
    assert sum(item.changes for item in good) > 20  # single frames; decided labels cannot change


def test_photos_in_a_folder_and_by_lines(cli: Cli, belt: Path, tmp_path: Path) -> None:
    counts = SourceCounts()
    for timed in FileSource(lambda: open_video(str(belt / "belt.mp4"), counts), counts):
        if timed.number % 30 == 0:
            Pillow.fromarray(timed.frame.rgb()).save(tmp_path / f"{timed.number:03d}.png")
    whole = decisions_of(cli("sort", tmp_path, "--stall", "0"))
    assert [item["image"] for item in whole] == ["000.png", "030.png", "060.png", "090.png", "120.png"]
    assert {item["decided"] for item in whole} == {"frame"}
    again = leansort.predict(str(tmp_path), threads=1, batch=1)
    assert [item["label"] for item in whole] == [item.label for item in again.predictions]
    names = "".join(json.dumps({"image": str(tmp_path / item["image"])}) + "\n" for item in whole)
    assert [item["label"] for item in decisions_of(cli("sort", "-", stdin=names))] == [item["label"] for item in whole]
    boxed = "".join(
        json.dumps({"image": str(tmp_path / "060.png"), "boxes": [[10 + 6 * at, 20, 60, 60]]}) + "\n" for at in range(9)
    )
    [decision] = decisions_of(cli("sort", "-", stdin=boxed + "junk\n"))
    assert (decision["decided"], decision["voted"], decision["object"]) == ("end", 9, 1)


def test_jpegs_on_standard_input(belt: Path, tmp_path: Path) -> None:
    counts = SourceCounts()
    with (tmp_path / "stream.mjpeg").open("wb") as file:
        for timed in FileSource(lambda: open_video(str(belt / "belt.mp4"), counts), counts):
            Pillow.fromarray(timed.frame.rgb()).save(file, "JPEG", quality=92)
    with (tmp_path / "stream.mjpeg").open("rb") as stream:
        command = [sys.executable, "-m", "leansort", "sort", "-", "--boxes", str(belt / "truth.jsonl")]
        done = subprocess.run(command, stdin=stream, capture_output=True, text=True, check=False)
    assert len([item for item in decisions_of(done) if item["decided"] == "deadline"]) >= 4
    assert "150 frames" in done.stderr


@contextmanager
def camera(parts: list[tuple[bytes, bool]]) -> Iterator[tuple[str, threading.Event]]:
    """A camera on the network: one connection after the other sends its bytes, and then ends, or hangs where told."""
    release = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for data, hangs in parts:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                for at in range(0, len(data), 4096):
                    try:
                        connection.sendall(data[at : at + 4096])
                    except OSError:
                        break
                    time.sleep(0.002)
                if hangs:
                    release.wait(20)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}", release
    finally:
        release.set()
        server.close()


@pytest.fixture(scope="module")
def broadcast(belt: Path) -> bytes:
    """The belt as a stream that can be joined anywhere."""
    path = belt.parent / "belt.ts"
    with av.open(str(belt / "belt.mp4")) as source, av.open(str(path), "w", format="mpegts") as target:
        stream = target.add_stream("libx264", rate=30, options={"g": "10", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for frame in source.decode(video=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path.read_bytes()


def test_a_stream_that_ends_stalls_and_sends_garbage_is_opened_again_and_given_up(
    cli: Cli, broadcast: bytes, tmp_path: Path
) -> None:
    garbage = bytearray(broadcast)
    rng = np.random.default_rng(0)
    for at in rng.integers(len(garbage) // 3, len(garbage), 400).tolist():
        garbage[at] = int(rng.integers(256))
    parts = [(broadcast, False), (bytes(garbage), False), (broadcast[: len(broadcast) // 2], True)]
    with camera(parts) as (url, _):
        done = cli("sort", url, "--stall", "2", "--retries", "1", "--annotate", tmp_path / "s.mp4")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert "is opened again (attempt 1 of 1)" in done.stderr
    assert "and gave no frame in 1 further attempts" in lines[-1]
    assert lines[-1].startswith("error: sort: tcp://")
    assert "frames" in lines[-2]
    assert (tmp_path / "s.mp4").stat().st_size > 1000
    assert all(json.loads(line)["object"] for line in done.stdout.splitlines())


def test_ctrl_c_decides_what_is_in_sight_and_ends_cleanly(belt: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "leansort",
        "sort",
        str(belt / "belt.mp4"),
        "--live",
        "--annotate",
        str(tmp_path / "s.mp4"),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, preexec_fn=hear_interrupts
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    assert error.splitlines()[-1].startswith("interrupted: ")
    assert "Traceback" not in error
    assert json.loads(first)["object"] >= 1
    assert all(json.loads(line)["decided"] for line in out.splitlines())
    assert (tmp_path / "s.mp4").exists()


def test_frames_of_another_size_in_the_middle(cli: Cli, belt: Path, tmp_path: Path) -> None:
    counts = SourceCounts()
    for timed in FileSource(lambda: open_video(str(belt / "belt.mp4"), counts), counts):
        image = Pillow.fromarray(timed.frame.rgb())
        (image if timed.number < 60 else image.resize((256, 144))).save(tmp_path / f"{timed.number:03d}.jpg")
    done = cli("sort", tmp_path, "--boxes", "belt", "--stall", "0", "--annotate", tmp_path / "s.mp4")
    assert "resized 1" in done.stderr
    assert {item["decided"] for item in decisions_of(done)} >= {"resized"}


def test_mistakes(cli: Cli, belt: Path, tmp_path: Path) -> None:
    video = belt / "belt.mp4"
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk.mp4").write_bytes(b"\x00\x01junk" * 500)
    (tmp_path / "none.json").write_text("{}")
    refused(cli("sort", "/dev/video87"), "camera /dev/video87 is not there")
    refused(cli("sort", belt / "bel.mp4"), "is not there", "did you mean 'belt.mp4'")
    refused(cli("sort", "tcp://127.0.0.1:9"), "tcp://127.0.0.1:9 is no video that can be read")
    refused(cli("sort", tmp_path / "junk.mp4"), "junk.mp4 is no video that can be read")
    refused(cli("sort", tmp_path / "empty", "--stall", "0.2"), "holds no photos, and none came within 0.2 s")
    refused(cli("sort", "-", stdin=""), "standard input is empty")
    refused(cli("sort", "-", stdin="{}\n"), "named no photo that could be read")
    refused(cli("sort", video, "--boxes", tmp_path / "none.json"), "holds no boxes by frame or image")
    refused(cli("sort", video, "--boxes", "bellt"), "did you mean 'belt'")
    refused(cli("sort", video, "--direction", "rihgt"), "did you mean 'right'")
    refused(cli("sort", video, "--boxes", "frame", "--deadline", "0.5"), "--deadline 0.5 has no effect")
    refused(cli("sort", video, "--stall", "3"), "--stall has no effect on a file")
    refused(cli("sort", video, "--retries", "3"), "--retries has no effect on a file")
    refused(cli("sort", tmp_path / "empty", "--live"), "--live has no effect on a folder")
    refused(cli("sort", video, "--annotate", tmp_path / "s.avi"), "allowed endings: .mp4")
    refused(cli("sort", video, "--annotate", tmp_path / "gone" / "s.mp4"), "no such folder")
    refused(cli("sort", video, "--annotate", video), "is the source itself")
    refused(cli("sort", "/dev/null"), "is no file, folder or camera; a pipe goes in by -")
    refused(cli("sort", video, "--deadline", "3"), "--deadline", "got '3'")
    refused(cli("data", "sample", "--out", tmp_path / "v", "--video", "--train", "3"), "--train is of scenes")
    refused(cli("data", "sample", "--out", tmp_path / "v", "--frames", "3"), "--frames is of a video; add --video")
    refused(cli("data", "sample", "--out", tmp_path / "v", "--video", "--size", "31x40"), "--size: got '31x40'")
    refused(cli("data", "sample", "--out", tmp_path / "v", "--density", "9"), "--density is of a video; add --video")
    drawn = ["data", "sample", "--out", tmp_path / "v", "--video"]
    refused(cli(*drawn, "--density", "9999"), "density: got 9999 objects a second, allowed: up to")
    refused(cli(*drawn, "--crossing", "0.1"), "crossing: got 0.1 s, need more: objects of 162 pixels")
    refused(cli("sort", video, "--votes", "0"), "--votes")
    refused(cli("sort", video, "--boxes", "frame", "--votes", "4"), "--votes 4 has no effect")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "junk.mp4", "none.json"]


def test_every_object_of_a_full_belt_is_decided_once_with_few_votes_of_a_frame(cli: Cli, tmp_path: Path) -> None:
    full = tmp_path / "full"
    leansort.draw_sample(full, seed=2, video=True, frames=75, size="480x270", density=50, crossing=1)
    truth = truth_of(full)
    done = cli("sort", full / "belt.mp4", "--boxes", full / "truth.jsonl", "--votes", "4")
    made = [item for item in decisions_of(done) if item["decided"] == "deadline"]
    objects = Counter(object_of(item, truth) for item in made)
    crossed = {
        item["object"] for items in truth.values() for item in items if item["box"][0] + item["box"][2] > 0.88 * 480
    }
    assert len(crossed) > 50
    assert set(objects) >= crossed
    assert set(objects.values()) == {1}
    assert min(item["voted"] for item in made) >= 1
    assert "spared" in done.stderr.splitlines()[-1]


def test_a_missing_library_is_said_by_its_extra(belt: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    for call in (
        lambda: leansort.sort(belt / "belt.mp4"),
        lambda: leansort.sort("rtsp://camera/1"),
        lambda: leansort.sort(belt, stall=0, annotate=tmp_path / "s.mp4"),
        lambda: leansort.draw_sample(tmp_path / "v", video=True),
    ):
        with pytest.raises(MissingExtraError, match=r"needs 'av'.*pip install 'leansort\[video\]'"):
            call()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "leansort.runtime.sorting.moving_objects", raising=False)
    monkeypatch.setattr(importlib.import_module("leansort.runtime.sorting"), "moving_objects", None, raising=False)
    Pillow.new("RGB", (64, 48)).save(tmp_path / "a.png")
    with pytest.raises(MissingExtraError, match=r"needs 'cv2'.*pip install 'leansort\[video\]'"):
        leansort.sort(tmp_path, boxes="belt", stall=0)


RECIPE = """\
name: belt
data: {{source: folder, path: {path}}}
preprocess: {{size: 32}}
arch: {{base: tiny_s, width: 0.5, dropout: 0.0}}
augment: {{randaugment: 0}}
train: {{epochs: 10, batch: 16, lr: 4.0e-3, warmup: 1, workers: 0, threads: 1}}
"""


def cut_crops(belt: Path, out: Path, split: str, every: int) -> None:
    """Cut the objects of each so many frames into class folders."""
    truth, counts = truth_of(belt), SourceCounts()
    for timed in FileSource(lambda: open_video(str(belt / "belt.mp4"), counts), counts):
        for item in truth[timed.number] if timed.number % every == 0 else []:
            if item["visible"] == 1:
                path = out / split / item["label"] / f"{timed.number:03d}-{item['object']}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Pillow.fromarray(timed.frame.at(tuple(item["box"])).rgb()).save(path)


@pytest.mark.slow
def test_decisions_of_a_trained_network_are_right_as_often_as_its_frames_or_more(tmp_path: Path) -> None:
    for name, seed, frames in (("train", 11, 500), ("val", 12, 150), ("robot", 13, 400)):
        leansort.draw_sample(tmp_path / name, seed=seed, video=True, frames=frames, size="320x180", blur=3, glare=0.3)
    for split, every in (("train", 5), ("val", 10)):
        cut_crops(tmp_path / split, tmp_path / "crops", split, every)
    (tmp_path / "belt.yaml").write_text(RECIPE.format(path=tmp_path / "crops"))
    leansort.train(tmp_path / "belt.yaml", out=tmp_path / "run")
    exported = leansort.export(tmp_path / "run" / "train", manifest=tmp_path / "run", out=tmp_path / "m.leansort")
    robot, made, right, counts = tmp_path / "robot", list[leansort.SortDecision](), list[bool](), SourceCounts()
    truth = truth_of(robot)
    leansort.sort(robot / "belt.mp4", bundle=exported.bundle, boxes=robot / "truth.jsonl", on_decision=made.append)
    with Classifier.load(exported.bundle) as classifier:
        for timed in FileSource(lambda: open_video(str(robot / "belt.mp4"), counts), counts):
            things = [item for item in truth[timed.number] if item["visible"] == 1]
            answers = classifier.predict_boxes(timed.frame, [tuple(item["box"]) for item in things])
            right += [one.label == item["label"] for one, item in zip(answers, things, strict=True)]
    by_place = {(number, tuple(item["box"])): item for number, items in truth.items() for item in items}
    of_object = [(by_place[(item.frame, item.box)], item) for item in made if (item.frame, item.box) in by_place]
    assert len({thing["object"] for thing, _ in of_object}) == len(of_object) >= 20
    hits = np.mean([thing["label"] == item.label for thing, item in of_object])
    print(f"right: {np.mean(right):.3f} of {len(right)} frames, {hits:.3f} of {len(of_object)} decisions; "
          f"{sum(item.changes for item in made)} changes before the vote")  # fmt: skip
    assert np.mean(right) > 0.25  # it has learned something: six classes
    assert hits >= np.mean(right) - 0.05

"""`leansort watch`: logs, folders and streams, cut lines, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.runtime.drift.drift_status import DriftSettings
from leansort.workflows.deploy.reference_photos import add_reference
from leansort.workflows.field.drift_watching import WatchResult, watch_source, watch_text
from tests.support.graphs import LABELS, colour_bundle

SETTINGS = DriftSettings()


def paint(path: Path, rng: np.random.Generator, gain: float = 1.0, kind: int | None = None) -> Path:
    """A picture whose colour is its class."""
    at = int(rng.integers(3)) if kind is None else kind
    colour = rng.integers(40, 160, 3)
    colour[at] += 60
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.clip(gain * (colour[::-1] + rng.normal(0, 8, (24, 32, 3))), 0, 255).astype(np.uint8)
    cv2.imwrite(str(path), image)
    return path


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder, rng = tmp_path_factory.mktemp("val"), np.random.default_rng(0)
    for number in range(90):
        paint(folder / LABELS.names[number % 3] / f"{number}.png", rng, kind=number % 3)
    return add_reference(colour_bundle(), folder)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 photos like val, then 40 darker ones."""
    folder, rng = tmp_path_factory.mktemp("field"), np.random.default_rng(1)
    for number in range(100):
        paint(folder / f"{number:03d}.png", rng, gain=1.0 if number < 60 else 0.6)
    return folder


def watch(bundle: Bundle, source: str | Path, out: Path, stream: bytes = b"") -> WatchResult:
    return watch_source(bundle, str(source), out, SETTINGS, stream=io.BytesIO(stream))


def test_a_folder_a_log_and_streams_of_either_come_to_the_same(known: Bundle, field: Path, tmp_path: Path) -> None:
    result = watch(known, field, tmp_path / "folder")
    assert result.status.level == "red"
    assert {alarm.statistic for alarm in result.alarms} >= {"brightness"}
    assert all(alarm.photo > 60 for alarm in result.alarms)
    log = (tmp_path / "folder" / "photos.jsonl").read_bytes()
    (tmp_path / "log.jsonl").write_bytes(log)
    names = "".join(f"{path}\n" for path in sorted(field.iterdir())).encode()
    others = [
        watch(known, tmp_path / "log.jsonl", tmp_path / "log"),
        watch(known, "-", tmp_path / "lines", log),
        watch(known, "-", tmp_path / "names", names),
    ]
    for other in others:
        assert (other.status, other.alarms) == (result.status, result.alarms)
    page = (tmp_path / "folder" / "watch.html").read_text()
    assert "brightness: evidence, log10" in page
    assert "red: 100 photos watched" in watch_text(result)


def test_a_log_that_grew_is_gone_on_with_and_bad_lines_are_named(
    known: Bundle, field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = watch(known, field, tmp_path / "folder")
    lines = (tmp_path / "folder" / "photos.jsonl").read_text().splitlines(keepends=True)
    log = tmp_path / "log.jsonl"
    log.write_text("".join(lines[:30]) + lines[30][:20])
    first = watch(known, log, tmp_path / "log")
    assert (first.status.photos, first.passed_over) == (30, 1)
    log.write_text("".join([*lines[:30], "no JSON\n", *lines[30:]]))
    second = watch(known, log, tmp_path / "log")
    assert (second.resumed, second.passed_over) == (30, 1)
    assert (second.status, second.alarms) == (whole.status, whole.alarms)
    error = capsys.readouterr().err
    assert "line 31 is not JSON" in error
    assert "the line is cut short" in error
    log.write_text("".join(lines[:5]))
    with pytest.raises(UserError, match="5 lines, 101 were read before"):
        watch(known, log, tmp_path / "log")


def test_a_folder_is_gone_on_with_by_its_new_photos(known: Bundle, field: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for number in range(3):
        paint(tmp_path / "photos" / f"{number}.png", rng)
    assert watch(known, tmp_path / "photos", tmp_path / "out").status.photos == 3
    paint(tmp_path / "photos" / "9.png", rng)
    (tmp_path / "photos" / "bad.png").write_bytes(b"x")
    result = watch(known, tmp_path / "photos", tmp_path / "out")
    assert (result.resumed, result.status.photos, result.status.unreadable) == (3, 4, 1)


def test_a_log_without_statistics_is_watched_by_the_rest(known: Bundle, field: Path, tmp_path: Path) -> None:
    watch(known, field, tmp_path / "folder")
    lines = [json.loads(line) for line in (tmp_path / "folder" / "photos.jsonl").read_text().splitlines()]
    for line in lines:
        del line["statistics"]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = watch(known, tmp_path / "log.jsonl", tmp_path / "log")
    assert result.missing == ("brightness", "sharpness", "warmth", "tint", "size")
    assert result.status.photos == 100


def test_what_cannot_be_watched_is_refused_in_one_line(known: Bundle, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>")
    for source, text in (("log.jsnl", "is not there"), ("page.html", "is no log of predictions")):
        with pytest.raises(UserError, match=text):
            watch(known, tmp_path / source, tmp_path / "out")
    with pytest.raises(UserError, match="--shuffle goes with a folder"):
        watch_source(known, "-", tmp_path / "out", SETTINGS, shuffle=True)
    rng = np.random.default_rng(0)
    for number in range(6):
        paint(tmp_path / "few" / LABELS.names[number % 3] / f"{number}.png", rng)
    with pytest.raises(UserError, match="has 6 photos, a reference needs 10"):
        add_reference(colour_bundle(), tmp_path / "few")
    assert not (tmp_path / "out").exists()

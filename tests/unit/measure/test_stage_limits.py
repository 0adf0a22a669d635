"""Each stage from a photo to its label against its limit."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from leansort.core.errors import UserError
from leansort.core.preprocess import Preprocess
from leansort.measure.timing import stage_limits
from leansort.measure.timing.stage_limits import MachineLimits, StageLimit, StageTimes
from leansort.report import speeds
from leansort.report.charts.limit_bars import limit_bars
from leansort.workflows.deploy.bench import require_chart
from tests.conftest import draw


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    root = tmp_path_factory.mktemp("photos")
    for number in range(3):
        draw(root / f"{number}.jpg", number, number, (256, 192))
    return [path.read_bytes() for path in sorted(root.glob("*.jpg"))]


def test_every_limit_is_work_over_speed(photos: list[bytes]) -> None:
    machine = MachineLimits(entropy_bytes_per_s=1e6, copy_bytes_per_s=1e9, start_s=0.02)
    times = StageTimes(
        decode=10.0, network=0.004, whole=11.0, network_limit=0.001, network_reason="at the peak", start=0.2
    )
    rows = {row.stage: row for row in stage_limits.stage_limits(photos, Preprocess(size=64), times, machine)}
    coded = sum(map(len, photos)) / 3
    assert rows["entropy decoding"].limit_ms == pytest.approx(1e3 * coded / 1e6)
    pixels = 64 * 48 * 3 + 64 * 64 * 3  # decoded at a quarter, then padded
    assert rows["pixels"].limit_ms == pytest.approx(1e3 * pixels / 1e9)
    assert rows["pixels"].ms == pytest.approx(10_000 - rows["entropy decoding"].ms)
    assert (rows["network"].limit_ms, rows["network"].share) == (1.0, 0.25)
    parts = [rows[name].limit_ms for name in ("entropy decoding", "pixels", "network")]
    assert rows["whole"].limit_ms == pytest.approx(sum(parts))
    assert rows["start-up"].share == pytest.approx(0.1)


def test_where_the_peak_is_unknown_nothing_is_made_up(photos: list[bytes]) -> None:
    times = StageTimes(decode=1.0, network=1.0, whole=2.0, network_limit=0.0, network_reason="peak not known")
    rows = stage_limits.stage_limits(photos, Preprocess(size=64), times, MachineLimits(1e6, 1e9))
    by_stage = {row.stage: row for row in rows}
    assert (by_stage["network"].share, by_stage["whole"].limit_ms) == (0.0, 0.0)
    assert "start-up" not in by_stage
    assert "not known" in speeds.limits("m", rows)


def test_the_machines_limits_are_measured(photos: list[bytes]) -> None:
    limits = stage_limits.machine_limits(photos, starts=1)
    assert 1e5 < limits.entropy_bytes_per_s < 1e11
    assert 1e8 < limits.copy_bytes_per_s < 1e13
    assert 0.001 < limits.start_s < 30
    assert stage_limits.machine_limits(photos, starts=0).start_s == 0


def test_photos_that_are_no_jpegs_are_left_out_and_none_is_refused(photos: list[bytes]) -> None:
    assert stage_limits.jpegs([b"\x89PNG", *photos]) == photos
    with pytest.raises(UserError, match="none of 2 photos is a JPEG"):
        stage_limits.jpegs([b"\x89PNG", b"GIF8"])


ROWS = (
    StageLimit("entropy decoding", 2.0, 1.0, "bytes"),
    StageLimit("pixels", 4.0, 0.5, "a copy"),
    StageLimit("network", 3.0, 2.5, "peak"),
    StageLimit("whole", 9.0, 4.0, "all"),
    StageLimit("start-up", 900.0, 90.0, "bare"),
)


def test_the_table_tells_shares_and_where_most_is_to_gain() -> None:
    text = speeds.limits("m", ROWS)
    assert re.search(r"entropy decoding +2\.000 +1\.000 +50%", text)
    assert text.endswith("most is to gain in pixels: 3.500 ms above its limit")


def test_the_picture_is_whole_and_to_scale() -> None:
    tree = ElementTree.fromstring(limit_bars({"a <b>": ROWS}, "Z80"))
    bars = [
        (item.get("class"), float(item.get("width", "0"))) for item in tree.iter("{http://www.w3.org/2000/svg}rect")
    ]
    taken = [width for kind, width in bars if kind == "taken"]
    limit = [width for kind, width in bars if kind == "limit"]
    assert len(taken) == len(limit) == 4  # a program's start is of another order
    assert taken[0] / taken[3] == pytest.approx(2 / 9, rel=0.01)
    assert limit[0] / taken[0] == pytest.approx(0.5, rel=0.01)
    assert "a <b>" in "".join(tree.itertext())


def test_a_chart_without_limits_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="chart: has no effect without limits"):
        require_chart(tmp_path / "x.svg", limits=False)
    require_chart(None, limits=False)

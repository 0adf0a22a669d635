from __future__ import annotations

import time
from pathlib import Path

import pytest

from leansort.measure.timing.energy import EnergyMeter
from leansort.measure.timing.soak import SoakBlock, SoakResult, soak


def counter(folder: Path, name: str, kind: str, microjoules: int) -> Path:
    """A counter of RAPL's as the kernel shows it."""
    place = folder / name
    place.mkdir(parents=True)
    (place / "name").write_text(f"{kind}\n")
    (place / "max_energy_range_uj").write_text("1000000000\n")
    (place / "energy_uj").write_text(f"{microjoules}\n")
    return place / "energy_uj"


def test_energy_of_all_packages_and_not_of_their_parts(tmp_path: Path) -> None:
    first = counter(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    second = counter(tmp_path, "intel-rapl:1", "package-1", 999_000_000)
    part = counter(tmp_path, "intel-rapl:0:0", "core", 0)
    meter = EnergyMeter(powercap=tmp_path, hwmon=tmp_path / "none")
    assert meter.source == "rapl"
    assert meter.read() == 0
    first.write_text("3500000\n")
    second.write_text("2000000\n")  # wrapped round at 1,000 J
    part.write_text("999999\n")
    assert meter.read() == pytest.approx(2.5 + 3)
    assert meter.read() == pytest.approx(5.5)


def test_energy_of_a_sensor(tmp_path: Path) -> None:
    (tmp_path / "hwmon3").mkdir()
    (tmp_path / "hwmon3" / "power1_input").write_text("4000000\n")  # 4 W
    meter = EnergyMeter(powercap=tmp_path / "none", hwmon=tmp_path)
    time.sleep(0.05)
    joules = meter.read()
    assert meter.source == "hwmon"
    assert joules is not None
    assert 0.2 <= joules < 4


def test_no_figure_where_nothing_tells(tmp_path: Path) -> None:
    meter = EnergyMeter(powercap=tmp_path, hwmon=tmp_path)
    assert (meter.source, meter.read()) == ("", None)


def test_a_soak_has_blocks_and_counts_every_call() -> None:
    calls: list[float] = []

    def call() -> None:
        time.sleep(0.001)
        calls.append(time.monotonic())

    result = soak(call, seconds=0.2, block_s=0.05)
    assert sum(block.calls for block in result.blocks) == len(calls)
    assert len(result.blocks) >= 3
    assert all(block.p50 >= 1 for block in result.blocks)
    assert SoakResult.from_json(result.to_json(), "soak") == result


def test_throttling_is_told_from_a_passing_disturbance() -> None:
    def of(*medians: float) -> SoakResult:
        return SoakResult(blocks=tuple(SoakBlock(at_s=at, calls=9, p50=p50, p99=p50) for at, p50 in enumerate(medians)))

    assert not of(1, 1, 3, 1, 1, 1, 1, 1).has_throttled
    assert of(1, 1, 3, 1, 1, 1, 1, 1).slowdown == 3
    assert of(1, 1, 1, 1, 1.1, 1.2, 1.3, 1.3).has_throttled
    assert "THROTTLED" in of(1, 1, 1.3, 1.3).text()

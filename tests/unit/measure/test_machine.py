"""What is said of the machine, of programs that start, and of what engines reach."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from leansort.core.errors import LeansortError
from leansort.export import peak_graphs
from leansort.measure import roofline
from leansort.measure.timing import cold_start, machine
from leansort.measure.timing.machine import LoadWatch
from leansort.runtime import engine as engines

SPIN = "import time; end = time.perf_counter() + 1\nwhile time.perf_counter() < end: pass"


def test_own_work_is_no_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    everything, own = iter([100.0, 103.0, 103.0]), iter([7.0, 10.0, 7.0])
    monkeypatch.setattr(machine, "busy_seconds", lambda: next(everything))
    monkeypatch.setattr(machine, "own_seconds", lambda: next(own))
    watch = LoadWatch()
    time.sleep(0.2)
    assert watch.others() == 0.0
    assert watch.others() > 1.0


def test_other_work_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = LoadWatch()
    own = machine.own_seconds()
    monkeypatch.setattr(machine, "own_seconds", lambda: own)  # as if the child below were another's
    subprocess.run([sys.executable, "-c", SPIN], check=True)
    assert watch.others() > 0.3
    assert "measure alone" in watch.warning()


def test_a_system_that_tells_nothing_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "read_proc", lambda path: "")
    assert LoadWatch().warning() == ""
    assert {"governor", "mhz", "celsius"}.isdisjoint(machine.machine_state())
    assert machine.machine_state()["extensions"] == []


def test_a_program_is_timed_to_its_first_line_and_its_memory_taken_at_the_end() -> None:
    program = "import time; print('first', flush=True); time.sleep(0.5); x = b'x' * 300_000_000"
    held = np.ones(60_000_000)  # 480 MB, which a child begins with
    started = time.perf_counter()
    seconds, peak = cold_start.time_cold_start([sys.executable, "-c", program], times=2)
    assert len(seconds) == 2
    assert time.perf_counter() - started > seconds.sum() + 2 * 0.5
    assert 300e6 < peak < 400e6
    assert held.nbytes > peak


def test_a_program_that_is_not_there_is_one_line() -> None:
    with pytest.raises(LeansortError, match=r"no such program cannot be started: .*No such file"):
        cold_start.time_cold_start(["no such program"], times=1)


@pytest.mark.parametrize("program", ["pass", "print(1); raise SystemExit('no such picture')"])
def test_a_program_that_fails_is_one_line(program: str) -> None:
    with pytest.raises(LeansortError, match=r"failed: (no output|no such picture)$"):
        cold_start.time_cold_start([sys.executable, "-c", program], times=1)


@pytest.mark.parametrize("kind", peak_graphs.KINDS)
def test_shipped_graphs_are_those_that_the_script_makes(kind: str) -> None:
    shipped = (roofline.FOLDER / f"gemm_{kind}.onnx").read_bytes()
    assert shipped == peak_graphs.build_peak_graph(kind)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
    sums = pixels.reshape(3, -1).sum(axis=1, dtype=np.int64)
    steps = 0.5 * sums if kind == "f32" else 5 * np.clip(np.rint(sums * 0.01 * 0.03 / 5), 0, 255)
    for name in engines.installed_engines():
        if name in roofline.KINDS:
            text = engines.load_engine(roofline.peak_bundle(kind), name).run(pixels)
            np.testing.assert_allclose(text, np.stack([steps, steps], 1), rtol=1e-5)


def test_peaks_and_shares() -> None:
    result = roofline.peaks(seconds=0.01)
    assert {("onnxruntime", "f32"), ("onnxruntime", "int8")} <= {(item.engine, item.kind) for item in result}
    assert all(1 < item.gmacs < 1e5 for item in result)
    peak = next(item.gmacs for item in result if (item.engine, item.kind) == ("onnxruntime", "int8"))
    bundle = roofline.peak_bundle("int8")
    reached = roofline.peak_fraction(bundle, "onnxruntime", bundle.meta.macs / (peak / 2 * 1e9), result)
    assert (round(reached.fraction, 3), reached.kind) == (0.5, "int8")
    assert roofline.peak_fraction(bundle, "some other", 1.0, result) == roofline.PeakFraction(0.0, "int8")

"""Recorded runs of benchmarks: one column a kind of processor, what changed, and the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks import recorded_runs, run_all
from benchmarks.recorded_runs import Column
from docs import speed

from leansort.core.errors import UserError
from tests.conftest import ROOT

OLD = {"cpu": "Z80", "cores": 2, "system": "CP/M", "extensions": ["avx2"]}
NEW = {**OLD, "extensions": ["avx2", "avx512_vnni"]}


def result(ratio: float = 0.8, host: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "holds": ratio <= 0.85,
        "ms": {"c++": 1.0, "python": 1.25},
        "ratio": [ratio, ratio - 0.01, ratio + 0.01],
        "rows": [{"network": "lean", "way": "int8", "ms": 2.0, "latency": {"host": OLD, "value": 3.0, "low": 2.9}}],
        "host": host or OLD,
        **more,
    }


def written(folder: Path, tree: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "cpp.json").write_text(json.dumps(tree))
    return folder


def test_this_processor_is_named_with_its_vector_units() -> None:
    machine = recorded_runs.processor()
    assert set(machine) == {"cpu", "cores", "system", "extensions"}
    assert machine["cpu"] in recorded_runs.kind_of(machine)
    assert recorded_runs.kind_of(OLD) == "Z80, 2 cores, avx2"
    with pytest.raises(UserError, match="does not name its processor's vector units; run the benchmark again"):
        recorded_runs.kind_of({"cpu": "Z80", "cores": 2})


def test_every_benchmark_writes_the_processor_into_its_result() -> None:
    for path in (ROOT / "benchmarks").glob("*.py"):
        text = path.read_text()
        if path.stem not in ("recorded_runs", "transfer_curve") and "write_json(" in text:
            assert "processor()" in text, path.stem
            assert "provenance import host" not in text, path.stem


def test_figures_are_told_apart_by_the_names_of_their_rows() -> None:
    column = recorded_runs.column_of(result())
    assert column == Column(
        True,
        {
            "holds": True,
            "ms.c++": 1.0,
            "ms.python": 1.25,
            "ratio": 0.8,
            "rows.lean int8.ms": 2.0,
            "rows.lean int8.latency.value": 3.0,
        },
    )
    many = {"rows": [{"name": str(number), "ms": 1.0} for number in range(recorded_runs.MOST_FIGURES + 7)]}
    assert recorded_runs.column_of(many).left_out == 7


def test_a_run_replaces_the_column_of_its_processor_alone(tmp_path: Path) -> None:
    recorded_runs.record("cpp", result(0.8), tmp_path)
    recorded_runs.record("cpp", result(0.7, NEW), tmp_path)
    recorded_runs.record("cpp", result(0.9), tmp_path)
    columns = recorded_runs.read_columns("cpp", tmp_path)
    assert {kind: column.figures["ratio"] for kind, column in columns.items()} == {
        "Z80, 2 cores, avx2": 0.9,
        "Z80, 2 cores, avx2 avx512_vnni": 0.7,
    }


def test_what_changed_is_told_and_what_hardly_did_is_not(tmp_path: Path) -> None:
    out, results = written(tmp_path / "out", result(0.8)), tmp_path / "results"
    assert "no run is recorded on this kind of processor" in run_all.tell_changes("cpp", out, results, record=True)
    assert "nothing changed notably" in run_all.tell_changes("cpp", out, results, record=False)
    tree = result(0.9, more=5)
    tree["ms"] = {"c++": 1.04, "python": 2.5}
    text = run_all.tell_changes("cpp", written(out, tree), results, record=False)
    assert "claim: holds -> MISSED" in text
    assert "ms.python: 1.25 -> 2.5 (2.00 times)" in text
    assert "ms.c++" not in text  # within a twentieth
    assert "1 new: more" in text
    assert recorded_runs.read_columns("cpp", results)["Z80, 2 cores, avx2"].figures["ratio"] == 0.8  # not recorded
    assert "no run is recorded" in run_all.tell_changes("cpp", written(out, result(0.9, NEW)), results, record=False)
    assert run_all.tell_changes("other", out, results, record=True) == "other: wrote no result"


def test_the_page_has_a_column_a_processor(tmp_path: Path) -> None:
    assert "No run is recorded yet" in speed.page(tmp_path)
    recorded_runs.record("cpp", result(0.8), tmp_path)
    recorded_runs.record("cpp", result(0.95, NEW), tmp_path)
    text = speed.page(tmp_path)
    assert "| benchmark | figure | Z80, 2 cores, avx2 | Z80, 2 cores, avx2 avx512_vnni |" in text
    assert "| `cpp` | C++ of Python's time | 0.8 | 0.95 |" in text
    assert "| `cpp` | its claim | holds | **missed** |" in text


def test_the_committed_page_is_up_to_date() -> None:
    assert speed.PAGE.read_text() == speed.page(), "run: python -m docs.speed"

"""`--engine auto`: measured once for a bundle, a machine and a number of threads, and again where that is not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leansort.core.bundle import Bundle, BundleMeta
from leansort.core.errors import UserError
from leansort.core.folders.user_cache import cache_folder
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.text import text_files
from leansort.measure import engine_trial
from leansort.measure.engine_selection import fastest_engine as choosing
from leansort.measure.engine_selection.fastest_engine import KIND, choose_fastest_engine
from leansort.measure.timing.machine import LoadWatch
from leansort.runtime import engine as engines
from tests.conftest import Cli

LABELS = LabelSet.of(["a", "b"])


def bundle(name: str = "x") -> Bundle:
    meta = BundleMeta(
        name=name,
        preprocess=Preprocess(size=16),
        labels=LABELS.names,
        labels_digest=LABELS.digest,
        parameters=1,
        macs=1,
    )
    return Bundle(meta, {"graph.onnx": b"graph"})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Two engines, of which the second is faster; notes how often they were timed, and with how many threads."""
    numbers: list[int] = []

    def timed(bundle: Bundle, names: list[str], *, threads: int, seconds: float) -> dict[str, float]:
        numbers.append(threads)
        return {name: 3.0 - at for at, name in enumerate(names)}

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(choosing, "time_engines", timed)
    monkeypatch.setattr(engine_trial, "find_faults", lambda pairs, **how: [""] * len(pairs))  # of a graph that is none
    monkeypatch.setattr(LoadWatch, "warning", lambda watch: "")
    monkeypatch.setattr(engines, "installed_engines", lambda graph_format="": ["onnxruntime", "openvino"])
    return numbers


def test_it_is_measured_once_and_remembered(asked: list[int]) -> None:
    assert [choose_fastest_engine(bundle()) for _ in range(3)] == ["openvino"] * 3
    assert asked == [1]
    choose_fastest_engine(bundle(), threads=2)
    choose_fastest_engine(bundle("y"))
    assert asked == [1, 2, 1]
    assert len(list(cache_folder(KIND).iterdir())) == 3


def test_with_another_engine_installed_it_is_measured_again(asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    choose_fastest_engine(bundle())
    monkeypatch.setattr(engines, "installed_engines", lambda graph_format="": ["onnxruntime"])
    assert choose_fastest_engine(bundle()) == "onnxruntime"
    assert asked == [1]  # one alone need not be timed
    monkeypatch.setattr(engines, "installed_engines", lambda graph_format="": list[str]())
    with pytest.raises(UserError, match="engine auto: none is installed that reads onnx bundles; there are"):
        choose_fastest_engine(bundle())


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"engine": 7}', b'{"engine": "tpu"}'])
def test_a_damaged_note_is_measured_again(asked: list[int], damage: bytes) -> None:
    choose_fastest_engine(bundle())
    (kept,) = cache_folder(KIND).iterdir()
    kept.write_bytes(damage)
    assert choose_fastest_engine(bundle()) == "openvino"
    assert asked == [1, 1]
    assert text_files.read_json(kept, "test")["engine"] == "openvino"


def test_a_busy_machine_or_a_closed_folder_is_no_reason_to_stop(
    asked: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(LoadWatch, "warning", lambda watch: "busy")
    assert choose_fastest_engine(bundle()) == "openvino"
    assert not cache_folder(KIND).exists()
    monkeypatch.setattr(LoadWatch, "warning", lambda watch: "")
    (tmp_path / "cache").write_text("a file where the folder would be")
    assert choose_fastest_engine(bundle()) == "openvino"
    assert asked == [1, 1]


def test_by_the_command_line(tiny_run: Path, folders: Path, tmp_path: Path, cli: Cli, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = cli("predict", tiny_run / "model.leansort", folders / "val", "--engine", "auto", "--format", "csv")
    plain = cli("predict", tiny_run / "model.leansort", folders / "val", "--format", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(",")[:2] for line in done.stdout.splitlines()] == [
        line.split(",")[:2] for line in plain.stdout.splitlines()
    ]
    sent = cli("submit", tiny_run / "model.leansort", folders / "val", "--engine", "auto", "--out", tmp_path / "o.csv")
    assert sent.returncode == 0, sent.stderr
    wrong = cli("predict", tiny_run / "model.leansort", folders / "val", "--engine", "openvno")
    assert (wrong.returncode, "did you mean 'openvino'?" in wrong.stderr) == (2, True)

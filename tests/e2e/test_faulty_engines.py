"""An engine that crashes, hangs or fails in its native code is named in a line, and takes nothing down with it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from leansort.core import bundle as bundles
from leansort.core.errors import EngineError, UserError
from leansort.core.folders.user_cache import cache_folder
from leansort.measure import engine_trial
from leansort.measure.engine_selection import fastest_engine as choosing
from leansort.runtime import engine as engines
from leansort.runtime import engine_trial_child
from tests.conftest import Cli

# ONNX Runtime, but for what FAULT says: where (load, the batch of so many, the call of that number), and what then.
PLUGIN = """
import ctypes, itertools, os, signal, time
from leansort.runtime.engine import Engine
from leansort.runtime.engines.onnxruntime import OnnxRuntimeEngine

WHERE, NUMBER, WHAT = (os.environ.get("FAULT", "never 0 none")).split()
CALLS = itertools.count(1)

def fault():
    with open(os.environ["TRACE"], "a") as file:
        file.write("fault\\n")
    if WHAT == "segv":
        os.kill(os.getpid(), signal.SIGSEGV)
    if WHAT == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if WHAT == "hang":
        ctypes.PyDLL(None).sleep(600)  # holding Python's lock, as a library may
    if WHAT == "raise":
        raise RuntimeError("no kernel\\nfor this")
    if WHAT == "exit":
        os._exit(3)

class FaultyEngine(Engine):
    Config, requires, formats = OnnxRuntimeEngine.Config, "onnxruntime", ("onnx",)

    def __init__(self, inner):
        self.inner = inner

    def run(self, x_bhwc):
        return self.run_with_distance(x_bhwc)[0]

    def run_with_distance(self, x_bhwc):
        if (WHERE, int(NUMBER)) in (("batch", len(x_bhwc)), ("call", next(CALLS))):
            fault()
        return self.inner.run_with_distance(x_bhwc)

    @classmethod
    def load(cls, bundle, config):
        with open(os.environ["TRACE"], "a") as file:
            file.write("load\\n")
        if WHERE == "load":
            fault()
        return cls(OnnxRuntimeEngine.load(bundle, config))
"""


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install the engine `faulty`; the call says what is wrong with it."""
    (tmp_path / "plugins" / "engines").mkdir(parents=True)
    (tmp_path / "plugins" / "engines" / "faulty.py").write_text(PLUGIN)
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path / "plugins"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TRACE", str(tmp_path / "trace"))
    monkeypatch.setitem(sys.modules, "leansort_plugins.engines.faulty", None)
    monkeypatch.delitem(sys.modules, "leansort_plugins.engines.faulty")
    return lambda fault: monkeypatch.setenv("FAULT", fault)


def traced(tmp_path: Path) -> list[str]:
    path = tmp_path / "trace"
    return path.read_text().split() if path.exists() else []


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (done.returncode, len(lines), "Traceback" in done.stderr) == (code, 1, False), done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("load 0 segv", "engine faulty: crashed (signal 11, SIGSEGV) on loading of"),
        ("batch 3 segv", "engine faulty: crashed (signal 11, SIGSEGV) on a batch of 3 of"),
        ("call 2 segv", "engine faulty: crashed (signal 11, SIGSEGV) on a batch of 1 of"),
        ("batch 16 raise", "engine faulty: failed (RuntimeError: no kernel for this) on a batch of 16 of"),
        ("load 0 exit", "engine faulty: ended its process (exit status 3) on loading of"),
        (
            "batch 4 hang",
            "engine faulty: did not answer for 2 s (LEANSORT_ENGINE_SECONDS sets how long it may take) on",
        ),
    ],
)
def test_a_trial_tells_what_an_engine_does(
    fault: str, text: str, faulty: Callable[[str], None], tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(fault)
    monkeypatch.setenv(engine_trial_child.LIMIT, "2")
    with pytest.raises(EngineError) as caught:
        engine_trial.require(bundles.load(tiny_run / "model.leansort"), "faulty")
    assert str(caught.value).startswith(text)
    assert "; use --engine onnxruntime" in str(caught.value)


def test_how_a_trial_went_is_remembered_where_it_would_go_so_again(
    faulty: Callable[[str], None], tiny_run: Path, tmp_path: Path
) -> None:
    bundle = bundles.load(tiny_run / "model.leansort")
    kinds = (("never 0 none", 1), ("batch 3 segv", 1), ("batch 3 raise", 2), ("batch 3 kill", 2))
    for number, (fault, loads) in enumerate(kinds):
        faulty(fault)
        plugin = tmp_path / "plugins" / "engines" / "faulty.py"
        plugin.write_text(f"{PLUGIN}# version {number}\n")  # another version is tried anew
        before = traced(tmp_path).count("load")
        first, again = (engine_trial.find_faults([(bundle, "faulty")]) for _ in range(2))
        assert first == again
        assert bool(first[0]) == (fault != "never 0 none")
        assert traced(tmp_path).count("load") - before == loads
    assert len(list(cache_folder(engine_trial.KIND).iterdir())) == 2


def test_pairs_behind_one_that_crashes_are_tried_all_the_same(
    faulty: Callable[[str], None], tiny_run: Path, tmp_path: Path
) -> None:
    faulty("batch 3 segv")
    bundle = bundles.load(tiny_run / "model.leansort")
    other = bundles.Bundle(bundle.meta.model_copy(update={"name": "other"}), bundle.files)
    result = engine_trial.find_faults([(bundle, "faulty"), (bundle, "onnxruntime"), (other, "faulty")])
    assert [bool(fault) for fault in result] == [True, False, True]
    assert "'other'" in result[2]
    assert engine_trial.find_faults([(other, "faulty")], batches=engine_trial.SINGLES) == [
        ""
    ]  # what it is not used with does not matter


def test_what_a_library_tells_by_itself_is_left_to_the_loading(faulty: Callable[[str], None], tiny_run: Path) -> None:
    bundle = bundles.load(tiny_run / "model.leansort")
    rubbish = bundles.Bundle(bundle.meta, {"graph.onnx": b"rubbish"})
    assert engine_trial.find_faults([(rubbish, "faulty")]) == [""]
    with pytest.raises(UserError, match="cannot be loaded by ONNX Runtime"):
        engine_trial.load(rubbish, "faulty")
    with pytest.raises(UserError, match="did you mean 'faulty'"):
        engine_trial.load(bundle, "faulti")


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan"])
def test_a_time_limit_that_is_none_is_refused(seconds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine_trial_child.LIMIT, seconds)
    with pytest.raises(UserError, match=f"{engine_trial_child.LIMIT}: got {seconds!r}, need seconds above 0"):
        engine_trial_child.time_limit_s()


def test_auto_leaves_a_crashing_engine_out_and_names_it(
    faulty: Callable[[str], None], tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty("batch 4 segv")
    monkeypatch.setattr(engines, "installed_engines", lambda graph_format="": ["faulty", "onnxruntime"])
    bundle, texts = bundles.load(tiny_run / "model.leansort"), list[str]()
    assert choosing.choose_fastest_engine(bundle, seconds=0.01, say=texts.append) == "onnxruntime"
    assert texts == [f"left out: engine faulty: crashed (signal 11, SIGSEGV) on a batch of 4 of {bundle.meta.name!r}"]
    monkeypatch.setattr(engines, "installed_engines", lambda graph_format="": ["faulty"])
    with pytest.raises(EngineError, match="engine auto: no engine bears this bundle; engine faulty: crashed"):
        choosing.choose_fastest_engine(bundle, threads=2)


def test_predict_keeps_the_lines_that_are_done(
    faulty: Callable[[str], None], cli: Cli, tiny_run: Path, folders: Path, tmp_path: Path
) -> None:
    faulty("call 11 segv")
    bundle, given = tiny_run / "model.leansort", ("--engine", "faulty", "--batch", "1", "--threads", "1")
    out = tmp_path / "labels.csv"
    out.write_text("older")
    done = cli("predict", bundle, folders / "val", *given, "--format", "csv", "--out", out)
    assert one_line(done, 1) == (
        "error: predict: engine faulty: crashed (signal 11, SIGSEGV) on a batch of 1, after 10 pictures, whose lines "
        f"are in {out}.part; use --engine onnxruntime, or name onnxruntime in the recipe"
    )
    assert out.read_text() == "older"
    whole = cli("predict", bundle, folders / "val", "--format", "csv", "--batch", "1").stdout.splitlines()
    assert (tmp_path / "labels.csv.part").read_text().splitlines() == whole[:11]
    assert sorted(path.name for path in tmp_path.glob("*labels*")) == ["labels.csv", "labels.csv.part"]
    shown = cli("predict", bundle, folders / "val", *given)
    assert "after 10 pictures; use" in one_line(shown, 1)
    assert len(shown.stdout.splitlines()) == 10


@pytest.mark.parametrize(
    ("fault", "code", "text"),
    [
        ("load 0 segv", 2, "crashed (signal 11, SIGSEGV) on loading; use --engine onnxruntime"),
        ("batch 3 segv", 2, "crashed (signal 11, SIGSEGV) on a batch of 3; use --engine onnxruntime"),
        ("call 3 hang", 1, "did not answer for 2 s"),
        (
            "call 3 raise",
            1,
            "failed (RuntimeError: no kernel for this) on a batch of 3, after 6 pictures, whose lines are",
        ),
        ("load 0 exit", 2, "ended its process (exit status 3) on loading; use --engine onnxruntime"),
        ("load 0 raise", 2, "failed (RuntimeError: no kernel for this) on loading; use --engine onnxruntime"),
        ("load 0 hang", 2, "did not answer for 2 s"),
    ],
)
def test_predict_ends_with_a_line(
    fault: str,
    code: int,
    text: str,
    faulty: Callable[[str], None],
    cli: Cli,
    tiny_run: Path,
    folders: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faulty(fault)
    monkeypatch.setenv(engine_trial_child.LIMIT, "2")
    out = tmp_path / "labels.csv"
    done = cli(
        "predict", tiny_run / "model.leansort", folders / "val", "--engine", "faulty", "--batch", "3", "--threads", "1",
        "--out", out,
    )  # fmt: skip
    assert text in one_line(done, code)
    assert not out.exists()


def test_a_watched_predict_says_what_an_unwatched_one_says(
    faulty: Callable[[str], None], cli: Cli, tiny_run: Path, folders: Path, tmp_path: Path
) -> None:
    faulty("never 0 none")
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    results = []
    for engine in ("onnxruntime", "faulty"):
        out = tmp_path / "out.json"
        given = ("predict", tiny_run / "model.leansort", folders / "val", bad, "--engine", engine)
        item = cli(*given, "--format", "json", "--out", out, "--batch", "4")
        text = cli(*given, "--batch", "4", "--threads", "2")
        gone = cli("predict", tiny_run / "model.leansort", tmp_path / "gone", "--engine", engine)
        results.append((item.returncode, item.stderr, out.read_text(), text.returncode, text.stdout, gone.stderr))
    assert results[0] == results[1]
    assert results[0][0] == 1
    command = [sys.executable, "-m", "leansort", "predict", str(tiny_run / "model.leansort"), str(folders / "val")]
    with subprocess.Popen([*command, "--engine", "faulty"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 1


def test_a_stopped_predict_leaves_nothing_behind(
    faulty: Callable[[str], None], tiny_run: Path, folders: Path, tmp_path: Path
) -> None:
    faulty("call 5 hang")
    command = [sys.executable, "-m", "leansort", "predict", str(tiny_run / "model.leansort"), str(folders / "val")]
    command += ["--engine", "faulty", "--batch", "1", "--threads", "1", "--out", str(tmp_path / "labels.csv")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 240
        while "fault" not in traced(tmp_path) and time.monotonic() < until:
            time.sleep(0.05)
        process.terminate()
    assert process.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.glob("*labels*")) == []
    children = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in children


@pytest.mark.parametrize("command", ["bench", "submit", "score"])
def test_commands_refuse_the_engine(
    command: str, faulty: Callable[[str], None], cli: Cli, tiny_run: Path, folders: Path, tmp_path: Path
) -> None:
    faulty("batch 4 segv")
    rest = {
        "bench": ("--images", folders / "val", "--seconds", "0.1", "--queries", "5"),
        "submit": (folders / "val", "--out", tmp_path / "o.csv"), "score": ("--ground-truth", folders / "val"),
    }  # fmt: skip
    done = cli(command, tiny_run / "model.leansort", *rest[command], "--engine", "faulty")
    assert "engine faulty: crashed (signal 11, SIGSEGV) on a batch of 4 of" in one_line(done, 2)
    assert not (tmp_path / "o.csv").exists()
    assert traced(tmp_path).count("load") == 1


@pytest.mark.slow
def test_compress_leaves_a_crashing_engine_out_and_refuses_it_where_it_was_chosen(
    faulty: Callable[[str], None], cli: Cli, tiny_run: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    faulty("call 2 segv")
    given = ("compress", tiny_recipe, tiny_run / "train", "--manifest", tiny_run, "--out")
    steps = ("compress.steps=[{pass: fuse}]", "compress.seconds=0.05")
    done = cli(*given, tmp_path / "one", *steps)
    assert done.returncode == 0, done.stderr
    assert "not timed: engine faulty: crashed (signal 11, SIGSEGV) on a batch of 1" in done.stderr
    timed = json.loads((tmp_path / "one" / "compress.json").read_text())["latency"]
    assert {row["engine"] for row in timed} >= {"onnxruntime"}
    assert "faulty" not in {row["engine"] for row in timed}
    refused = cli(*given, tmp_path / "two", *steps, "target.engine=faulty")
    assert "engine faulty: crashed (signal 11, SIGSEGV) on a batch of 1" in one_line(refused, 2)


SEARCH = """\
name: tiny
recipe: {recipe}
objectives: [macro_f1, model_p50_ms]
seconds: 0.05
trials: 2
sampler: {{kind: random}}
space:
  train.lr: {{float: [1.0e-3, 4.0e-3], log: true}}
"""


def test_tune_refuses_the_engine(
    faulty: Callable[[str], None], cli: Cli, tiny_run: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    faulty("load 0 segv")
    (tmp_path / "search.yaml").write_text(SEARCH.format(recipe=tiny_recipe))
    given = ("--engine", "faulty", "--manifest", tiny_run, "--out", tmp_path / "study")
    done = cli("tune", tmp_path / "search.yaml", *given)
    assert "engine faulty: crashed (signal 11, SIGSEGV) on loading" in one_line(done, 2)
    trained = list((tmp_path / "study").rglob("metrics.jsonl"))
    assert trained == []

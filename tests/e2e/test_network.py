"""No command speaks to anybody unasked, and none waits for a name server that does not answer."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support import lonely

Lonely = Callable[..., subprocess.CompletedProcess[str]]
REPORTS = ("CI", "TF_BUILD", "JENKINS_URL", "DO_NOT_TRACK")  # where libraries hold their tongue by themselves


def needs(*libraries: str) -> None:
    for name in libraries:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def alone(home: Path) -> Lonely:
    """Run a command where nobody answers; tell what it sent."""
    if reason := lonely.possible():
        pytest.skip(reason)

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key not in REPORTS} | {"HOME": str(home)}
        environment.pop("XDG_CACHE_HOME", None)
        for name in lonely_switches():
            environment.pop(name, None)
        given = [*lonely.prefix(), *map(str, command)]
        return subprocess.run(given, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)

    return run


def lonely_switches() -> tuple[str, ...]:
    """What this process has set for itself and its children, which a user's shell has not."""
    from leansort.core.process.telemetry import SWITCHES

    return tuple(SWITCHES)


def silent(done: subprocess.CompletedProcess[str], home: Path) -> None:
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"asked": [], "sent": {}}
    written = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert {name for name in written if not name.startswith(".cache/leansort/")} == set()


def leansort(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "leansort", *map(str, arguments)]


def test_the_place_itself_hears_who_asks(alone: Lonely) -> None:
    script = (
        "import socket\n"
        "for address in ('192.0.2.1', '127.0.0.1'):\n"
        "    with socket.socket() as one:\n"
        "        one.connect_ex((address, 9))\n"
        "with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:\n"
        "    one.sendto(b'            name', ('127.0.0.1', 53))\n"
    )
    told = json.loads(alone(sys.executable, "-c", script).stdout.splitlines()[-1])
    assert told["asked"] == ["b'name'"]
    assert told["sent"]["OutNoRoutes"] >= 1
    assert told["sent"]["OutDatagrams"] == 1


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "auto"])
def test_predict_tells_nobody(engine: str, alone: Lonely, home: Path, tiny_run: Path, folders: Path) -> None:
    needs(*{"openvino"}.intersection([engine]))
    silent(alone(*leansort("predict", tiny_run / "model.leansort", folders / "val", "--engine", engine)), home)


WHOLE = """
set -e
leansort() { "$PYTHON" -m leansort "$@" >&2; }
leansort data --help
leansort arch list
leansort run "$RECIPE" --out "$OUT/run"
leansort export "$OUT/run/train" --manifest "$OUT/run" --out "$OUT/m.leansort"
leansort submit "$OUT/m.leansort" "$PICTURES" --out "$OUT/o.csv"
leansort score "$OUT/o.csv" --ground-truth "$PICTURES"
leansort bench "$OUT/m.leansort" --images "$PICTURES" --seconds 0.1 --queries 5 --starts 1
leansort report "$OUT/run"
"""
QUANTIZED = """
set -e
leansort() { "$PYTHON" -m leansort "$@" >&2; }
leansort export "$RUN/train" --manifest "$RUN" --out "$OUT/ov.leansort" --format openvino
leansort compress "$RECIPE" "$RUN/train" --manifest "$RUN" --out "$OUT/int8" \
    compress.steps='[{pass: quantize, engine: openvino, crops: 16}]' compress.seconds=0.1
leansort predict "$OUT/int8/model.leansort" "$PICTURES" --threads 2 --batch 4
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", [WHOLE, QUANTIZED], ids=["whole", "quantized"])
def test_whole_jobs_tell_nobody(
    script: str, alone: Lonely, home: Path, tiny_run: Path, tiny_recipe: Path, folders: Path, tmp_path: Path
) -> None:
    needs(*(("openvino", "nncf") if script is QUANTIZED else ()))
    given = {"PYTHON": sys.executable, "RECIPE": tiny_recipe, "RUN": tiny_run, "OUT": tmp_path / "out"}
    named = [f"{name}={value}" for name, value in {**given, "PICTURES": folders / "val"}.items()]
    (tmp_path / "out").mkdir()
    silent(alone("env", *named, "bash", "-c", script), home)


LISTENING = """
import sys
heard = []
sys.addaudithook(lambda event, given: event.startswith("socket.") and heard.append(event))
from pathlib import Path
from leansort import Classifier
from leansort.runtime import openvino_library
Classifier.load(sys.argv[1], engine=sys.argv[2]).predict(sys.argv[3])
from multiprocessing import active_children
print(sorted(set(heard)), active_children(), "openvino_telemetry.main" in sys.modules)
"""


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_program_that_uses_leansort_tells_nobody(
    engine: str, home: Path, tiny_run: Path, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs(engine)
    for name in (*REPORTS, *lonely_switches()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    picture = next((folders / "val").rglob("*.jpg"))
    command = [sys.executable, "-c", LISTENING, str(tiny_run / "model.leansort"), engine, str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[] [] False\n"
    assert [path for path in home.rglob("*") if path.is_file()] == []


CONNECTING = """
import json, sys
heard = []
def hear(event, given):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"):
        heard.append(event)
        raise PermissionError(f"{event} {given[1:]}")
sys.addaudithook(hear)
import leansort
recipe, run, out, photos = sys.argv[1:]
trained = leansort.train(recipe, ["train.epochs=1"], manifest=run, out=f"{out}/train")
bundle = leansort.export(trained.folder, manifest=run, out=f"{out}/m.leansort").bundle
scored = leansort.score(bundle, ground_truth=run, split="val")
timed = leansort.bench([bundle], images=photos, seconds=0.05, queries=5, starts=0)
print(json.dumps([heard, scored.all.crops, len(timed.measurements)]))
"""


@pytest.mark.slow
def test_training_scoring_and_timing_in_a_program_connect_to_nobody(
    tiny_recipe: Path, tiny_run: Path, folders: Path, tmp_path: Path
) -> None:
    given = map(str, (tiny_recipe, tiny_run, tmp_path, folders / "val"))
    command = [sys.executable, "-c", CONNECTING, *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    heard, crops, measurements = json.loads(done.stdout.splitlines()[-1])
    assert heard == []
    assert crops == 24
    assert measurements >= 4


def test_openvino_and_nncf_are_imported_in_one_place() -> None:
    paths = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [item.name for item in node.names])
        if name.partition(".")[0] in ("openvino", "nncf", "openvino_telemetry")
        and not (isinstance(node, ast.ImportFrom) and node.level)
    }
    assert paths == {"leansort/runtime/openvino_library.py"}


FORKING = """
import os, signal
import leansort.cli as cli
signal.signal(signal.SIGTERM, cli._stopped)
ready, tell = os.pipe()
child = os.fork()
if not child:
    os.write(tell, b"x" if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL else b"-")
    signal.pause()
print(os.read(ready, 1).decode())
os.kill(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), signal.getsignal(signal.SIGTERM) is cli._stopped)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
def test_a_forked_child_ends_by_a_signal_as_any_process_does() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["x", f"-{int(signal.SIGTERM)} True"]

"""The command line in a process of its own for each command, forked from one that has imported the libraries.

A new Python takes seconds to import torch and what exports; a fork has it all in a moment, and is otherwise the same:
its own arguments, environment, folder, streams and end. The server itself computes nothing and has one thread, so that
nothing can be half done in it as it forks. Requests are JSON, a line each, on standard input; answers on standard
output.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from tests.support import torchlib_memo

IMPORTED = (  # neither ONNX Runtime nor Arrow: they start a thread, and take but a moment
    "cv2", "jinja2", "lightning_fabric", "onnx", "onnxscript", "optuna", "tensorboard.summary.writer",
    "torch.export._trace", "torch.onnx",
    "leansort.arch.pretrained.weight_loader", "leansort.arch.timm_models.timm_networks", "leansort.cli",
    "leansort.data.augmentation.batch", "leansort.export.onnx", "leansort.recipe.load", "leansort.train.loop",
)  # fmt: skip
READY = "ready\n"
READ_AT_START = ("PYTHON", "OMP_", "OPENBLAS_", "MKL_", "LD_", "TORCH")  # a change of these needs a new process


def possible() -> bool:
    """Whether commands can be forked here; elsewhere each is a new process."""
    return sys.platform == "linux"


def started_with(environment: dict[str, str]) -> dict[str, str]:
    """What Python and the libraries read as they start."""
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


class CommandServer:
    """Runs commands of leansort one after another."""

    def __init__(self, root: Path) -> None:
        self.environment = started_with(dict(os.environ))
        self._busy = threading.Lock()
        command = [sys.executable, "-m", __name__]
        self._process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._ready = self._process.stdout.readline() == READY  # not so where a library started a thread

    def serves(self) -> bool:
        """Whether what is read at the start is still as it was then; else a command needs a new process."""
        return self._ready and started_with(dict(os.environ)) == self.environment

    def run(self, arguments: Sequence[str], stdin: str, cwd: Path | None) -> subprocess.CompletedProcess[str]:
        """Run `python -m leansort ARGUMENTS` in this process's environment, and in its folder unless `cwd` is given."""
        with tempfile.TemporaryDirectory() as folder:
            streams = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
            streams[0].write_text(stdin)
            request = {"arguments": list(arguments), "streams": [str(path) for path in streams],
                       "environment": dict(os.environ), "cwd": str(cwd or Path.cwd())}  # fmt: skip
            code = self._ask(json.dumps(request))
            return subprocess.CompletedProcess(["leansort", *arguments], code, *(p.read_text() for p in streams[1:]))

    def _ask(self, line: str) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._busy:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def serve() -> dict[str, Any] | None:
    """Fork for every request; in the child, its request, in the parent, None at the end of all."""
    answers = os.fdopen(os.dup(1), "w")
    answers.write(READY)
    answers.flush()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            request: dict[str, Any] = json.loads(line)
            return request
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()
    return None


def become(request: dict[str, Any]) -> int:
    """Take on what a request says, then be `python -m leansort`; returns its exit code."""
    flags = (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT | os.O_APPEND] * 2)
    for number, path in enumerate(request["streams"]):
        os.dup2(os.open(path, flags[number], 0o600), number)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[0] = request["cwd"]
    sys.argv[1:] = request["arguments"]
    try:
        runpy.run_module("leansort", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def end(code: int) -> NoReturn:
    """Do what Python does at its end but for taking modules apart, which takes a while with so many."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def import_all() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    torchlib_memo.remember_operators()
    torchlib_memo.operators()
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a library has started a thread"
    gc.freeze()  # a fork that looks for garbage need not touch, and so copy, what was there before it


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import_all()
    asked = serve()
    if asked is not None:
        end(become(asked))

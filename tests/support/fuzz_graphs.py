"""Mutated graphs through `leansort predict`: a label or one line, whatever a bundle holds.

`python -m tests.support.fuzz_graphs --cases 10000` writes bundles whose hashes are right and whose graphs are changed
at random (see `tests.support.bundle_mutations`) and predicts with each. Many cases share a child process, which says
before each one which it is; a child that dies or stands still is noted against that case, and another goes on behind
it. Time and memory of each case are measured by themselves; the memory is the whole process's, with the libraries.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import bundle_mutations

GOOD = ("label", "error of a picture", "one line")
MOST_MB = 1000  # resident, of the whole process
ADDRESS_SPACE = 8 << 30  # a backstop: beyond it a case counts as a crash
Record = dict[str, Any]


@dataclass
class Found:
    """What all cases came to.

    Attributes:
        outcomes: how often each.
        by_kind: outcomes by what was changed.
        bad: records of the cases that came to anything but a label or one line.
        seconds: of the slowest case, with its number.
        peak: megabytes of the largest case, with its number.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    by_kind: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad: list[Record] = field(default_factory=list)
    seconds: tuple[float, int] = (0.0, -1)
    peak: tuple[float, int] = (0.0, -1)

    def add(self, record: Record) -> None:
        """Count a case."""
        self.outcomes[record["outcome"]] += 1
        self.by_kind[record["what"].partition(":")[0], record["outcome"]] += 1
        self.seconds = max(self.seconds, (record["seconds"], record["case"]))
        self.peak = max(self.peak, (record["mb"], record["case"]))
        if record["outcome"] not in GOOD:
            self.bad.append(record)

    def text(self) -> str:
        """As lines of text."""
        lines = [f"{count:7d}  {name}" for name, count in self.outcomes.most_common()]
        lines.append(f"slowest case {self.seconds[0]:.2f} s (case {self.seconds[1]})")
        lines.append(f"peak memory {self.peak[0]:.0f} MB, the libraries included (case {self.peak[1]})")
        kinds = sorted({kind for kind, _ in self.by_kind})
        for kind in kinds:
            told = ", ".join(f"{n} {what}" for (item, what), n in sorted(self.by_kind.items()) if item == kind)
            lines.append(f"  {kind}: {told}")
        lines += [f"BAD {json.dumps(record, ensure_ascii=True)[:600]}" for record in self.bad[:30]]
        return "\n".join(lines)


def fuzz(first: int, cases: int, *, seed: int = 0, seconds: float = 20.0, chunk: int = 500) -> Found:
    """Run cases in child processes.

    Args:
        first: number of the first case.
        cases: how many.
        seed: of the changes.
        seconds: of the processor that a case may take.
        chunk: cases to a child.
    """
    result = Found()
    with tempfile.TemporaryDirectory(prefix="leansort-fuzz-") as name:
        folder = Path(name)
        bundle_mutations.bases(folder)
        at, end = first, first + cases
        while at < end:
            for record in _child(folder, at, min(end, at + chunk), seed, seconds):
                result.add(record)
                at = record["case"] + 1
                if record["outcome"] not in GOOD or at % 500 == 0:
                    print(f"{at - first} of {cases}: {dict(result.outcomes)}", file=sys.stderr, flush=True)
    return result


def _child(folder: Path, first: int, end: int, seed: int, seconds: float) -> Iterator[Record]:
    """Records of a child's cases, the last of them of the case that it died at."""
    read, write = os.pipe()
    command = [sys.executable, "-m", "tests.support.fuzz_graphs", "--child", str(write), "--folder", str(folder)]
    command += ["--first", str(first), "--cases", str(end - first), "--seed", str(seed)]
    process = subprocess.Popen(command, pass_fds=(write,), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.close(write)
    running: Record = {"case": first, "what": "start"}
    started, hung = time.perf_counter(), False
    with os.fdopen(read, "rb", buffering=0) as pipe:
        for line in _lines(pipe, process.pid, seconds):
            if not line:
                hung = True
                process.kill()
                break
            record = json.loads(line)
            if "outcome" in record:
                yield {**record, "seconds": time.perf_counter() - started}
                running = {}
            else:
                running, started = record, time.perf_counter()
    _, text = process.communicate()
    if running.get("what") == "start":
        raise RuntimeError(f"the child did not start: {text.decode(errors='replace')[-2000:]}")
    if hung or process.returncode or running:
        ended = "no end" if hung else f"crash ({_signal(process.returncode)})"
        tail = text.decode(errors="replace")[-300:]
        lost = {"case": running.get("case", end - 1), "what": running.get("what", "end"), "mb": 0.0, "said": tail}
        yield {**lost, "outcome": ended, "seconds": time.perf_counter() - started}


def _signal(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"


def _lines(pipe: Any, pid: int, seconds: float) -> Iterator[bytes]:
    """Lines as they come; an empty one where none comes though the child computes, or long after it stopped to.

    Time is the processor's, for on a busy machine a child may wait for its turn; what stands still is given ten times
    as long.
    """
    rest, since, computed = b"", time.monotonic(), 0.0
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if selector.select(1.0):
                data = os.read(pipe.fileno(), 1 << 16)
                if not data:
                    return
                *whole, rest = (rest + data).split(b"\n")
                yield from whole
                since, computed = time.monotonic(), _computed(pid)
            elif _computed(pid) - computed > seconds or time.monotonic() - since > 10 * seconds:
                yield b""
                return


def _computed(pid: int) -> float:
    """Seconds that a process and those of its children that ended have computed."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def child(report: int, folder: Path, first: int, cases: int, seed: int) -> None:
    """Run cases, one after the other, and write a line before and a line after each."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    bases = bundle_mutations.read_bases(folder)
    pictures = _pictures(folder)
    path, output = folder / f"case-{os.getpid()}", folder / f"output-{os.getpid()}"
    for number in range(first, first + cases):
        what, data, arguments = bundle_mutations.case(bases, seed, number)
        path.write_bytes(data)
        os.write(report, json.dumps({"case": number, "what": what}).encode() + b"\n")
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        with output.open("wb") as file:
            code = _predicted(file.fileno(), [str(path), *pictures, *arguments])
        text = output.read_bytes().decode(errors="replace")
        mb = _peak_mb(children)
        outcome = "too much memory" if mb > MOST_MB else judged(code, text)
        record = {
            "case": number,
            "what": what,
            "outcome": outcome,
            "mb": mb,
            "said": "" if outcome in GOOD else text[-500:],
        }
        os.write(report, json.dumps(record).encode() + b"\n")


def _predicted(output: int, arguments: list[str]) -> int | str:
    """Exit code of `leansort predict`, whose output, and the libraries' own, goes to a file; an exception's name."""
    from leansort.cli import main

    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        main(["predict", *arguments])
        return "returned"
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except BaseException as error:
        return f"traceback ({type(error).__name__}: {error})"[:300]
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, item in enumerate(kept, 1):
            os.dup2(item, number)
            os.close(item)


def judged(code: int | str, text: str) -> str:
    """What a case came to: a label, an error of a picture, one line, or something that must not be."""
    lines = text.splitlines()
    if isinstance(code, str):
        return code
    if "Traceback" in text or any(not part.isprintable() for part in text.replace("\t", "").split("\n")):
        return "traceback or unprintable output"
    if code == 0 and len(lines) == 2 and not any("error" in line for line in lines):
        return "label"
    if code == 1 and len(lines) == 2 and any("\terror: " in line for line in lines):
        return "error of a picture"
    if len(lines) == 1 and lines[0].startswith("error: predict: engine "):
        return "an engine's fault in a watched child"  # told in a line, and yet a fault that the checks let pass
    if code == 2 and len(lines) == 1 and lines[0].startswith("error: "):
        return "one line"
    return f"exit {code} with {len(lines)} lines"


def _pictures(folder: Path) -> list[str]:
    import numpy as np
    from PIL import Image

    paths = [folder / "black.png", folder / "noise.png"]
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    for path, picture in zip(paths, (np.zeros((8, 8, 3), np.uint8), noise), strict=True):
        if not path.exists():
            Image.fromarray(picture).save(path)
    return [str(path) for path in paths]


def _peak_mb(children: int) -> float:
    """Of this process since the peak was reset, or of a child of it, where one grew beyond all before it."""
    status = Path("/proc/self/status").read_text()
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(int(status.partition("VmHWM:")[2].split()[0]), theirs if theirs > children else 0) / 1e3


def main() -> None:
    """Read the command line and fuzz; exit code 1 where a case came to anything but a label or one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=20.0, help="of the processor that a case may take")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        child(given.child, given.folder, given.first, given.cases, given.seed)
        return
    result = fuzz(given.first, given.cases, seed=given.seed, seconds=given.seconds)
    print(result.text())
    sys.exit(bool(result.bad))


if __name__ == "__main__":
    main()

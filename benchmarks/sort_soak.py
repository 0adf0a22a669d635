"""Claim: `leansort sort` can run for days: its memory stays flat while the stream and a receiver come and go.

The command line sorts a stream on the loopback address, at the camera's pace of 30 frames a second and without an end:
a drawn belt, over and over. Every `--hang-up` seconds the camera hangs up, and has to be opened again; a webhook that
gets every decision is down for ten of every thirty seconds. Resident memory of the process is read every second, from
the first decision on.
Flat: the last tenth takes at most 2 % more than the second one (the first warms up), by medians; the slope of a line
through all but the first tenth is told in MB an hour. It tells objects a second, dropped frames, connections, and what
was not delivered, and draws memory into `out/sort_soak.html`.

    python -m benchmarks.sort_soak [BUNDLE] [--minutes N] [--hang-up SECONDS]
"""

from __future__ import annotations

import argparse
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np

import leansort
from benchmarks.recorded_runs import processor
from benchmarks.soak import growth
from leansort.core.writing import atomic_io
from leansort.measure.timing.machine import LoadWatch
from leansort.report.charts import plots

HERE = Path(__file__).parent
RATE, BELT_S, DOWN_S, EVERY_S = 30, 30, 10, 30
MOST_MEMORY, LEAST = 1.02, 20  # seconds of memory that a line goes through


def broadcast(folder: Path) -> bytes:
    """A drawn belt as MPEG-TS, which can be joined anywhere."""
    with leansort.silence_messages():
        leansort.draw_sample(folder, seed=4, video=True, frames=RATE * BELT_S, size="640x360", blur=3, glare=0.3)
    path = folder / "belt.ts"
    with av.open(str(folder / "belt.mp4")) as source, av.open(str(path), "w", format="mpegts") as target:
        stream = target.add_stream("libx264", rate=RATE, options={"g": "15", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for frame in source.decode(video=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path.read_bytes()


class Camera:
    """Sends the belt at its own pace to one connection after the other, and hangs up every so often."""

    def __init__(self, data: bytes, hang_up: float) -> None:
        self._data, self._hang_up = data, hang_up
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url, self.connections = f"tcp://127.0.0.1:{self._server.getsockname()[1]}", 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._server.accept()
            self.connections += 1
            with connection:
                try:
                    self._send(connection)
                except OSError:
                    continue

    def _send(self, connection: socket.socket) -> None:
        begun, step = time.monotonic(), 188 * 16  # packets of MPEG-TS
        pace, sent = len(self._data) / BELT_S, 0
        while (past := time.monotonic() - begun) < min(self._hang_up, BELT_S):
            while sent < min(past * pace, len(self._data)):
                connection.sendall(self._data[sent : sent + step])
                sent += step
            time.sleep(1 / RATE)


@contextmanager
def receiver() -> Iterator[str]:
    """A webhook that is down for ten of every thirty seconds."""
    begun = time.monotonic()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            down = (time.monotonic() - begun) % EVERY_S < DOWN_S
            self.send_response(503 if down else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/decisions"
    server.shutdown()
    server.server_close()


def resident_mb(process: int) -> float:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096 / 1e6


def watched(command: list[str], seconds: float) -> tuple[list[float], int, str]:
    """Run a command for so long, and end it by Ctrl-C: memory each second, lines on standard output, its summary."""
    lines = 0
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stderr
    errors, out, err = list[str](), process.stdout, process.stderr

    def count() -> None:
        nonlocal lines
        for _ in out:
            lines += 1

    threads = [threading.Thread(target=count), threading.Thread(target=lambda: errors.extend(err))]
    for thread in threads:
        thread.start()
    memory, until = list[float](), time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        if lines:  # before, it starts
            memory.append(resident_mb(process.pid))
        time.sleep(1)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    for thread in threads:
        thread.join(10)
    if process.returncode or len(memory) < LEAST:
        raise SystemExit(f"sort ended with {process.returncode}, after {lines} decisions: {''.join(errors)[-2000:]}")
    return memory, lines, next((line for line in reversed(errors) if "objects" in line and "frames" in line), "")


def slope(memory: list[float]) -> float:
    """MB an hour, by least squares over all but the first tenth."""
    kept = memory[len(memory) // 10 :]
    return float(np.polyfit(np.arange(len(kept)), kept, 1)[0]) * 3600


def count_of(summary: str, name: str) -> int:
    told = re.search(rf"\b{name} ([\d,]+)", summary) or re.search(rf"([\d,]+) {name}", summary)
    return int(told[1].replace(",", "")) if told else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", nargs="?", default="")
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--hang-up", type=float, default=25)
    arguments = parser.parse_args()
    with atomic_io.scratch() as folder, receiver() as webhook:
        camera = Camera(broadcast(folder / "belt"), arguments.hang_up)
        command = [sys.executable, "-m", "leansort", "sort", camera.url, "--webhook", webhook]
        command += ["--bundle", arguments.bundle] if arguments.bundle else []
        watch = LoadWatch()
        memory, lines, summary = watched(command, 60 * arguments.minutes)
    print(watch.warning() or "nothing else ran")
    grown, frames, dropped = growth(memory), count_of(summary, "frames"), count_of(summary, "dropped")
    holds = grown <= MOST_MEMORY and lines > 0 and lines == count_of(summary, "objects")
    print(summary.strip())
    rate, flat = lines / 60 / arguments.minutes, "holds" if holds else "MISSED"
    print(f"{lines:,} objects in {arguments.minutes:g} minutes, {rate:.2f} a second")
    print(f"{frames:,} frames, {dropped:,} dropped; {camera.connections:,} connections to the camera")
    print(f"memory {memory[0]:.0f} MB at first, {memory[-1]:.0f} MB at the end, {slope(memory):+.1f} MB an hour")
    print(f"last tenth {grown:.3f} times the second one: {flat}")
    shown = plots.curve("MB", list(enumerate(memory)), axis="seconds")
    style = ".plot{width:40rem}.line{fill:none;stroke:#267}.grid{stroke:#ddd}text{font:11px sans-serif}"
    page = f"<!doctype html><meta charset=utf-8><title>Soak of sort</title><style>{style}</style><h2>MB</h2>{shown}"
    atomic_io.write_text(HERE / "out" / "sort_soak.html", page)
    tree = {"memory_mb": memory, "objects": lines, "frames": frames, "dropped": dropped, "slope_mb_h": slope(memory)}
    atomic_io.write_json(
        HERE / "out" / "sort_soak.json", {**tree, "summary": summary, "holds": holds, "host": processor()}
    )


if __name__ == "__main__":
    main()

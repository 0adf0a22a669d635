"""Run a command where the network leads nowhere: `unshare --net --mount python -m tests.support.lonely COMMAND...`.

The name server hears and never answers. What was asked of it, and what went or tried to go out by any library, counted
by the kernel, is the last line of standard output; the command's end is this program's.
"""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

SERVER = "127.0.0.1"
COUNTED = ("OutRequests", "OutNoRoutes", "Ip6OutRequests", "Ip6OutNoRoutes", "ActiveOpens", "OutDatagrams")
SECONDS = 300
HUNG = 124


def possible() -> str:
    """Why no such place can be made here; empty where it can."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return "needs unshare and ip, of util-linux and iproute2"
    done = subprocess.run([*prefix(), "true"], capture_output=True, text=True, check=False)
    return f"no network namespace can be made here: {done.stdout}{done.stderr}".strip() if done.returncode else ""


def prefix() -> list[str]:
    """What stands before a command that is to be run in such a place."""
    return ["unshare", "--map-root-user", "--net", "--mount", sys.executable, "-m", "tests.support.lonely"]


def sent() -> dict[str, int]:
    """What the kernel counts in this network namespace."""
    rows = [line.split() for name in ("snmp", "snmp6") for line in Path("/proc/net", name).read_text().splitlines()]
    pairs = [pair for names, values in itertools.pairwise(rows) for pair in zip(names, values, strict=False)]
    pairs += [(row[0], row[1]) for row in rows if len(row) == 2]
    result = dict.fromkeys(COUNTED, 0)
    for name, value in pairs:
        if name in result and value.isdigit():
            result[name] += int(value)
    return result


def main(command: list[str]) -> int:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.NamedTemporaryFile("w") as file, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        file.write(f"nameserver {SERVER}\n")
        file.flush()
        subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
        server.bind((SERVER, 53))
        asked: list[str] = []
        threading.Thread(target=_hear, args=(server, asked), daemon=True).start()
        before = sent()
        try:
            code = subprocess.run(command, timeout=SECONDS, check=False).returncode
        except subprocess.TimeoutExpired:
            code = HUNG
        out = {name: count - before[name] for name, count in sent().items() if count != before[name]}
    print(json.dumps({"asked": asked, "sent": out}))
    return code


def _hear(server: socket.socket, asked: list[str]) -> None:
    while True:
        asked.append(repr(server.recvfrom(2000)[0][12:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Starts a program and tells how it did. A program of its own: a child's peak memory counts its parent's at the start.

Linux keeps the highest resident set of a process over `exec`, and right after the fork that is its parent's, which with
PyTorch loaded is larger than what is to be measured. So this imports next to nothing. Prints one line of JSON.
"""

import json
import os
import subprocess
import sys
import time


def main(command: list[str]) -> None:
    """Run a command to its end; print seconds to its first line, peak memory in ru_maxrss's unit, and its end."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        seconds = time.perf_counter() - started
        process.stdout.read()
        text = process.stderr.read().decode(errors="replace").strip()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    well = bool(first) and process.returncode == 0
    print(json.dumps({"well": well, "seconds": seconds, "peak": used.ru_maxrss, "said": text}))


if __name__ == "__main__":
    main(sys.argv[1:])

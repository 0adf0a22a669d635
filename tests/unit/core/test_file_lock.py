"""A lock holds against other processes, and ends with its process however that ends."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from leansort.core.errors import MachineError
from leansort.core.writing.file_lock import hold_lock

HOLDER = """
import sys, time
from pathlib import Path
from leansort.core.writing.file_lock import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    waiter = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert waiter.stdout is not None
    assert not select.select([waiter.stdout], [], [], 1.5)[0]  # it waits
    assert waiter.poll() is None
    holder.send_signal(signal.SIGKILL)
    assert waiter.stdout.readline() == "held\n"
    for process in (holder, waiter):
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    with hold_lock(path):
        pass


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot write"), hold_lock(tmp_path / "file" / "lock"):
        pass

"""What a training step frees is there again for the next one."""

from __future__ import annotations

import subprocess
import sys

import pytest

STEPS = """
import resource, sys
import torch
from leansort.train.hardware.allocator import keep_memory

print(keep_memory() if sys.argv[1] == "kept" else "")

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [torch.ones(12_000_000) for _ in range(4)]
    held.clear()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

rounds = [faults() for _ in range(12)]
print(sum(rounds[8:]))
"""


def run(how: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is Linux's")
def test_pages_are_not_asked_for_again() -> None:
    told, kept = run("kept")
    if told != "True":
        pytest.skip("another C library")
    # How many rounds it takes until the freed pieces lie well differs from one process to the next (two to five seen).
    assert int(kept) < 0.1 * int(run("given back")[1])

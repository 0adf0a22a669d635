"""What a training step frees is there again for the next one."""

from __future__ import annotations

import subprocess
import sys

import pytest

STEPS = """
import resource, sys
import torch
from leansort.train.memory import keep_memory

print(keep_memory() if sys.argv[1] == "kept" else "")

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [torch.ones(12_000_000) for _ in range(4)]
    held.clear()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(sum(faults() for _ in range(10)))
"""


def run(how: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is Linux's")
def test_pages_are_not_asked_for_again() -> None:
    told, kept = run("kept")
    if told != "True":
        pytest.skip("another C library")
    assert int(kept) < 0.3 * int(run("given back")[1])  # the first rounds ask for them

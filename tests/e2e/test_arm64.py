"""The robot's installation on 64-bit Arm, under QEMU: it installs Debian's arm64 root, so it runs where asked for."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

ASKED = "LEANSORT_ARM64"  # the folder that keeps Debian's root


@pytest.mark.slow
def test_engines_keep_their_contract_and_labels_agree_on_arm() -> None:
    folder = os.environ.get(ASKED, "")
    if not folder:
        pytest.skip(f"takes half an hour, root and 1.5 GB; set {ASKED} to a folder to run it")
    script = [str(ROOT / "tools" / "arm64" / "check.sh"), str(Path(folder).resolve())]
    done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    agreed = re.findall(r"labels agree on (\d+) of (\d+) photos", done.stdout)
    assert len(agreed) == 2
    assert all(int(same) >= int(every) - 1 for same, every in agreed)
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= 20  # of two engines

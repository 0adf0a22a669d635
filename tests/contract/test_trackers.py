"""Every tracker that is found keeps the promises of `Tracker`; those of extras that are not installed are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from leansort.core import plugins
from leansort.testing import TrackerContract


class TestTrackers(TrackerContract):
    """Every tracker, writing into a folder of the test."""

    names = sorted(plugins.list_plugins("trackers"))

    @pytest.fixture(autouse=True)
    def offline(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("WANDB_MODE", "offline")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")

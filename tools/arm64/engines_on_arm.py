"""The contract of every engine whose library is installed, run by pytest where there is no torch."""

from __future__ import annotations

from leansort.core import plugins
from leansort.runtime import engine as engines
from leansort.testing import EngineContract


class TestEngines(EngineContract):
    """Every engine that reads a format which the robot can load."""

    names = tuple(name for name in sorted(plugins.list_plugins("engines")) if name in engines.installed_engines())

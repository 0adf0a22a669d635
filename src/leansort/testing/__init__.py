"""The demands on plugins as classes of tests, for leansort's own kinds and for everybody else's.

    from leansort.testing import PassContract

    class TestHalve(PassContract):
        names = ("halve",)
        settings = {"halve": {"fraction": 0.5}}

Run by pytest, which is needed here alone; nothing else of leansort imports this package. It may import every floor but
the command line. Begin with `contract`.
"""

import importlib
from typing import TYPE_CHECKING

from leansort.core.errors import MissingExtraError

try:
    import pytest
except ImportError:
    raise MissingExtraError("pytest", "testing") from None

_FILES = ("backbone_contract", "contract", "engine_contract", "pass_contract", "source_contract", "tracker_contract")
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _FILES))

_PLACES = {
    "BackboneContract": "backbone_contract",
    "EngineContract": "engine_contract",
    "PassContract": "pass_contract",
    "SourceContract": "source_contract",
    "TrackerContract": "tracker_contract",
}

if TYPE_CHECKING:
    from leansort.testing.backbone_contract import BackboneContract
    from leansort.testing.engine_contract import EngineContract
    from leansort.testing.pass_contract import PassContract
    from leansort.testing.source_contract import SourceContract
    from leansort.testing.tracker_contract import TrackerContract

__all__ = ["BackboneContract", "EngineContract", "PassContract", "SourceContract", "TrackerContract"]


def __getattr__(name: str) -> object:
    """Import a suite when it is asked for: that of engines does without torch, as robots do."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)

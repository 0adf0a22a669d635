"""The demands on plugins as classes of tests, for leansort's own kinds and for everybody else's.

    from leansort.testing import PassContract

    class TestHalve(PassContract):
        names = ("halve",)
        settings = {"halve": {"fraction": 0.5}}

Run by pytest, which is needed here alone; nothing else of leansort imports this package. It may import every floor but
the command line. Begin with `contract`.
"""

from leansort.core.errors import MissingExtraError

try:
    import pytest
except ImportError:
    raise MissingExtraError("pytest", "testing") from None

_FILES = ("backbone_contract", "contract", "engine_contract", "pass_contract", "source_contract", "tracker_contract")
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _FILES))

from leansort.testing.backbone_contract import BackboneContract  # noqa: E402  the rewriting of asserts comes first
from leansort.testing.engine_contract import EngineContract  # noqa: E402
from leansort.testing.pass_contract import PassContract  # noqa: E402
from leansort.testing.source_contract import SourceContract  # noqa: E402
from leansort.testing.tracker_contract import TrackerContract  # noqa: E402

__all__ = ["BackboneContract", "EngineContract", "PassContract", "SourceContract", "TrackerContract"]

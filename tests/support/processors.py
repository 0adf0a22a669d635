"""What a test asks of the processor."""

from __future__ import annotations

import pytest

from leansort.measure.timing.machine import machine_state

needs_vnni = pytest.mark.skipif(
    not any("vnni" in name or name in ("asimddp", "i8mm") for name in machine_state()["extensions"]),
    reason="the committed bundles use all 8 bits of their weights, whose sums this processor cuts off (no VNNI)",
)

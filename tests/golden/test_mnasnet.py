"""Counts of MnasNet, from its table (arXiv:1807.11626) for 6 classes; exact, no tolerance."""

from __future__ import annotations

import pytest

from leansort.arch.build import build, macs, parameters
from leansort.arch.spec.spec import ArchSpec


def test_mnasnet_counts() -> None:
    model = build(ArchSpec(classes=6))
    assert parameters(model) == 3_109_998
    assert macs(model, 224) == 313_143_552


@pytest.mark.parametrize(("width", "head"), [(0.5, 1280), (0.75, 1280), (1.0, 1280), (1.5, 1920)])
def test_the_head_grows_only_for_wide_networks(width: float, head: int) -> None:
    state = build(ArchSpec(classes=6, width=width)).state_dict()
    classifier = list(state.values())[-2]
    assert classifier.shape == (6, head)
    assert next(iter(state.values())).shape[0] == int(32 * width)

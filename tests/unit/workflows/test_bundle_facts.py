"""What a provenance tells for a card, where anything may stand in it."""

from __future__ import annotations

from leansort.core.files.bundle_card import BundleCard, PretrainedWeights
from leansort.core.preprocess import Preprocess
from leansort.report.model_card_page import ModelFacts, text
from leansort.workflows.cards.bundle_facts import packs_of

RECORD = {"pack": "net", "used": "teacher", "sha256": "a" * 64, "licence": "Apache-2.0", "source": "them", "paper": ""}


def test_weight_packs_are_in_the_card_with_licence_and_hash() -> None:
    known = packs_of({"packs": [RECORD, {"used": "pretrained"}, {**RECORD, "sha256": 3}, "x"]})
    assert known == (
        PretrainedWeights(name="pack:net", used="teacher", licence="Apache-2.0", source="them", sha256="a" * 64),
    )
    assert packs_of({"packs": 3}) == packs_of({}) == ()
    facts = ModelFacts("net", 1, 1, Preprocess(), ("a", "b"), "w", "d", "v", packs=known)
    [row] = [line for line in text("name", facts, BundleCard()).splitlines() if "pack:net" in line]
    assert "pretrained weights, teacher" in row
    assert row.count("a" * 64) == row.count("Apache-2.0") == 1

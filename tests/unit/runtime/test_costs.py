"""Decisions by least expected cost: by hand, by the file, and by a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.files.bundle_decisions import NoveltyScale
from leansort.runtime.decisions.cost_file import load_costs
from leansort.runtime.predictor import Classifier
from tests.support.graphs import SIZE, colour_bundle

META = colour_bundle().meta  # of the classes a, b and c


def with_scale(*, reject: bool = False) -> Bundle:
    plain = colour_bundle()
    scale = NoveltyScale(method="max_logit", zero=-200.0, span=100.0, reject=reject)
    return bundles.Bundle(plain.meta.model_copy(update={"novelty": scale}), plain.files)


def test_what_is_not_named_costs_one_and_the_right_bin_nothing() -> None:
    costs = load_costs({"reject": 0.4}, META)
    assert costs.costs_cd.tolist() == [[0, 1, 1, 0.4], [1, 0, 1, 0.4], [1, 1, 0, 0.4]]
    made = costs.decide((0.7, 0.2, 0.1))
    assert (made.bin, made.accepted) == (0, True)
    assert made.cost == pytest.approx(0.3)
    unsure = costs.decide((0.5, 0.3, 0.2))
    assert (unsure.bin, unsure.accepted) == (0, False)
    assert unsure.cost == pytest.approx(0.4)


def test_a_dear_error_moves_the_bin_away_from_the_most_probable_class() -> None:
    costs = load_costs({"costs": {"b": {"a": 10}}, "reject": 2}, META)
    made = costs.decide((0.6, 0.3, 0.1))  # a costs 3.1, b 0.7, c 0.9
    assert (made.bin, made.accepted) == (1, True)
    assert made.cost == pytest.approx(0.7)


def test_rejection_may_cost_something_else_for_every_class() -> None:
    costs = load_costs({"reject": {"a": 0.0, "b": 0.9, "c": 0.9}}, META)
    assert costs.expected((0.8, 0.1, 0.1)).tolist() == pytest.approx([0.2, 0.9, 0.9, 0.18])
    assert not costs.decide((0.8, 0.1, 0.1)).accepted
    assert costs.decide((0.1, 0.8, 0.1)).accepted


def test_a_bin_may_ask_for_a_probability_of_its_own() -> None:
    costs = load_costs({"reject": 1, "accept_from": {"a": 0.9}}, META)
    assert not costs.decide((0.85, 0.1, 0.05)).accepted
    assert costs.decide((0.1, 0.5, 0.4)).accepted


def test_unknown_things_count_by_share_and_by_what_is_known() -> None:
    tree = {"reject": 0.5, "unknown": {"share": 0.2, "taken_for_known": 0.25, "cost": {"a": 4, "b": 8, "c": 8}}}
    costs = load_costs(tree, with_scale().meta)
    assert costs.unknown is not None
    assert costs.unknown.probability(None) == 0.2
    assert costs.unknown.probability(True) == pytest.approx(0.2 * 0.25 / (0.2 * 0.25 + 0.8 * 0.95))
    assert costs.unknown.probability(False) == pytest.approx(0.2 * 0.75 / (0.2 * 0.75 + 0.8 * 0.05))
    sure = (1.0, 0.0, 0.0)
    assert costs.decide(sure, True).accepted
    assert not costs.decide(sure, False).accepted
    assert costs.decide(sure, True).cost == pytest.approx(costs.unknown.probability(True) * 4)


def test_a_classifier_decides_by_costs_and_keeps_its_probabilities(tmp_path: Path) -> None:
    (tmp_path / "costs.yaml").write_text("costs: {a: {a: 3, b: 0}}\nreject: 5\n")
    bundle = with_scale()
    red = np.zeros((SIZE, SIZE, 3), np.uint8)
    red[..., 0] = 150
    with Classifier.of(bundle) as plain, Classifier.of(bundle, costs=tmp_path / "costs.yaml") as costed:
        before, after = plain.predict(red), costed.predict(red)
    assert (before.label, before.cost) == ("a", None)
    assert (after.label, after.accepted) == ("b", True)
    assert after.cost == pytest.approx(0.0, abs=1e-6)
    assert after.probabilities == before.probabilities
    assert after.probability == after.probabilities[1]


def test_a_bundle_that_rejects_what_is_unknown_still_does(tmp_path: Path) -> None:
    dark = np.full((SIZE, SIZE, 3), 10, np.uint8)
    dark[..., 0] = 50
    for reject in (True, False):
        with Classifier.of(with_scale(reject=reject), costs={"reject": 1}) as classifier:
            prediction = classifier.predict(dark)
        assert (prediction.known, prediction.accepted) == (False, not reject)


def test_json_is_read_as_yaml_is(tmp_path: Path) -> None:
    (tmp_path / "costs.json").write_text('{"costs": {"a": {"b": 7}}, "reject": 0.5}')
    assert load_costs(tmp_path / "costs.json", META).costs_cd[0].tolist() == [0, 7, 1, 0.5]


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ({}, "reject: missing"),
        ({"reject": -1}, "reject: got -1, input should be greater than or equal to 0"),
        ({"reject": float("nan")}, "reject: got nan, input should be a finite number"),
        ({"reject": float("inf")}, "reject: got inf, input should be a finite number"),
        ({"reject": True}, "reject: got True, input should be a valid number"),
        ({"reject": {"a": 1}}, "reject: b, c missing"),
        ({"reject": {"a": -1}}, "reject.a: got -1, input should be greater than or equal to 0"),
        ({"reject": 1, "costs": {"A": {"b": 1}}}, "costs: got 'A', which differs from the class 'a' in case"),
        ({"reject": 1, "costs": {"a": {"bb": 1}}}, "costs of a: got 'bb', allowed: a, b, c; did you mean 'b'"),
        ({"reject": 1, "costs": {"a": {"b": -2}}}, "costs.a.b: got -2"),
        ({"reject": 1, "costs": {"a": {"b": 1, " b": 2}}}, "costs of a: 'b' is given twice"),
        ({"reject": 1, "accept_from": {"a": 2}}, "accept_from.a: got 2"),
        ({"reject": 1, "a": {"b": 1}}, "unknown key.*classes \\(a\\) belong under costs"),
        ({"rejct": 1}, "rejct: unknown key; did you mean 'reject'"),
        ({"reject": 1, "unknown": {"share": 0.1}}, "unknown.taken_for_known: missing"),
        ({"reject": 1, "unknown": {"share": 1.0, "taken_for_known": 0.5}}, "unknown.share: got 1.0"),
        ({"reject": 1, "unknown": {"share": 0.1, "taken_for_known": 0.5, "cost": {"a": 1}}}, "cost: b, c missing"),
    ],
)
def test_a_mistake_is_one_line(tree: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=text) as error:
        load_costs(tree, with_scale().meta)
    assert "\n" not in str(error.value)


def test_unknown_things_need_a_bundle_that_tells_them() -> None:
    with pytest.raises(UserError, match="does not tell what is unknown"):
        load_costs({"reject": 1, "unknown": {"share": 0.1, "taken_for_known": 0.5}}, META)

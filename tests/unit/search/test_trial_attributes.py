"""What is kept with a trial: written attribute by attribute, read as a whole, and checked."""

from __future__ import annotations

from typing import Any

import pytest

from leansort.core.errors import IntegrityError
from leansort.measure.measurement import Measurement
from leansort.search.trials import heartbeat
from leansort.search.trials.heartbeat import Beat
from leansort.search.trials.trial_attributes import TrialAttributes
from leansort.search.trials.trial_outcome import TrialOutcome

TIMED = Measurement(name="model", value=1.5, unit="ms", low=1.4, high=1.6, count=100, percentiles={"p50": 1.5})
OUTCOME = TrialOutcome(
    "trained", {"macs": 5.0}, 0.5, (0.4, 0.6), {0: 0.3}, 3, measurements=(TIMED,), seconds=2.0
)  # fmt: skip


def test_only_what_is_given_is_written() -> None:
    assert TrialAttributes(rungs={0: 0.3, 2: 0.5}).to_json() == {"rungs": {"0": 0.3, "2": 0.5}}
    assert TrialAttributes().to_json() == {}


def test_attributes_written_one_by_one_are_read_as_they_were() -> None:
    worker = heartbeat.identity()
    parts = [
        TrialAttributes(worker=worker), TrialAttributes(queued={"x": 1, "kind": None}, retry_of=3, deaths=1),
        TrialAttributes(recipe={"name": "r", "data": {}}, digest="d"), TrialAttributes(costs={"macs": 5.0}),
        TrialAttributes(beat=7), TrialAttributes(rungs={0: 0.3}), TrialAttributes(outcome=OUTCOME),
    ]  # fmt: skip
    tree: dict[str, Any] = {"another program's": [1, 2]}
    for part in parts:
        tree |= part.to_json()
    kept = TrialAttributes.from_json(tree, "trial 4")
    assert kept.outcome == OUTCOME
    assert (kept.worker, kept.queued, kept.retry_of, kept.rungs) == (worker, {"x": 1, "kind": None}, 3, {0: 0.3})
    assert kept.sign_of_life == Beat(worker.id, 7)
    assert TrialAttributes().sign_of_life == Beat("", 0)


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ({"worker": 5}, "worker"),
        ({"worker": {"id": "a", "boot": "b", "pid": "1", "started": "2"}}, "worker.pid"),
        ({"retry_of": "0"}, "retry_of"),
        ({"rungs": {"first": 0.5}}, "rungs.first"),
        ({"costs": {"macs": "many"}}, "costs.macs"),
        ({"outcome": {**OUTCOME.to_json(), "kind": "won"}}, "outcome.kind"),
        ({"outcome": {**OUTCOME.to_json(), "measurements": [{"name": "model"}]}}, "outcome.measurements.0.value"),
    ],
)
def test_a_changed_attribute_is_named(tree: dict[str, Any], text: str) -> None:
    with pytest.raises(IntegrityError) as raised:
        TrialAttributes.from_json(tree, "trial 4")
    assert str(raised.value).startswith(f"trial 4: {text}")
    assert "\n" not in str(raised.value)

"""How a search follows the training of a trial: rungs where it may end, and pauses while others measure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from leansort.measure.timing.timing_lock import InterruptibleWork
from leansort.search.pareto_pruner import Curve, HalvingConfig
from leansort.search.trials.trial_attributes import TrialAttributes
from leansort.train.callbacks import EpochRecord, TrainingStep
from leansort.train.loop import train
from leansort.workflows.tuning.cost_evaluator import CandidateCosts
from leansort.workflows.tuning.trial_evaluation import PauseForTiming, RungCallback
from tests.support.jobs import job

HALVING = HalvingConfig(rungs=1, eta=3.0, least=2)  # of three epochs the first is a rung


@dataclass
class Stub:
    """A study whose other trials are given, and a trial of it."""

    curves_of: list[Curve]
    notes: dict[str, Any] = field(default_factory=dict)
    config: Any = field(default_factory=lambda: SimpleNamespace(halving=HALVING))
    objectives: Any = field(default_factory=lambda: SimpleNamespace(costs=["macs"]))

    def curves(self, trial: object) -> list[Curve]:
        return self.curves_of

    def note(self, attributes: TrialAttributes) -> None:
        self.notes |= attributes.to_json()


def rungs(stub: Stub) -> RungCallback:
    costs = CandidateCosts(values={"macs": 10.0}, measurements=(), note="")
    return RungCallback(cast(Any, stub), cast(Any, stub), costs, 3)


def record(epoch: int, f1: float) -> EpochRecord:
    return {"epoch": epoch, "val_macro_f1": f1}


SAME_GAINS = [Curve(0, (5.0,), {0: 0.8}, 0.9), Curve(1, (20.0,), {0: 0.7}, 0.8)]


def test_a_trial_that_another_beats_at_a_rung_has_a_reason_to_stop() -> None:
    stub = Stub(SAME_GAINS)
    callback = rungs(stub)
    callback.on_epoch(record(1, 0.5))
    reason = "at epoch 1 trial 0 costs no more and leads by 0.300, over 0.000"
    assert (callback.should_stop(), callback.beaten) == (reason, reason)
    assert stub.notes == {"rungs": {"0": 0.5}}


def test_a_trial_that_leads_goes_on_and_is_compared_at_rungs_alone() -> None:
    stub = Stub(SAME_GAINS)
    callback = rungs(stub)
    callback.on_epoch(record(1, 0.85))
    callback.on_epoch(record(2, 0.1))
    assert callback.should_stop() is None
    assert (callback.best, callback.epoch, callback.scores) == (0.85, 2, {0: 0.85})


def test_a_training_ends_at_the_rung_and_leaves_its_model(tmp_path: Path) -> None:
    callback = rungs(Stub([Curve(0, (5.0,), {0: 1.5}, 1.6), Curve(1, (20.0,), {0: 1.4}, 1.5)]))
    train(job(), tmp_path, callbacks=[callback])
    assert callback.epoch == 1
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1
    assert (tmp_path / "model.safetensors").exists()


def test_a_training_pauses_for_measurements_between_batches() -> None:
    paused: list[bool] = []
    work = cast(InterruptibleWork, SimpleNamespace(give_way=lambda: paused.append(True)))
    PauseForTiming(work).on_step(TrainingStep(1, 2, 3, 0.5))
    assert paused == [True]

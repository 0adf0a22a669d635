"""Studies: enough trials and no more, dead workers' trials done by others, equal seeds, damaged journals."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage

from leansort.contest.formulas import Baselines
from leansort.core.errors import LeansortError, MachineError, UserError
from leansort.measure.accuracy.metrics import Interval
from leansort.measure.robustness.stress_setting import StressSetting
from leansort.measure.robustness.stressed_score import StressedScore
from leansort.search import storage as storages
from leansort.search import study_setup
from leansort.search.search_config import SearchConfig
from leansort.search.study import Study, TrialLost
from leansort.search.trials import heartbeat, trial_queue
from leansort.search.trials.heartbeat import WorkerIdentity
from leansort.search.trials.trial_attributes import TrialAttributes
from leansort.search.trials.trial_outcome import TrialOutcome
from leansort.search.trials.trial_records import pareto_front, read_records, within_limits
from leansort.workflows.tuning.study_runner import do_trial
from tests.conftest import ROOT
from tests.support.study_worker import config_of, outcome_of, work

storages.quiet()


def begun(path: Path, config: SearchConfig) -> BaseStorage:
    storage = storages.open_storage(str(path / "study.journal"))
    study_setup.create(storage, config, {"name": "r", "data": {}}, ["a", "b"], "data", config.wanted(Baselines()))
    return storage


def view(
    storage: BaseStorage, config: SearchConfig, patience: float = 60.0, worker: WorkerIdentity | None = None
) -> Study:
    return Study(storage, config, config.wanted(Baselines()), patience=patience, worker=worker)


def elsewhere() -> WorkerIdentity:
    """A worker of another machine."""
    return replace(heartbeat.identity(), boot="another machine")


def dead() -> WorkerIdentity:
    """A worker of this machine that has ended."""
    return replace(heartbeat.identity(), started="0")


@pytest.mark.parametrize("kind", ["tpe", "nsga2", "nsga3", "gp", "random"])
def test_the_same_seed_gives_the_same_trials_even_when_interrupted(kind: str, tmp_path: Path) -> None:
    config = config_of("s", trials=16, sampler={"kind": kind, "startup": 6, "population": 5})
    storage = begun(tmp_path / "whole", config)
    assert work(storage, "s") == 16
    whole = [record.params for record in read_records(storage, "s")]
    for stop in (7, 16):  # another process goes on after seven
        part = config.model_copy(update={"trials": stop})
        storage = begun(tmp_path / "parts", part)
        work(storage, "s")
    assert [record.params for record in read_records(storage, "s")] == whole
    assert len({str(params) for params in whole}) > 8
    other = begun(tmp_path / "other", config.model_copy(update={"seed": 1}))
    work(other, "s")
    assert [record.params for record in read_records(other, "s")] != whole


def test_a_grid_ends_by_itself(tmp_path: Path) -> None:
    space = {"x": {"float": [0.0, 1.0], "step": 0.5}, "kind": {"choice": {"a": {"deep": {"int": [1, 2]}}, "b": 2}}}
    config = config_of("g", trials=500, sampler={"kind": "grid"}, space=space)
    storage = begun(tmp_path, config)
    assert work(storage, "g") == 9
    assert len({str(sorted(record.params.items())) for record in read_records(storage, "g")}) == 9


def test_start_points_come_first_and_what_they_leave_open_is_drawn(tmp_path: Path) -> None:
    config = config_of("s", trials=3, start=[{"kind": "a", "kind=a.deep": 8}, {"x": 0.25}])
    storage = begun(tmp_path, config)
    work(storage, "s")
    first, second, _ = read_records(storage, "s")
    assert (first.params["kind"], first.params["kind=a.deep"]) == ("a", 8)
    assert second.params["x"] == 0.25


def test_what_breaks_a_limit_is_told_and_counts_nothing(tmp_path: Path) -> None:
    config = config_of("s", trials=4, constraints={"size_mb": 3.0, "macs": 10})
    storage = begun(tmp_path, config)
    study = view(storage, config)
    outcomes = [
        TrialOutcome("over budget", {"size_mb": 6.0, "macs": 5}),
        TrialOutcome("over budget", {"macs": 50}),  # its size was never found out
        TrialOutcome("unfit", note="no such network"),
        TrialOutcome("trained", {"size_mb": 2.0, "macs": 5}, f1=0.5, epochs=3),
    ]
    for outcome in outcomes:
        trial = study.ask()
        assert trial is not None
        study.tell(trial, outcome)
    assert study.ask() is None
    raw = optuna.load_study(study_name="s", storage=storage).trials
    assert [item.constraints for item in raw] == [
        {"size_mb": 1.0, "macs": -0.5}, {"macs": 4.0}, {"unfit": 1.0}, {"size_mb": pytest.approx(-1 / 3), "macs": -0.5}
    ]  # fmt: skip
    assert [item.state.name for item in raw] == ["COMPLETE", "PRUNED", "PRUNED", "COMPLETE"]
    records = read_records(storage, "s")
    assert [record.counts for record in records] == [False, False, False, True]
    assert [item.number for item in pareto_front(records, study.objectives)] == [3]
    assert [within_limit.number for within_limit in within_limits(records, {"macro_f1": 0.4, "size_mb": 2.0})] == [3]
    assert within_limits(records, {"macro_f1": 0.6}) == []


def test_the_trial_of_a_worker_elsewhere_is_taken_after_silence_and_he_is_told(tmp_path: Path) -> None:
    config = config_of("s", trials=2)
    storage = begun(tmp_path, config)
    silent, other = view(storage, config, worker=elsewhere()), view(storage, config, patience=0.2)
    lost = silent.ask()
    assert lost is not None
    other.requeue_orphaned()  # heard of for the first time
    time.sleep(0.3)
    taken = other.ask()
    assert taken is not None
    assert taken.values == lost.values
    with pytest.raises(TrialLost):
        silent.tell(lost, outcome_of(lost))
    other.tell(taken, outcome_of(taken))
    assert work(storage, "s") == 1
    assert [record.number for record in read_records(storage, "s")] == [1, 2]


def test_a_worker_that_says_that_it_lives_keeps_its_trial(tmp_path: Path) -> None:
    config = config_of("s", trials=1)
    storage = begun(tmp_path, config)
    slow, other = view(storage, config, worker=elsewhere()), view(storage, config, patience=2.0)
    trial = slow.ask()
    assert trial is not None
    with heartbeat.Heartbeat(lambda beat: trial.note(TrialAttributes(beat=beat)), every=0.1):
        for _ in range(30):
            other.requeue_orphaned()
            time.sleep(0.1)
    slow.tell(trial, outcome_of(trial))
    assert len(read_records(storage, "s")) == 1


def test_a_trial_queued_by_two_workers_at_once_is_done_once(tmp_path: Path) -> None:
    config = config_of("s", trials=1)
    storage = begun(tmp_path, config)
    assert view(storage, config, worker=dead()).ask() is not None
    again = TrialAttributes(queued={"x": 0.5}, retry_of=0, deaths=1).to_json()
    for _ in range(2):  # both saw it before either had marked it
        optuna.load_study(study_name="s", storage=storage).enqueue_trial({"x": 0.5}, user_attrs=again)
    assert work(storage, "s") == 1
    assert len(read_records(storage, "s")) == 1


def test_a_killed_worker_of_this_machine_is_noticed_at_once(tmp_path: Path) -> None:
    config = config_of("s", trials=3)
    storage = begun(tmp_path, config)
    command = [sys.executable, "-m", "tests.support.study_worker", str(tmp_path / "study.journal"), "s", "60"]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    study = optuna.load_study(study_name="s", storage=storage)
    for _ in range(300):
        if any("recipe" in trial.user_attrs for trial in study.get_trials()):
            break
        time.sleep(0.1)
    started.send_signal(signal.SIGKILL)
    started.wait()
    before = time.monotonic()
    assert work(storage, "s", patience=600) == 3
    assert time.monotonic() - before < 30
    assert len(read_records(storage, "s")) == 3


def test_half_a_line_of_a_killed_writer_is_dropped(tmp_path: Path) -> None:
    config = config_of("s", trials=4)
    storage = begun(tmp_path, config)
    work(storage, "s")
    path = tmp_path / "study.journal"
    with path.open("ab") as file:
        file.write(b'{"op_code": 4, "worker_id": "x", "study')
    more = config.model_copy(update={"trials": 6})
    again = begun(tmp_path, more)
    assert work(again, "s") == 2
    assert len(read_records(storages.open_storage(str(path)), "s")) == 6


def test_another_search_in_the_same_place_is_refused(tmp_path: Path) -> None:
    begun(tmp_path, config_of("s", trials=4))
    with pytest.raises(UserError, match="of another search, recipe or other data"):
        begun(tmp_path, config_of("s", trials=4, objectives=["macro_f1", "macs"]))
    with pytest.raises(UserError, match="no study 't', there are: s"):
        study_setup.require(storages.open_storage(str(tmp_path / "study.journal")), "t")


def test_a_study_of_another_version_is_not_gone_on_with(tmp_path: Path) -> None:
    config = config_of("s", trials=4)
    storage = begun(tmp_path, config)
    work(storage, "s")
    optuna.load_study(study_name="s", storage=storage).set_user_attr("version", 1)
    with pytest.raises(UserError, match="study 's' was begun by another version of leansort; its report can be read"):
        begun(tmp_path, config.model_copy(update={"trials": 8}))
    assert len(read_records(storage, "s")) == 4


def test_what_a_worker_has_of_a_dead_ones_parameters_is_kept(tmp_path: Path) -> None:
    """It died before it had asked for all of them; the start point named one."""
    config = config_of("s", trials=2, start=[{"x": 0.25}])
    storage = begun(tmp_path, config)
    study = optuna.load_study(study_name="s", storage=storage)
    study.ask().set_user_attr("worker", TrialAttributes(worker=dead()).to_json()["worker"])
    again = view(storage, config).ask()
    assert again is not None
    assert again.values["x"] == 0.25
    attributes = TrialAttributes.from_json(study.trials[1].user_attrs, "trial 1")
    assert (attributes.retry_of, attributes.deaths, attributes.queued) == (0, 1, {"x": 0.25})
    assert study.trials[0].state.name == "FAIL"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("mysql://me:secret@host/db", "storage: got mysql://me@host/db, need postgresql://"),
        ("postgresql://me:secret@127.0.0.1:1/db", "storage: cannot open postgresql://me@127.0.0.1:1/db"),
    ],
)
def test_a_wrong_storage_is_one_line_without_its_password(where: str, text: str) -> None:
    with pytest.raises(UserError) as raised:
        storages.open_storage(where)
    assert text in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_journal_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "study.journal").write_text("[broken\nlines\n")
    with pytest.raises(LeansortError) as raised:
        begun(tmp_path, config_of("s"))
    assert "journal" in str(raised.value)


def test_a_process_that_ended_is_surely_gone() -> None:
    me = heartbeat.identity()
    assert not heartbeat.surely_gone(me)
    assert not heartbeat.surely_gone(elsewhere())
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    assert heartbeat.surely_gone(replace(me, pid=ended.pid))
    assert heartbeat.surely_gone(dead())  # another process by that number


def test_a_trained_trial_of_unknown_costs_is_compared_with_nobody(tmp_path: Path) -> None:
    """As where a compression was rolled back, which leaves the network beyond a limit."""
    config = config_of("s", trials=3, constraints={"contest_time": 0.5})
    storage = begun(tmp_path, config)
    study = view(storage, config)
    assert "label_p50_ms" in study.objectives.needed  # for the contest's score is made of it
    first, second = study.ask(), study.ask()
    assert first is not None
    assert second is not None
    study.tell(first, TrialOutcome("trained", {"macs": 5}, f1=0.5, epochs=3, rungs={1: 0.4}))
    assert study.curves(second) == []
    study.tell(second, outcome_of(second))
    assert len(study.curves(first)) == 1


def test_a_trial_that_takes_every_worker_with_it_is_given_up(tmp_path: Path) -> None:
    config = config_of("s", trials=1)
    storage = begun(tmp_path, config)
    met = []
    for _ in range(trial_queue.DEATHS):
        trial = view(storage, config, worker=dead()).ask()
        assert trial is not None
        met.append(trial.values)
    assert all(values == met[0] for values in met)
    last = view(storage, config).ask()
    assert last is not None
    assert last.values != met[0]
    raw = optuna.load_study(study_name="s", storage=storage).trials
    assert raw[trial_queue.DEATHS - 1].user_attrs["failed"] == "3 workers died with it"


def test_what_was_given_back_comes_before_the_rest_of_a_grid(tmp_path: Path) -> None:
    config = config_of("g", trials=2, sampler={"kind": "grid"}, space={"x": {"int": [1, 6]}, "kind": 0})
    storage = begun(tmp_path, config)
    study = view(storage, config)
    first = study.ask()
    assert first is not None
    study.give_back(first, "its worker was stopped")
    assert work(storage, "g") == 2
    assert {record.params["x"] for record in read_records(storage, "g")} >= {first.values["x"]}
    more = config.model_copy(update={"trials": 500})
    work(begun(tmp_path, more), "g")
    assert sorted(int(str(record.params["x"])) for record in read_records(storage, "g")) == [1, 2, 3, 4, 5, 6]


def test_a_machines_fault_ends_the_worker_and_not_the_trial(tmp_path: Path) -> None:
    class Full:
        def finish(self, trial: Any) -> TrialOutcome:
            raise MachineError("cannot write x: no space left")

    config = config_of("s", trials=1)
    storage = begun(tmp_path, config)
    study = view(storage, config)
    trial = study.ask()
    assert trial is not None
    with pytest.raises(MachineError, match="no space left"):
        do_trial(study, Full(), trial, study.objectives)  # type: ignore[arg-type]
    again = view(storage, config).ask()
    assert again is not None
    assert again.values == trial.values
    assert read_records(storage, "s") == []


@pytest.mark.parametrize("text", ["", "notes", '{"epoch": 1}\n'])
def test_a_file_of_another_kind_is_left_as_it_is(text: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text(text)
    if text:
        with pytest.raises(UserError, match="no journal of a study"):
            storages.open_storage(str(path))
        assert path.read_text() == text
    else:
        storages.open_storage(str(path))


def test_what_is_kept_under_stress_is_an_objective_and_a_limit(tmp_path: Path) -> None:
    config = config_of(
        "s", trials=3, objectives=["macro_f1", "stressed_macro_f1"], constraints={"stressed_macro_f1": 0.5},
        halving={"rungs": 0},
    )  # fmt: skip
    storage = begun(tmp_path, config)
    study = view(storage, config)
    for f1, stressed_f1 in ((0.9, 0.4), (0.8, 0.6), (0.7, 0.7)):
        trial = study.ask()
        assert trial is not None
        score = StressedScore(Interval(stressed_f1, 0.0, 1.0), {"darker": stressed_f1})
        study.tell(trial, TrialOutcome("trained", {"size_mb": 1.0}, f1=f1, epochs=1, stress=score))
    records = read_records(storage, "s")
    assert [record.values for record in records] == [(0.9, 0.4), (0.8, 0.6), (0.7, 0.7)]
    assert [record.feasible for record in records] == [False, True, True]
    assert [record.number for record in pareto_front(records, study.objectives)] == [1, 2]
    assert [record.number for record in within_limits(records, {"stressed_macro_f1": 0.65})] == [2]
    assert study.objectives.directions == ["maximize", "maximize"]
    assert config.stress_setting == StressSetting()


def test_a_study_with_other_stress_is_another_one() -> None:
    """And one without has the digest that it had before there was any."""
    plain = config_of("s")
    asked = config_of("s", stress={"level": 2})
    assert asked.digest != plain.digest
    assert asked.digest != config_of("s", stress={"level": 3}).digest
    assert plain.stress_setting is None
    with pytest.raises(UserError, match=r"halving.rungs: got 2, need 0 with stressed_macro_f1"):
        config_of("s", objectives=["stressed_macro_f1"]).wanted(Baselines())

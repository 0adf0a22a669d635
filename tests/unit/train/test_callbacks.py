"""What follows a training: in which order it is told, how it ends one, and that a failing tracker does no harm."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from leansort.core import plugins
from leansort.core.errors import LeansortError, MissingExtraError, UserError
from leansort.train import trackers
from leansort.train.callbacks import CallbackList, EpochRecord, Tracker, TrainingCallback, WithoutValScores, opened
from leansort.train.loop import train
from leansort.train.progress_display import ProgressDisplay
from leansort.train.trackers import HarmlessTracker
from tests.support.jobs import Recorder, job, require_equal, stopped, trained

RECORD: EpochRecord = {"epoch": 1, "loss": 0.5, "val_macro_f1": 0.25, "images_per_s": 100.0, "seconds": 30.0}


class Told(TrainingCallback):
    """Writes down every call."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def open(self) -> None:
        self.log.append(f"{self.name} open")

    def on_epoch(self, record: EpochRecord) -> None:
        self.log.append(f"{self.name} epoch {record['epoch']}")

    def close(self, *, failed: bool) -> None:
        self.log.append(f"{self.name} close {failed}")


class Unwilling(Told):
    """Cannot begin."""

    def open(self) -> None:
        raise UserError("nobody is logged in")


def test_callbacks_are_told_in_order_and_closed_in_the_opposite_one() -> None:
    log: list[str] = []
    with opened([Told("a", log), Told("b", log)]) as followers:
        followers.on_epoch(RECORD)
    assert log == ["a open", "b open", "a epoch 1", "b epoch 1", "b close False", "a close False"]


def test_what_was_opened_is_closed_as_failed_where_another_cannot_begin() -> None:
    log: list[str] = []
    with pytest.raises(UserError, match="nobody is logged in"), opened([Told("a", log), Unwilling("b", log)]):
        log.append("trained")
    assert log == ["a open", "a close True"]


def test_a_training_does_not_begin_where_a_callback_cannot(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nobody is logged in"):
        train(job(), tmp_path, callbacks=[Unwilling("a", [])])
    assert not (tmp_path / "last.safetensors").exists()


def test_every_callback_is_asked_and_the_first_reason_counts() -> None:
    asked: list[str] = []

    class Wants(TrainingCallback):
        def __init__(self, reason: str | None) -> None:
            self.reason = reason

        def should_stop(self) -> str | None:
            asked.append(str(self.reason))
            return self.reason

    assert CallbackList([Wants(None), Wants("one"), Wants("two")]).should_stop() == "one"
    assert asked == ["None", "one", "two"]
    assert CallbackList([]).should_stop() is None


def test_a_reason_to_stop_ends_a_training_and_the_rest_of_it_can_be_trained_later(tmp_path: Path) -> None:
    whole, first, rest = Recorder(), Recorder(stop_after=2), Recorder()
    trained(job(), tmp_path / "whole", whole)
    model, _ = trained(job(), tmp_path / "broken", first)
    assert [record["epoch"] for record in first.records] == [1, 2]
    assert first.closed == [False], "it was no failure"
    assert model.provenance["epoch"] in (1, 2)
    trained(job(), tmp_path / "broken", rest, resume=True)
    assert [record["epoch"] for record in rest.records] == [3]
    require_equal(tmp_path / "whole", tmp_path / "broken")


def test_who_follows_a_training_does_not_change_it(tmp_path: Path) -> None:
    train(job(), tmp_path / "alone")
    trained(job(), tmp_path / "followed")
    require_equal(tmp_path / "alone", tmp_path / "followed")


def test_an_interrupted_training_is_closed_as_failed(tmp_path: Path) -> None:
    recorder = Recorder()
    stopped(job(), tmp_path, 30, callbacks=[recorder])
    assert recorder.closed == [True]


def test_val_scores_are_hidden_and_everything_else_is_passed_on() -> None:
    log: list[str] = []
    inner = Recorder(stop_after=1)
    hiding = WithoutValScores(inner)
    hiding.on_epoch({**RECORD, "val_macro_f1_tta": 0.5})
    assert inner.records == [{name: RECORD[name] for name in ("epoch", "loss", "images_per_s", "seconds")}]
    assert hiding.should_stop() == "it is enough"
    told = WithoutValScores(Told("a", log))
    told.open()
    told.close(failed=True)
    assert log == ["a open", "a close True"]


def test_the_display_prints_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    with opened([ProgressDisplay(3)]) as followers:
        followers.on_epoch(RECORD)
        followers.on_epoch({**RECORD, "epoch": 2, "seconds": 90.0, "val_macro_f1_tta": 0.3})
    with opened([WithoutValScores(ProgressDisplay(3))]) as followers:
        followers.on_epoch(RECORD)
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/3  loss 0.500  val macro-F1 0.2500  100 images/s  1.0 min left",
        "epoch 2/3  loss 0.500  val macro-F1 0.2500 (flipped 0.3000)  100 images/s  1.0 min left",
        "epoch 1/3  loss 0.500  100 images/s  1.0 min left",
    ]


class Faulty(Tracker):
    """A tracker whose server is away as soon as it was opened."""

    def __init__(self, run: str, folder: Path, recipe: dict[str, Any], error: Exception | None = None) -> None:
        super().__init__(run, folder, recipe)
        self.asked: list[Any] = []
        self.error = error or LeansortError("server is gone")

    def on_epoch(self, record: EpochRecord) -> None:
        self.asked.append(dict(record))
        record.clear()  # its own copy
        raise self.error

    def should_stop(self) -> str | None:
        raise self.error

    def close(self, *, failed: bool) -> None:
        self.asked.append(failed)


@pytest.mark.parametrize(
    ("error", "text"),
    [(LeansortError("server is gone"), "server is gone"), (KeyError("id"), "KeyError: 'id'")],
    ids=["foreseen", "unforeseen"],
)
def test_a_failing_tracker_is_said_once_and_stops_nothing(
    error: Exception, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faulty = Faulty("run", tmp_path / "run", {}, error)
    recorder = Recorder()
    train(job(epochs=2), tmp_path / "run", callbacks=[HarmlessTracker("faulty", faulty), recorder])
    assert [item["epoch"] for item in faulty.asked[:-1]] == [1, 2]
    assert faulty.asked[-1] is False
    assert [record["epoch"] for record in recorder.records] == [1, 2], "the others have their records whole"
    assert capsys.readouterr().err == f"warning: faulty: {text}; training goes on, metrics.jsonl has every epoch\n"


def test_a_tracker_that_cannot_be_opened_is_one_clear_line(tmp_path: Path) -> None:
    class Broken(Tracker):
        def open(self) -> None:
            raise ValueError("no such\nhost")

    with pytest.raises(UserError, match="tracker broken: ValueError: no such host"):
        train(job(), tmp_path, callbacks=[HarmlessTracker("broken", Broken("run", tmp_path, {}))])


def test_a_tracker_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trackers").mkdir()
    (tmp_path / "trackers" / "notes.py").write_text(
        "from leansort.train.callbacks import Tracker\n"
        "class Notes(Tracker):\n"
        "    def on_epoch(self, record):\n"
        "        (self.folder / 'notes').write_text(self.run)\n"
    )
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path))
    [tracker] = trackers.follow("notes", "mine", tmp_path / "run", {})
    tracker.open()
    tracker.on_epoch(RECORD)
    assert (tmp_path / "run" / "notes").read_text() == "mine"
    assert trackers.follow("", "mine", tmp_path / "run", {}) == []
    with pytest.raises(UserError, match=r"tracker: got 'note', allowed: .*; did you mean 'notes'"):
        trackers.follow("note", "mine", tmp_path / "run", {})


@pytest.mark.parametrize("name", sorted(plugins.list_plugins("trackers")))
def test_each_tracker_names_its_extra_where_it_is_not_installed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # what Python takes for "not there"
    monkeypatch.delitem(sys.modules, f"leansort.train.trackers.{name}", raising=False)
    with pytest.raises(MissingExtraError, match=rf"leansort\[{name}\]"):
        trackers.tracker_class(name)


def test_a_resumed_run_keeps_its_name_at_the_tracker(tmp_path: Path) -> None:
    assert trackers.read_run_id(tmp_path, "wandb") is None
    trackers.write_run_id(tmp_path, "wandb", "abc")
    trackers.write_run_id(tmp_path, "mlflow", "d")
    assert (trackers.read_run_id(tmp_path, "wandb"), trackers.read_run_id(tmp_path, "mlflow")) == ("abc", "d")

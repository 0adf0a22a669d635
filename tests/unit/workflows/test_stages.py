"""Stages of a job: done once, done anew where something changed, and told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leansort.core.errors import LeansortError, UserError
from leansort.core.run_folder import RunFolder
from leansort.workflows.stages.stage_graph import PlannedStage, StageGraph, in_turn, open_stages
from leansort.workflows.stages.stage_record import StageList
from leansort.workflows.stages.stage_status import read_status, status_text


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


@pytest.fixture
def graph(folder: RunFolder) -> Iterator[StageGraph]:
    with open_stages(folder, "run", in_turn("a", "b")) as stages:
        yield stages


def write(path: Path, text: str, done: list[str]) -> None:
    path.write_text(text)
    done.append(text)


def test_a_stage_is_done_once_and_anew_where_its_foundations_or_its_files_changed(folder: RunFolder) -> None:
    done: list[str] = []
    file = folder.path / "a.txt"
    for rests_on, text in ((1, "first"), (1, "first again"), (2, "second")):
        with open_stages(folder, "run", in_turn("a")) as stages:
            stages.do("a", rests_on, [file], lambda text=text: write(file, text, done))  # type: ignore[misc]
    assert done == ["first", "second"]
    file.write_text("changed by hand")
    with open_stages(folder, "run", in_turn("a")) as stages:
        assert stages.do("a", 2, [file], lambda: write(file, "third", done))
    assert done == ["first", "second", "third"]


def test_a_stage_that_rests_on_something_else_begins_in_an_empty_folder(folder: RunFolder) -> None:
    place = folder.path / "work"
    for rests_on in (1, 2):
        with open_stages(folder, "run", in_turn("a")) as stages:

            def work(rests_on: int = rests_on) -> None:
                place.mkdir(exist_ok=True)
                (place / f"{rests_on}.txt").write_text("")

            stages.do("a", rests_on, [place / f"{rests_on}.txt"], work, clear=place)
    assert [path.name for path in place.iterdir()] == ["2.txt"]


def test_a_stage_does_not_begin_before_those_that_it_waits_for(graph: StageGraph) -> None:
    with pytest.raises(LeansortError, match="stage b: waits for a"), graph.stage("b"):
        pass
    graph.skip("a", "no time")
    with graph.stage("b"):
        pass
    assert graph.finished("b")


def test_a_stage_cannot_wait_for_one_that_is_not_planned(graph: StageGraph) -> None:
    with pytest.raises(LeansortError, match="waits for 'c', which is not planned"):
        graph.plan([PlannedStage("d", ("c",))])


def test_what_failed_is_told_with_its_reason_and_done_again(folder: RunFolder) -> None:
    with open_stages(folder, "run", in_turn("a")) as stages, pytest.raises(UserError), stages.stage("a"):
        raise UserError("no photo in val")
    [stage] = read_status(folder.path).stages
    assert (stage.state, stage.note) == ("failed", "no photo in val")
    with open_stages(folder, "run", in_turn("a")) as stages, stages.stage("a"):
        pass
    assert read_status(folder.path).stages[0].state == "done"


def test_a_stage_whose_process_was_killed_is_told_as_interrupted_and_its_time_counts(folder: RunFolder) -> None:
    with open_stages(folder, "run", in_turn("a", "b")), pytest.raises(KeyError):
        raise KeyError  # nothing of this is written by the graph itself
    kept = folder.stages.read(StageList, "stages")
    killed = kept.stages[0].model_copy(update={"state": "running", "began": folder.stages.path.stat().st_mtime - 50})
    folder.stages.write(kept.model_copy(update={"stages": (killed, *kept.stages[1:])}))
    assert read_status(folder.path).stages[0].state == "interrupted"
    with open_stages(folder, "run", in_turn("a", "b")) as stages:
        assert 50 <= stages.seconds < 100
        assert stages["a"].state == "waiting"


def test_what_an_earlier_process_skipped_is_decided_anew(folder: RunFolder) -> None:
    with open_stages(folder, "run", in_turn("a", "b")) as stages:
        stages.skip("a", "too slow")
    with open_stages(folder, "run", in_turn("a", "b")) as stages:
        assert (stages["a"].state, stages["a"].note, stages.skipped) == ("waiting", "", {})


def test_two_processes_do_not_work_on_one_folder(folder: RunFolder, graph: StageGraph) -> None:
    with pytest.raises(UserError, match="another process works on"), open_stages(folder, "run"):
        pass


def test_the_graph_is_drawn_with_what_each_waits_for(folder: RunFolder, graph: StageGraph) -> None:
    with graph.stage("a"):
        graph.note("a", "96 photos")
    status = read_status(folder.path)
    assert status.working
    assert [(stage.name, stage.state, stage.waits_for) for stage in status.stages] == [
        ("a", "done", ()),
        ("b", "waiting", ()),
    ]
    first, head, *rows = status_text(status).splitlines()
    assert first.endswith("1 of 2 stages finished, a process works on it")
    assert head.split() == ["stage", "state", "time", "waits", "for"]
    assert rows[0].startswith("+  a")
    assert "96 photos" in rows[0]
    assert rows[1].startswith(".    └ b")


def test_a_folder_without_a_job_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no job"):
        read_status(tmp_path)

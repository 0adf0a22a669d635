"""Folders of results: every name once, typed reading and writing, nothing through links that lead out."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

from leansort.core import run_folder
from leansort.core.errors import IntegrityError, UserError
from leansort.core.files.typed_result import TypedResult
from leansort.core.run_folder import CompressionFolder, RunFolder, StudyFolder, TrainingFolder


class CountResult(TypedResult):
    crops: int


def test_a_result_is_written_and_read_typed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "new")
    assert folder.score.read_if_there(CountResult, "report") is None
    folder.score.write(CountResult(crops=3))
    assert folder.score.read(CountResult, "report") == CountResult(crops=3)
    assert folder.score.path == tmp_path / "new" / "score.json"
    folder.score.remove()
    folder.score.remove()
    assert not folder.score.exists()


def test_plain_data_lines_and_text(tmp_path: Path) -> None:
    training = TrainingFolder(tmp_path)
    training.recipe.write({"seed": 3})
    assert training.recipe.read(dict[str, int], "resume") == {"seed": 3}
    training.history.write([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": None}])
    assert (tmp_path / "metrics.jsonl").read_text() == '{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": null}\n'
    assert training.history.read(dict[str, float | None], "run")[1] == {"epoch": 2, "loss": None}
    training.card.write("# A network ♻\n")
    assert training.card.read("card") == "# A network ♻\n"


def test_a_changed_file_is_one_line_that_names_it(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.bench.path.write_text('{"version": 1, "crops": "3"}')
    with pytest.raises(IntegrityError, match=re.escape(f"report: {tmp_path}/bench.json: crops: got '3'")):
        folder.bench.read(CountResult, "report")
    folder.bench.path.write_text('{"version": 9, "crops": 3}')
    with pytest.raises(IntegrityError, match=r"bench\.json: version: got '9', this leansort reads 1"):
        folder.bench.read(CountResult, "report")
    folder.bench.path.write_text("{")
    with pytest.raises(UserError, match=r"bench\.json"):
        folder.bench.read(CountResult, "report")
    folder.bench.remove()
    os.mkfifo(folder.bench.path)
    with pytest.raises(UserError, match="not a regular file"):
        folder.bench.read(CountResult, "report")


def test_nothing_is_read_or_written_through_a_link_that_leads_out(tmp_path: Path) -> None:
    outside, folder = tmp_path / "mine.json", RunFolder(tmp_path / "run")
    outside.write_text('{"crops": 3}')
    folder.path.mkdir()
    folder.score.path.symlink_to(outside)
    folder.report.path.symlink_to(outside)
    with pytest.raises(UserError, match="leads out of"):
        folder.score.read(CountResult, "report")
    with pytest.raises(UserError, match="leads out of"):
        folder.score.write(CountResult(crops=4))
    with pytest.raises(UserError, match="leads out of"):
        folder.report.write("page")
    assert outside.read_text() == '{"crops": 3}'


def test_folders_within_folders(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.training.checkpoint == tmp_path / "train" / "last.safetensors"
    step = run.compression.step("1-prune")
    assert step.attempt(0.5).cut == tmp_path / "compress" / "steps" / "1-prune" / "try-50" / "cut"
    assert CompressionFolder.of_step(step.path) == run.compression
    assert CompressionFolder.of_step(run.training.path) is None
    assert StudyFolder(tmp_path).trial("a" * 40).path == tmp_path / "trials" / ("a" * 16)


def test_no_two_files_of_one_folder_share_a_name() -> None:
    kinds = [kind for kind in vars(run_folder).values() if isinstance(kind, type) and kind.__name__.endswith("Folder")]
    assert len(kinds) >= 8
    for kind in kinds:
        folder = kind(Path("x"))
        names = [str(getattr(folder, name)) for name in dir(kind) if not name.startswith("_") and name != "path"]
        paths = [name for name in names if name.startswith("x/")]
        assert len(paths) == len(set(paths)), kind


SOURCES = Path(run_folder.__file__).parents[1]
OWN_NAMES = {  # what is called the same and is no file of a results' folder, or is an option's default
    "api/bundles.py": {"model.leansort"},
    "api/scores.py": {"output.csv"},
    "cli/bundle_commands.py": {"output.csv"},
    "arch/pretrained/hub.py": {"model.safetensors"},
    "data/coco/layouts.py": {"result.json"},
    "workflows/cluster/ray_predict.py": {"predictions.jsonl"},
    "workflows/cluster/ray_worker.py": {"model.leansort"},
}


def _names() -> set[str]:
    kinds = [kind for kind in vars(run_folder).values() if isinstance(kind, type) and kind.__name__.endswith("Folder")]
    attributes = {(kind, name) for kind in kinds for name in dir(kind) if not name.startswith("_") and name != "path"}
    paths = {str(getattr(kind(Path("x")), name)) for kind, name in attributes}
    return {path.removeprefix("x/") for path in paths if re.fullmatch(r"x/[a-z-]+\.[a-z]+", path)}


def test_no_other_module_knows_the_names_of_files() -> None:
    names = _names()
    assert {"score.json", "metrics.jsonl", "model.leansort", "compress.json", "best.json", "report.html"} <= names
    known: dict[str, set[str]] = {}
    for path in SOURCES.rglob("*.py"):
        there = names & {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        if there and path.name != "run_folder.py":
            known[str(path.relative_to(SOURCES))] = there
    assert known == OWN_NAMES

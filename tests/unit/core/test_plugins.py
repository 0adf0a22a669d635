"""Plugins found by folder, package and entry point; what is hidden, broken or wrong is one clear line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from leansort.arch.spec.backbone import Backbone
from leansort.compress.passes_api import CompressionPass
from leansort.core import plugin_checks, plugins
from leansort.core.errors import UserError
from leansort.data.importing.data_source import DataSource
from leansort.runtime.engine import Engine, engines_reading
from leansort.train.callbacks import Tracker
from tests.support.distributions import install

PASS = """
from leansort.compress.passes_api import CompressionPass, PassOutcome
from leansort.core.strict_model import StrictModel

class NothingPass(CompressionPass):
    Config = StrictModel
    stage = {stage!r}

    def apply(self, artifact, context):
        return PassOutcome(artifact, left_alone="as it was asked")
"""
BASES: dict[str, type] = {
    "backbones": Backbone, "engines": Engine, "passes": CompressionPass, "sources": DataSource, "trackers": Tracker,
}  # fmt: skip


def put(folder: Path, group: str, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = folder / group / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    monkeypatch.setenv("LEANSORT_PLUGINS", str(folder))
    return path


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points are looked through, and warnings given, once a process."""
    plugins.forget()


@pytest.mark.parametrize("group", plugins.PACKAGES)
def test_every_class_of_the_package_states_what_its_base_asks_for(group: str) -> None:
    for name, plugin in plugins.list_plugins(group).items():
        assert plugin.origin == "leansort"
        if plugin.suffix == ".py" and group != "trackers":  # whose libraries are extras
            assert plugin_checks.fault(plugins.load(group, name, BASES[group]), BASES[group]) == ""


def test_a_file_of_a_folder_is_found_and_put_in_the_place_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put(tmp_path, "passes", "fuse.py", PASS.format(stage="model"), monkeypatch)
    assert plugins.find("passes", "fuse").origin == str(path)
    assert plugins.load("passes", "fuse", CompressionPass).__name__ == "NothingPass"
    plugins.list_plugins("passes")
    assert capsys.readouterr().err == f"warning: pass 'fuse' of leansort is hidden by that of {path}\n"
    with pytest.raises(UserError, match=r"pass: got 'fuze', allowed: .*did you mean 'fuse'"):
        plugins.load("passes", "fuze", CompressionPass)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "need one public class derived from leansort.compress.passes_api.CompressionPass; its classes: none"),
        ("class Halve: ...", "CompressionPass; its classes: Halve"),
        (PASS.format(stage="modle"), r"NothingPass.stage: got 'modle', need Literal\['model', 'graph'\] .*'model' or"),
        (PASS.format(stage="model").replace("    stage = 'model'\n", ""), "NothingPass lacks stage; a CompressionPass"),
        (PASS.format(stage="model").replace("def apply", "def aply"), "NothingPass lacks apply; a CompressionPass has"),
        (
            PASS.format(stage="model").replace("= StrictModel", "= {'a': 1}"),
            r"NothingPass.Config: got \{'a': 1\}, need",
        ),
        (PASS.format(stage="model") + "    faster = 'yes'\n", "NothingPass.faster: got 'yes', need bool"),
        (PASS.format(stage="model") + "    weaker = 0.5\n", "NothingPass.weaker: got 0.5, need a method"),
        (PASS.format(stage="model") * 2 + "class B(NothingPass): ...", r"got 2 \(NothingPass, B\)"),
        ("import no_such_library", "cannot be imported: ModuleNotFoundError: No module named 'no_such_library'"),
        ("def broken(:", "cannot be imported: SyntaxError"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, "passes", "wrong.py", text, monkeypatch)
    with pytest.raises(UserError, match=message) as caught:
        plugins.load("passes", "wrong", CompressionPass)
    assert str(caught.value).startswith(f"pass 'wrong' of {path}")
    assert "\n" not in str(caught.value)


def test_a_broken_engine_takes_down_none_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "engines", "broken.py", "1 / 0", monkeypatch)
    assert "onnxruntime" in engines_reading("onnx")
    assert "broken" not in engines_reading("onnx")
    error = capsys.readouterr().err
    assert error.count("warning: left out: engine 'broken'") == 1
    assert "ZeroDivisionError: division by zero" in error


def test_an_entry_point_is_found_and_hidden_by_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    points = {"leansort.passes": {"nothing": "brought:NothingPass", "fuse": "brought:NothingPass", "gone": "gone:X"}}
    install(tmp_path, "brought", points, {"brought.py": PASS.format(stage="model")})
    monkeypatch.syspath_prepend(str(tmp_path))
    kinds = plugins.list_plugins("passes")
    assert kinds["nothing"].origin == "the distribution brought 1.0"
    assert kinds["fuse"].origin == "leansort"
    assert "pass 'fuse' of the distribution brought 1.0 is hidden by that of leansort" in capsys.readouterr().err
    assert plugins.load("passes", "nothing", CompressionPass).stage == "model"
    with pytest.raises(UserError, match=r"pass 'gone' of the distribution brought 1\.0 cannot be imported: ModuleNotF"):
        plugins.load("passes", "gone", CompressionPass)


def test_an_entry_point_may_be_anything_and_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "odd", {"leansort.engines": {"odd": "odd_module:VALUE"}}, {"odd_module.py": "VALUE = 7\n"})
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        UserError, match=r"engine 'odd' of .*odd 1.0: got 7, need a class derived from leansort.runtime"
    ):
        plugins.load("engines", "odd", Engine)


def test_one_name_in_two_distributions_is_refused_where_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        point = {"leansort.passes": {"nothing": f"{name}:NothingPass"}}
        install(tmp_path / name, name, point, {f"{name}.py": PASS.format(stage="model")})
        monkeypatch.syspath_prepend(str(tmp_path / name))
    assert "nothing" in plugins.list_plugins("passes")
    with pytest.raises(UserError, match=r"is in several distributions, .*first 1\.0.*; uninstall all but one of them"):
        plugins.load("passes", "nothing", CompressionPass)


def test_our_own_kinds_are_found_without_looking_through_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(**given: str) -> None:
        raise AssertionError("every start would pay for it")

    monkeypatch.setattr("importlib.metadata.entry_points", never)
    assert plugins.load("engines", "onnxruntime", Engine).formats == ("onnx",)
    assert plugins.find("backbones", "mnasnet").suffix == ".yaml"


def test_an_engine_is_found_without_its_library() -> None:
    code = "import sys; from leansort.runtime.engine import engine_class; engine_class('onnxruntime');"
    done = subprocess.run(
        [sys.executable, "-c", code + "assert 'onnxruntime' not in sys.modules"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")

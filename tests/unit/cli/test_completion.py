"""`leansort completion`: what a shell that has read the script is given for the Tab key."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leansort.cli import main
from leansort.core.text import packaged_configs
from leansort.runtime import shipped_models

# Calls the function that bash calls for Tab, as bash does: words so far, and which of them the cursor is in.
PRESS_TAB = """
source <(leansort completion bash)
complete -p leansort
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_leansort_completion leansort
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def path_with_leansort(tmp_path: Path) -> str:
    """A PATH on which `leansort` is the one under test."""
    program = tmp_path / "bin" / "leansort"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m leansort "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def tab(path: str, *words: str) -> set[str]:
    """What bash offers at the end of a line of these words."""
    done = subprocess.run(
        ["bash", "--norc", "-c", PRESS_TAB, "bash", "leansort", *words],
        env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    registered, *offered = done.stdout.splitlines()
    assert registered == "complete -o default -F _leansort_completion leansort"  # default: where nothing fits, files
    assert done.stderr == ""
    return {line for line in offered if line}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_commands_options_and_names(path_with_leansort: str) -> None:
    assert tab(path_with_leansort, "tr") == {"train"}
    assert tab(path_with_leansort, "data", "im") == {"import"}
    assert "--target-error" in tab(path_with_leansort, "export", "--ta")
    assert tab(path_with_leansort, "compress", "trashnet-l") == {"trashnet-lean"}
    assert tab(path_with_leansort, "bench", "x", "--engine", "o") == {"onnxruntime", "openvino"}
    assert tab(path_with_leansort, "run", "nothing-of-this-name") == set()


def answered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str, line: str) -> str:
    """What the program answers where zsh or fish ask, which say in these variables what was typed."""
    monkeypatch.setenv("_LEANSORT_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("leansort models ", set(shipped_models.list_models())),
        ("leansort tune run ", {path.stem for path in (packaged_configs.FOLDER / "search").glob("*.yaml")}),
        ("leansort ablate sample ", {path.stem for path in (packaged_configs.FOLDER / "ablations").glob("*.yaml")}),
        ("leansort train ", {path.stem for path in packaged_configs.FOLDER.glob("*.yaml")}),
        ("leansort recipes show ", set(packaged_configs.list_configs())),
        ("leansort completion ", {"bash", "fish", "zsh"}),
    ],
)
def test_fish_is_offered_every_name_with_what_it_is_for(
    line: str, names: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offered = answered(monkeypatch, capsys, "fish", line).splitlines()
    assert {text.partition("\t")[0] for text in offered} == names
    assert names


def test_long_help_of_an_option_stays_on_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offered = answered(monkeypatch, capsys, "fish", "leansort export --").splitlines()
    assert all(text.startswith("--") for text in offered)
    assert max(len(text) for text in offered) > 80


def test_zsh_is_offered_names_that_it_can_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offered = answered(monkeypatch, capsys, "zsh", "leansort run samp")
    assert offered.startswith('_arguments \'*: :(("sample":"The whole job on drawn scenes of trash')


@pytest.mark.parametrize(("shell", "line"), [("zsh", "#compdef leansort"), ("fish", "complete --command leansort")])
def test_the_script_is_printed_for_each_shell(shell: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", shell])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert line in out
    assert "_LEANSORT_COMPLETE=complete_" + shell in out


def test_another_shell_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", "tcsh"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in error

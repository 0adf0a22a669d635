"""What tests take for the command line, a fork, does as a Python that starts anew does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli

COMMANDS = [
    ("--version",),
    ("arch", "show", "tiny_s", "--size", "64"),
    ("train", "nothing"),
    ("no-such-command",),
    ("predict", "no-such-bundle", "-"),
    ("--debug", "report", "nowhere"),  # a traceback, and its exit code
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_fork_answers_as_a_new_process(arguments: tuple[str, ...], cli: Cli, new_cli: Cli, tmp_path: Path) -> None:
    forked, new = cli(*arguments, stdin="x.jpg\n", cwd=tmp_path), new_cli(*arguments, stdin="x.jpg\n", cwd=tmp_path)
    assert (forked.returncode, forked.stdout) == (new.returncode, new.stdout)
    assert forked.stderr.splitlines()[-1:] == new.stderr.splitlines()[-1:]


def test_a_fork_sees_the_environment_and_the_folder(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backbones").mkdir()
    (tmp_path / "backbones" / "mine.yaml").write_text("rows: [{block: conv, out: 8}, {block: pool}, {block: linear}]")
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "copy.yaml").write_text("rows: [{block: conv, out: 8}, {block: pool}, {block: linear}]")
    for network in ("mine", "copy.yaml"):
        done = cli("arch", "show", network)
        assert done.returncode == 0, done.stderr
    monkeypatch.delenv("LEANSORT_PLUGINS")
    assert cli("arch", "show", "mine").returncode == 2


def test_what_python_reads_at_its_start_makes_a_new_process(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "typer.py").write_text("raise SystemExit(77)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert cli("--version").returncode == 77

"""`leansort recipes list|show|copy`, and commands that take a name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leansort.cli import main
from leansort.core.text import packaged_configs


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_list_has_a_line_for_each_file(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "recipes", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(packaged_configs.list_configs())
    _, listed, _ = ran(capsys, "recipes", "list", "--json")
    assert json.loads(listed)["sample"].startswith("The whole job on drawn scenes of trash")


def test_show_prints_the_file_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "recipes", "show", "quick")
    assert (code, out) == (0, (packaged_configs.FOLDER / "search" / "quick.yaml").read_text())
    code, out, err = ran(capsys, "recipes", "show", "smaple")
    assert (code, out) == (2, "")
    assert err.endswith("did you mean 'sample'?\n")


def test_copy_writes_a_file_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    given = ("recipes", "copy", "compress/trashnet", "--to", str(tmp_path / "mine.yaml"))
    assert ran(capsys, *given)[:2] == (0, f"{tmp_path / 'mine.yaml'}\n")
    code, _, err = ran(capsys, *given)
    assert (code, "is there already" in err) == (2, True)
    assert ran(capsys, *given, "--force")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "guess"),
    [
        (("run", "smaple"), "did you mean 'sample'?"),
        (("train", "trashnt"), "did you mean 'trashnet'?"),
        (("tune", "quik"), "did you mean 'quick'?"),
        (("ablate", "trashnet", "trashnt"), "did you mean 'trashnet'?"),
        (("compress", "trashnet-int", "model"), "did you mean 'trashnet-int8'?"),
        (("data", "import", "folder", ".", "--map", "taco66"), "did you mean 'taco6'?"),
        (("data", "cache", ".", "--recipe", "simple", "--out", "c"), "did you mean 'sample'?"),
    ],
)
def test_an_unknown_name_is_refused_with_a_guess(
    arguments: tuple[str, ...], guess: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    code, _, err = ran(capsys, *arguments)
    assert code == 2
    assert err.count("\n") == 1
    assert guess in err

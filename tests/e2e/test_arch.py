"""The arch commands, and a recipe that brings its own model file."""

from __future__ import annotations

import json
from pathlib import Path

from leansort.arch import trained
from tests.conftest import Cli
from tests.golden.test_grammar import EXAMPLE, V3


def test_list_and_show_agree(cli: Cli) -> None:
    listed = json.loads(cli("arch", "list", "--size", "96", "--json").stdout)["backbones"]
    mobile = next(one for one in listed if one["name"] == "mobilenetv2")
    parts = json.loads(cli("arch", "show", "mobilenetv2", "--size", "96", "--json").stdout)["parts"]
    assert sum(part["parameters"] for part in parts) == mobile["parameters"] == 2_231_558
    assert sum(part["macs"] for part in parts) == mobile["macs"]
    assert parts[-1]["out"] == [6]
    assert cli("arch", "show", "mobilenetv2").stdout.splitlines()[-1].split()[:2] == ["total", "2,231,558"]


def test_a_converted_file_is_the_same_network(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "theirs.yaml").write_text(V3)
    done = cli("arch", "convert", tmp_path / "theirs.yaml", "--out", tmp_path / "ours.yaml")
    assert done.returncode == 0, done.stderr
    shown = [cli("arch", "show", tmp_path / name, "--size", "64").stdout for name in ("theirs.yaml", "ours.yaml")]
    assert shown[0] == shown[1]
    assert "4,210,998" in shown[0]
    again = cli("arch", "convert", tmp_path / "theirs.yaml", "--out", tmp_path / "ours.yaml")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    done = cli("arch", "convert", tmp_path / "ours.yaml", "--out", tmp_path / "x.yaml")
    assert (done.returncode, "named fields already" in done.stderr) == (2, True)


def test_what_cannot_be_shown_is_one_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("backbone: [[1, Conf, [3, 3]]]")
    for arguments, part in (
        (["mobilenetv4"], "did you mean 'mobilenetv2'"),
        ([tmp_path / "bad.yaml"], "bad.yaml row 1: module: got 'Conf'"),
        ([tmp_path / "none.yaml"], "cannot read"),
    ):
        done = cli("arch", "show", *arguments)
        assert done.returncode == 2
        [line] = done.stderr.splitlines()
        assert part in line


def test_a_recipe_trains_a_model_file_and_the_model_keeps_it(cli: Cli, tiny_recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "example.yaml").write_text(EXAMPLE)
    done = cli(
        "run", tiny_recipe, f"arch.base={tmp_path / 'example.yaml'}", "train.epochs=1", "--out", tmp_path / "run"
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "example.yaml").unlink()
    model = trained.load(tmp_path / "run" / "train")
    assert model.spec.base == "example"
    assert model.network() is not None

"""The arch commands, and a recipe that brings its own model file."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from leansort.arch import trained_model
from tests.conftest import Cli
from tests.golden.test_grammar import EXAMPLE, V3


def test_list_and_show_agree(cli: Cli) -> None:
    listed = json.loads(cli("arch", "list", "--size", "96", "--json").stdout)["backbones"]
    mobile = next(item for item in listed if item["name"] == "mobilenetv2")
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
        (["mobilenetv22"], "did you mean 'mobilenetv2'"),
        (["robnet", "--size", "16", "--depth", "2"], "depth"),
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
    model = trained_model.load(tmp_path / "run" / "train")
    assert model.spec.base == "example"
    assert model.network() is not None


BROUGHT = """
import torch
from pydantic import BaseModel, ConfigDict

from leansort.arch.spec.backbone import Backbone


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    hidden: int = 8


class Brought(Backbone):
    Config = Options

    def build(self, spec):
        hidden = self.options.hidden
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, hidden, 3, 2), torch.nn.BatchNorm2d(hidden), torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(hidden, spec.classes),
        )
"""


def test_a_backbone_added_in_one_file_trains(
    cli: Cli, tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugins" / "backbones").mkdir(parents=True)
    (tmp_path / "plugins" / "backbones" / "brought.py").write_text(BROUGHT)
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path / "plugins"))
    chosen = [tiny_recipe, "arch.base=brought", "train.epochs=1"]
    done = cli("run", *chosen, "arch.options={hidden: 12}", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert trained_model.load(tmp_path / "run" / "train").weights["0.weight"].shape == (12, 3, 3, 3)
    assert "brought" in cli("arch", "list", "--size", "64").stdout
    wrong = cli("run", *chosen, "arch.options={hiden: 12}", "--out", tmp_path / "other")
    assert (wrong.returncode, "options.hiden: unknown key" in wrong.stderr) == (2, True)


def test_training_begins_with_the_weights_a_recipe_names(cli: Cli, tiny_recipe: Path, tmp_path: Path) -> None:
    first = cli("run", tiny_recipe, "train.epochs=1", "arch.base=tiny_s", "--out", tmp_path / "first")
    assert first.returncode == 0, first.stderr
    given = tmp_path / "first" / "train" / "model.safetensors"
    chosen = ["train.epochs=1", "train.lr=1e-9", "train.ema=0", "arch.base=tiny_s", f"arch.pretrained={given}"]
    done = cli("run", tiny_recipe, *chosen, "--out", tmp_path / "second")
    assert done.returncode == 0, done.stderr
    assert "tensor by tensor" in done.stderr + done.stdout
    item, two = (trained_model.load(tmp_path / name / "train").weights for name in ("first", "second"))
    assert torch.allclose(item["0.0.weight"], two["0.0.weight"], atol=1e-6)
    listed = json.loads((tmp_path / "second" / "train" / "weights.json").read_text())
    assert len(listed["pairs"]) == len(item)
    other = cli(
        "run", tiny_recipe, *chosen[:-1], f"arch.pretrained={tmp_path / 'none.safetensors'}", "--out", tmp_path / "x"
    )
    assert (other.returncode, "none.safetensors" in other.stderr) == (2, True)


def test_the_drawing_is_an_svg(cli: Cli, tmp_path: Path) -> None:
    done = cli("arch", "show", "tiny_s", "--size", "64", "--svg", tmp_path / "net.svg")
    assert done.returncode == 0, done.stderr
    tree = ElementTree.parse(tmp_path / "net.svg").getroot()
    texts = ["".join(item.itertext()) for item in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert "86,286" in texts
    assert texts.count("InvertedResidual") == 7
    assert "sees" in done.stdout.splitlines()[0]

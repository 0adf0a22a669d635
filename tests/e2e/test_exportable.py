"""A network that cannot be exported is refused by every command that trains, before anything is read or written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e.test_mistakes import refused
from tests.unit.workflows.test_export_check import FICKLE, backbone

COMMANDS = (["run"], ["train"], ["train", "--seeds", "2"], ["train", "--folds", "2"], ["train", "--refit"])
STEPS = """
compress:
  seconds: 0.1
  max_f1_drop: 1.0
  steps:
    - {pass: prune, macs: 0.7, round_to: 4, faster: false, finetune: {epochs: 1}}
    - {pass: quantize, crops: 16, faster: false}
"""


@pytest.fixture
def fickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The override that names a network whose forward depends on values."""
    (tmp_path / "plugins").mkdir()
    backbone(FICKLE, tmp_path / "plugins", monkeypatch)
    return "arch.base=odd"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_is_trained_for_nothing(
    command: list[str], fickle: str, cli: Cli, tmp_path: Path, tiny_recipe: Path
) -> None:
    done = cli(command[0], tiny_recipe, fickle, "arch.width=1", *command[1:], "--out", tmp_path / "o")
    refused(done, "arch: odd cannot be trained to be exported (onnx, 32 px)", "layer 'body' (Body)")
    assert not (tmp_path / "o").exists()
    assert "data:" not in done.stderr


def test_an_ablation_names_the_variant(fickle: str, cli: Cli, tmp_path: Path, tiny_recipe: Path) -> None:
    (tmp_path / "v.yaml").write_text(f"no-dropout: [arch.dropout=0]\nother: [{fickle}, arch.width=1]\n")
    done = cli("ablate", tiny_recipe, tmp_path / "v.yaml", "--out", tmp_path / "o")
    refused(done, "other: arch: odd cannot be trained to be exported", "layer 'body' (Body)")
    assert not (tmp_path / "o").exists()


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 65])
def test_a_network_padded_as_tensorflow_pads_goes_all_the_way(
    size: int, cli: Cli, tmp_path: Path, tiny_recipe: Path
) -> None:
    pytest.importorskip("huggingface_hub", reason="timm is not installed")
    recipe = tmp_path / "r.yaml"
    recipe.write_text(f"{tiny_recipe.read_text()}{STEPS}")
    settings = ["arch.base=timm:tf_efficientnet_lite0", "arch.width=1", f"preprocess.size={size}", "train.epochs=2"]
    done = cli("run", recipe, *settings, "train.grow_from=0.8", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    tree = json.loads((tmp_path / "o" / "compress" / "compress.json").read_text())
    assert [step["state"] for step in tree["steps"]] == ["start", "accepted", "accepted"]
    assert tree["steps"][1]["macs"] <= 0.72 * tree["steps"][0]["macs"]
    assert tree["steps"][2]["bytes"] < 0.6 * tree["steps"][1]["bytes"]
    assert "tf_efficientnet_lite0" in (tmp_path / "o" / "report.html").read_text()

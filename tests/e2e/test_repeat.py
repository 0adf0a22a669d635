"""Repeated runs and ablations through the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from leansort.arch import trained_model
from tests.conftest import Cli
from tests.e2e.test_mistakes import refused

QUICK = ["train.epochs=1", "arch.base=tiny_s", "augment.randaugment=0"]

FAKE = """
import json, os

class Error(Exception):
    pass

class Settings:
    def __init__(self, **settings):
        pass

class Run:
    id = "abc"

    def log(self, record, step):
        self.note({"step": step, **record})

    def finish(self, exit_code):
        self.note({"exit": exit_code})

    def note(self, what):
        with open(os.environ["FAKE_LOG"], "a") as file:
            file.write(json.dumps(what) + "\\n")

def init(**given):
    Run().note({"name": given["name"], "id": given["id"], "epochs": given["config"]["train"]["epochs"]})
    return Run()
"""


@pytest.fixture(scope="module")
def repeated(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> tuple[Path, str]:
    """Two seeds and a refit, and what was printed. Treat as read-only."""
    out = tmp_path_factory.mktemp("repeated") / "out"
    done = cli("train", tiny_recipe, *QUICK, "--seeds", "2", "--refit", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("val macro-F1") == 2  # the refit shows none
    return out, done.stdout


def test_seeds_and_a_refit(repeated: tuple[Path, str]) -> None:
    out, text = repeated
    tree = json.loads(text)
    assert [(run["name"], run["seed"]) for run in tree["runs"]] == [("seed-0", 0), ("seed-1", 1)]
    for run in tree["runs"]:
        assert trained_model.load(out / run["name"]).provenance["val_macro_f1"] == run["val_macro_f1"]
    summary = tree["summary"]
    assert summary["low"] <= summary["mean"] <= summary["high"]
    assert json.loads((out / "repeat.json").read_text())["summary"] == summary
    assert tree["refit"]["val_macro_f1"] is None
    assert "val_macro_f1" not in trained_model.load(out / "refit").provenance
    assert "val_" not in (out / "refit" / "metrics.jsonl").read_text()
    assert not (out / "refit" / "unfinished").exists()


def test_resume_trains_what_is_missing_alone(
    repeated: tuple[Path, str], tiny_recipe: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "out"
    shutil.copytree(repeated[0], out)
    refused(cli("train", tiny_recipe, *QUICK, "--seeds", "2", "--out", out), "is not empty", "--resume")
    shutil.rmtree(out / "seed-1")
    (out / "refit" / "result.json").unlink()
    again = cli("train", tiny_recipe, *QUICK, "--seeds", "2", "--refit", "--out", out, "--json", "--resume")
    assert again.returncode == 0, again.stderr
    assert "run seed-0: finished before" in again.stderr
    assert again.stderr.count("epoch 1/1") == 2  # the second seed and the refit
    first, second = json.loads(repeated[1]), json.loads(again.stdout)
    assert first["summary"] == second["summary"]
    kept = [trained_model.load(folder / "refit").weights for folder in (out, repeated[0])]
    assert all((kept[0][name] == kept[1][name]).all() for name in kept[0])


def test_folds(tiny_recipe: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("train", tiny_recipe, *QUICK, "--folds", "2", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()][1:4] == ["fold-0", "fold-1", "mean"]
    assert done.stderr.count("on 48 crops, 48 val crops") == 2


def test_ablation_and_one_more_seed(tiny_recipe: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "v.yaml").write_text("no-ema: [train.ema=0]\nplain:\n  - train.label_smoothing=0\n  - train.clip=0\n")
    command = ["ablate", tiny_recipe, tmp_path / "v.yaml", *QUICK, "--out", tmp_path / "out"]
    done = cli(*command, "--seeds", "1")
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["variant", "-------", "base", "no-ema", "plain"]
    more = cli(*command, "--seeds", "2", "--resume", "--json")
    assert more.returncode == 0, more.stderr
    assert more.stderr.count("finished before") == 3
    tree = json.loads(more.stdout)
    assert tree["complete"]
    assert tree == json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert [(row["name"], len(row["runs"])) for row in tree["variants"]] == [("base", 2), ("no-ema", 2), ("plain", 2)]
    assert tree["variants"][1]["difference"]["n"] == 2
    assert len(list((tmp_path / "out" / "cache").glob("*.npy"))) == 2  # one for train, one for val


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("x: [train.emma=0]\ny: [train.lr=-1]\n", ["2 faults", "x: ", "did you mean 'ema'", "train.lr: got -1"]),
        (
            "base: [train.ema=0]\nx: [train.ema=0]\ny: train.ema=0\n",
            ["2 faults", "'base' is the recipe itself", "y: got 'train.ema=0', need a list"],
        ),
        ("x: [train.ema=0]\nx: [train.clip=0]\n", ["gives a key twice: 'x' in line 1 and in line 2"]),
    ],
)
def test_variants_that_cannot_be_used(
    content: str, parts: list[str], tiny_recipe: Path, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "v.yaml").write_text(content)
    refused(cli("ablate", tiny_recipe, tmp_path / "v.yaml", "--out", tmp_path / "out"), *parts)
    assert not (tmp_path / "out").exists()


def test_a_tracker_that_is_not_installed_is_said_before_data_are_read(
    tiny_recipe: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wandb.py").write_text("raise ImportError\n")  # stands for one that is not installed
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    refused(cli("train", tiny_recipe, "--tracker", "wandb", "--out", tmp_path / "o"), "pip install 'leansort[wandb]'")
    assert not (tmp_path / "o").exists()


def test_a_tracker_gets_every_epoch(
    tiny_recipe: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wandb.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    done = cli("train", tiny_recipe, *QUICK, "--seeds", "1", "--refit", "--tracker", "wandb", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    seed, epoch, end, last, last_epoch, last_end = map(json.loads, (tmp_path / "log").read_text().splitlines())
    assert seed == {"name": "tiny/seed-0", "id": None, "epochs": 1}
    assert epoch["step"] == epoch["epoch"] == 1
    assert epoch["val_macro_f1"] == json.loads((tmp_path / "o" / "seed-0" / "result.json").read_text())["val_macro_f1"]
    assert last["name"] == "tiny/refit"
    assert "val_macro_f1" not in last_epoch
    assert end == last_end == {"exit": 0}


def test_wandb_itself_offline(tiny_recipe: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    done = cli("train", tiny_recipe, *QUICK, "--tracker", "wandb", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "o" / "train" / "wandb").glob("offline-run-*/*.wandb"))


def test_mlflow_itself_offline(tiny_recipe: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'runs.db'}")
    done = cli("train", tiny_recipe, *QUICK, "--tracker", "mlflow", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs.db").stat().st_size


def test_a_refused_training_leaves_what_is_there(tiny_recipe: Path, folders: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "out"
    given = ["train", tiny_recipe, "train.epochs=1", "--out", out]
    assert cli(*given).returncode == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and "cache" not in path.parts}
    shutil.copytree(folders, tmp_path / "other")
    (next((tmp_path / "other" / "train").rglob("*.jpg"))).unlink()
    for more, message in (
        (["seed=1"], "holds a run already"),
        (["--resume", "train.lr=0.001"], "was made with another recipe, data set or seed"),
        (["--resume", "--data", tmp_path / "other"], "holds other data than the recipe names now"),
        (
            [
                "--resume",
                "train.grow_from=0.5",
                "arch.base=timm:vit_tiny_patch16_224",
                "arch.width=1",
                "preprocess.size=224",
            ],
            "does not take",
        ),
    ):
        done = cli(*given, *more)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and "cache" not in path.parts}
    assert {path for path in after if after[path] != before.get(path)} == set()
    assert after.keys() == before.keys()
    assert cli(*given, "--resume").returncode == 0


def test_a_training_stopped_before_its_first_checkpoint_is_begun(tiny_recipe: Path, tmp_path: Path, cli: Cli) -> None:
    given = ["train", tiny_recipe, "train.epochs=1", "--out", tmp_path / "out"]
    assert cli(*given).returncode == 0
    (tmp_path / "out" / "train" / "last.safetensors").unlink()
    assert cli(*given, "--resume").returncode == 0

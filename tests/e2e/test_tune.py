"""`leansort tune` through the command line: a search, its winner, a kill in the middle, and mistakes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from leansort.core import bundle as bundles
from leansort.core.errors import UserError
from leansort.core.text.packaged_configs import FOLDER as CONFIGS
from leansort.recipe.load import load_recipe, validate_recipe
from leansort.search import search_config as configs
from leansort.search.spaces import space as spaces
from leansort.search.spaces import space_parser
from leansort.workflows.training.train import buildable_spec
from tests.conftest import Cli
from tests.unit.search.test_search_space import random_ask
from tests.unit.workflows.test_export_check import FICKLE, backbone

SEARCH = """\
name: tiny
recipe: {recipe}
objectives: [macro_f1, model_p50_ms]
constraints: {{size_mb: 1.0, stride: 32}}
seconds: 0.05
trials: 5
halving: {{rungs: 1, eta: 2, least: 2}}
sampler: {{kind: random}}
start:
  - {{arch: big}}
  - {{arch: small, arch=small.width: 0.5, train.lr: 2.0e-3}}
  - {{arch: same, train.lr: 2.0e-3}}
space:
  train.lr: {{float: [1.0e-3, 4.0e-3], log: true}}
  arch:
    choice:
      small: {{base: tiny_s, width: {{float: [0.5, 1.0], step: 0.25}}}}
      same: {{base: tiny_s, width: 0.5}}
      big: {{base: mnasnet, width: 1.0}}
"""


@pytest.fixture(scope="module")
def search(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("search") / "tiny.yaml"
    path.write_text(SEARCH.format(recipe=tiny_recipe))
    return path


@pytest.fixture(scope="module")
def study(search: Path, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """A study that has its trials. Treat as read-only."""
    out = tmp_path_factory.mktemp("study") / "out"
    done = cli("tune", search, "--manifest", tiny_run, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((out / "tune.json").read_text())
    return out


def test_what_is_over_budget_is_not_trained_and_twins_are_trained_once(study: Path) -> None:
    tree = json.loads((study / "tune.json").read_text())
    first, small, twin, *others = tree["trials"]
    assert (first["outcome"]["kind"], first["outcome"]["epochs"]) == ("over budget", 0)
    assert first["outcome"]["costs"]["size_mb"] > 1.0
    assert "model_p50_ms" not in first["outcome"]["costs"]  # it was not even timed
    assert (small["outcome"]["kind"], small["outcome"]["epochs"]) == ("trained", 3)
    assert (twin["outcome"]["kind"], twin["values"]) == ("duplicate", small["values"])
    assert len(others) == 2
    assert small["number"] in tree["front"]
    low, high = small["outcome"]["f1_interval"]
    assert low <= small["outcome"]["f1"] <= high
    folders = list((study / "trials").glob("*/train/metrics.jsonl"))
    assert len(folders) == sum(item["outcome"]["kind"] in ("trained", "stopped") for item in tree["trials"])
    assert not list((study / "trials").glob("*/train/last.safetensors"))
    page = (study / "tune.html").read_text()
    assert "What became of them" in page
    assert 'class="dot front"' in page


def test_the_winner_is_a_complete_recipe_that_trains_to_the_same(
    study: Path, tiny_run: Path, tmp_path: Path, cli: Cli
) -> None:
    given = ["export.target_error=0.5", "--seeds", "1", "--manifest", tiny_run, "--out", tmp_path / "best"]
    done = cli("tune", "best", study, *given, "--json")
    assert done.returncode == 0, done.stderr
    tree = json.loads(done.stdout)
    (again,) = tree["seeds"]["runs"]
    (claim,) = tree["claims"]
    assert claim["macro_f1"] == pytest.approx(again["val_macro_f1"])
    assert claim["costs"]["model_p50_ms"] > 0
    assert Path(claim["bundle"]).name == "model.leansort"
    assert bundles.load(Path(claim["bundle"])).meta.reject_below > 0  # the recipe's target error sets it
    known = cli("tune", "best", study, *given, "--resume")
    assert (known.returncode, "bundle's macro-F1" in known.stdout) == (0, True), known.stderr
    assert again["val_macro_f1"] == pytest.approx(tree["macro_f1"], abs=1e-12)
    alone = cli(
        "train", tmp_path / "best" / "recipe.yaml", "--manifest", tiny_run, "--out", tmp_path / "alone", "--json"
    )
    assert alone.returncode == 0, alone.stderr
    assert json.loads(alone.stdout)["val_macro_f1"] == again["val_macro_f1"]
    assert json.loads((tmp_path / "best" / "archspec.json").read_text())["base"] == "tiny_s"
    none = cli("tune", "best", study, "--budget", "model_p50_ms=0.0001", "--seeds", "0", "--out", tmp_path / "none")
    assert (none.returncode, "was trained to its end within model_p50_ms=0.0001" in none.stderr) == (2, True)


def test_a_winner_changed_to_what_cannot_be_exported_is_refused(
    study: Path, tiny_run: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone(FICKLE, tmp_path, monkeypatch)
    given = ["arch.base=odd", "arch.width=1", "--seeds", "1", "--manifest", tiny_run, "--out", tmp_path / "best"]
    done = cli("tune", "best", study, *given)
    assert (done.returncode, "layer 'body' (Body) cannot be exported" in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "best").exists()


def test_killed_in_a_trial_it_goes_on_there(search: Path, tiny_run: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "out"
    given = ["tune", search, "train.epochs=12", "--manifest", tiny_run, "--out", out, "--trials", "3"]
    started = subprocess.Popen(
        [sys.executable, "-m", "leansort", *map(str, given)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    for _ in range(900):
        if list((out / "trials").glob("*/train/last.safetensors")) or started.poll() is not None:
            break
        time.sleep(0.1)
    assert started.poll() is None
    started.send_signal(signal.SIGKILL)
    started.wait()
    refused = cli(*given)
    assert (refused.returncode, "not empty" in refused.stderr) == (2, True)
    done = cli(*given, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    kinds = [load["outcome"]["kind"] for load in json.loads(done.stdout)["trials"]]
    assert kinds.count("trained") == 1
    assert sorted(kinds) == ["duplicate", "over budget", "trained"]
    (metrics,) = (out / "trials").glob("*/train/metrics.jsonl")
    assert [json.loads(line)["epoch"] for line in metrics.read_text().splitlines()] == list(range(1, 13))


def test_a_candidate_that_is_no_recipe_is_unfit_and_the_search_goes_on(
    search: Path, tiny_run: Path, tmp_path: Path, cli: Cli
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        search.read_text().replace(
            "train.lr: {float: [1.0e-3, 4.0e-3], log: true}", "train.lr: {choice: [99.0, 2.0e-3]}"
        )
    )
    text = path.read_text()
    start = text[text.index("start:") : text.index("space:")]
    path.write_text(text.replace(start, "start: [{arch: same, train.lr: 99.0}]\n"))
    done = cli("tune", path, "--manifest", tiny_run, "--trials", "1", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    (only,) = json.loads(done.stdout)["trials"]
    assert (only["outcome"]["kind"], only["feasible"]) == ("unfit", False)
    assert "train.lr: got 99.0" in only["outcome"]["note"]


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["tune", "{search}", "--from", "nowhere"], "no study in nowhere"),
        (["tune", "nowhere.yaml"], "search: cannot read nowhere.yaml"),
        (["tune", "bset", "nowhere"], "'bset' is neither a command nor a file; did you mean 'best'"),
        (["tune", "{search}", "train.epoch=3"], "train.epoch: unknown key; did you mean 'epochs'"),
        (["tune", "{mistyped}"], "trian: unknown key; did you mean 'train'"),
        (["tune", "{engine}"], "engine: unknown key, it was renamed: write target.engine in the recipe"),
        (["tune", "{search}", "--engine", "onxruntime"], "target.engine: got 'onxruntime'"),
        (["tune", "best", "nowhere"], "no study in nowhere"),
        (["tune", "best", "{study}", "--budget", "p50=1"], "budget: got 'p50'"),
        (["tune", "best", "{study}", "--budget", "size_mb=small"], "need size_mb=NUMBER over 0"),
        (["tune", "best", "{study}", "--trial", "99"], "no finished trial 99"),
        (["tune", "worker", "{study}", "--study", "tinny"], "did you mean 'tiny'"),
        (["tune", "report", "{study}", "--storage", "redis://x"], "need postgresql://"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], answer: str, search: Path, study: Path, cli: Cli, tmp_path: Path
) -> None:
    text = search.read_text()
    wrong = {"mistyped": text.replace("train.lr:", "trian.lr:"), "engine": text + "\nengine: onnxruntime\n"}
    for name, changed in wrong.items():
        (tmp_path / f"{name}.yaml").write_text(changed)
    places = {name: tmp_path / f"{name}.yaml" for name in wrong}
    done = cli(*(argument.format(search=search, study=study, **places) for argument in arguments), cwd=tmp_path)
    assert done.returncode == 2
    assert answer in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_worker_with_other_data_is_refused(study: Path, folders: Path, tmp_path: Path, cli: Cli) -> None:
    imported = cli("data", "import", "folder", folders / "train", "--out", tmp_path / "other")
    assert imported.returncode == 0, imported.stderr
    done = cli("tune", "worker", study, "--manifest", tmp_path / "other")
    assert (done.returncode, "are not those of study 'tiny'" in done.stderr) == (2, True)


@pytest.mark.parametrize("path", sorted((CONFIGS / "search").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_committed_space_gives_networks(path: Path) -> None:
    config = configs.load(path)
    base = load_recipe(config.recipe).to_json()
    node, rng, built = space_parser.parse_space(config.space), random.Random(3), 0
    ask = random_ask(rng)
    for number in range(12):
        values = spaces.draw_candidate(node, ask)
        recipe = validate_recipe(spaces.merge_parameters(base, values), str(number))
        assert yaml.safe_load(yaml.safe_dump(recipe.to_json())) == recipe.to_json()
        try:
            buildable_spec(recipe, 6)
            built += 1
        except UserError:
            continue
    assert built >= 6

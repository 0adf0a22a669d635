"""Stress in compress, tune and ablate through the command line: measured, judged, the same after a resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.unit.workflows.test_stress import draw

RECIPE = """\
name: disks
data: {{source: folder, path: {path}}}
preprocess: {{size: 32, fit: stretch}}
arch: {{base: mean, model: {{rows: [{{block: pool}}, {{block: dense, out: 16, act: tanh}}, {{block: linear}}]}}}}
augment: {{min_scale: 1.0, flip_horizontal: 0, flip_vertical: 0}}
train: {{epochs: 12, batch: 6, lr: 0.03, warmup: 1, workers: 0, threads: 1, ema: 0, enlarge: 1.0}}
compress: {{seconds: 0.05, max_f1_drop: 1.0}}
"""
SEARCH = """\
name: under-stress
recipe: {recipe}
objectives: [macro_f1, stressed_macro_f1, parameters]
constraints: {{stressed_macro_f1: {least}}}
stress: {{kinds: [darker, background], level: 1}}
halving: {{rungs: 0}}
sampler: {{kind: random}}
trials: 2
start: [{{arch.model: wide}}, {{arch.model: narrow}}]
space:
  arch.model:
    choice:
      wide: {{rows: [{{block: pool}}, {{block: dense, out: 16, act: tanh}}, {{block: linear}}]}}
      narrow: {{rows: [{{block: pool}}, {{block: dense, out: 1, act: relu}}, {{block: linear}}]}}
"""
NARROW = "narrow: ['arch.model={rows: [{block: pool}, {block: dense, out: 1, act: relu}, {block: linear}]}']\n"
COUNTS = {"train": 8, "val": 4}  # of each class


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Disks of three colours on a white board, told apart by the mean colour."""
    root = tmp_path_factory.mktemp("disks")
    for split, count in COUNTS.items():
        for number in range(3 * count):
            path = root / "photos" / split / "abc"[number % 3] / f"{split}-{number}.png"
            draw(path, number % 3, number + 100 * (split == "val"))
    path = root / "disks.yaml"
    path.write_text(RECIPE.format(path=root / "photos"))
    return path


@pytest.fixture(scope="module")
def trained(recipe: Path, tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """A training of the recipe, with its manifest. Treat as read-only."""
    out = tmp_path_factory.mktemp("trained") / "out"
    done = cli("train", recipe, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["val_macro_f1"] > 0.9
    return out


def test_a_step_that_loses_under_stress_is_refused_and_a_resume_says_the_same(
    recipe: Path, trained: Path, tmp_path: Path, cli: Cli
) -> None:
    """`reset` forgets everything; the budget of macro-F1 allows that here, the one under stress does not."""
    out, stress = tmp_path / "out", "compress.stress={kinds: [darker, jpeg], level: 1, max_drop: 0.01}"
    steps = "compress.steps=[{pass: reset}, {pass: finetune, epochs: 2, lr: 0.001}]"
    given = [recipe, trained / "train", steps, stress, "--manifest", trained, "--out", out]
    done = cli("compress", *given, "--json")
    assert done.returncode == 0, done.stderr
    assert "compress.stress: 2 kinds at level 1, 12 val crops" in done.stderr
    tree = json.loads(done.stdout)
    start, reset, tuned = tree["steps"]
    assert (reset["state"], tuned["state"]) == ("refused", "accepted")
    assert "points, at most 1.0: refused" in reset["reason"]
    assert reset["verdict"]["stress"]["drop"]["value"] > 0.01
    assert (tree["stress"]["kinds"], tree["stress"]["crops"]) == (["darker", "jpeg"], 12)
    for file in ("compress.md", "compress.html"):
        assert "Under stress" in (out / file).read_text()
    bundle, levels = out / "steps" / "0-start" / "model.leansort", ["--kinds", "darker,jpeg", "--levels", "1"]
    tested = cli("stress", bundle, "--data", trained, *levels, "--json")
    assert tested.returncode == 0, tested.stderr
    alone = json.loads(tested.stdout)["bundles"][0]["summary"]["macro_f1"]
    assert start["verdict"]["stress"]["macro_f1"]["value"] == pytest.approx(alone)  # the same pixels
    (made,) = (out / "cache").glob("stressed-*.npy")
    before = made.stat().st_mtime_ns
    resumed = cli("compress", *given, "--resume", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("finished before") == 2
    assert json.loads(resumed.stdout)["steps"] == tree["steps"]
    assert made.stat().st_mtime_ns == before
    told = cli("compress", *given, "compress.stress.max_drop=null", "--resume", "--json")
    assert told.returncode == 0, told.stderr
    assert "finished before" not in told.stderr
    assert json.loads(told.stdout)["steps"][1]["state"] == "accepted"


@pytest.mark.slow
def test_a_search_for_what_is_kept_under_stress(recipe: Path, trained: Path, tmp_path: Path, cli: Cli) -> None:
    search, out = tmp_path / "search.yaml", tmp_path / "out"
    search.write_text(SEARCH.format(recipe=recipe, least=0.9))
    given = ["tune", search, "--manifest", trained, "--out", out]
    done = cli(*given, "--json")
    assert done.returncode == 0, done.stderr
    assert "under stress" in done.stderr
    tree = json.loads(done.stdout)
    wide, narrow = tree["trials"]
    assert wide["values"][1] == wide["outcome"]["stress"]["macro_f1"]["value"] >= 0.9
    assert list(wide["outcome"]["stress"]["kinds"]) == ["darker", "background"]
    assert (wide["feasible"], narrow["feasible"]) == (True, narrow["values"][1] >= 0.9)
    assert not narrow["feasible"]  # one number does not tell three colours apart
    assert tree["front"] == [wide["number"]]
    assert "Under stress: mean macro-F1" in (out / "tune.html").read_text()
    assert len(list((out / "cache").glob("stressed-*.npy"))) == 1  # once for all candidates
    again = cli(*given, "--resume", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["trials"] == tree["trials"]
    best = cli(
        "tune",
        "best",
        out,
        "--budget",
        "stressed_macro_f1=0.6",
        "--seeds",
        "1",
        "--manifest",
        trained,
        "--out",
        tmp_path / "b",
        "--json",
    )
    assert best.returncode == 0, best.stderr
    (claim,) = json.loads(best.stdout)["claims"]
    assert claim["stress"]["macro_f1"]["value"] == pytest.approx(wide["values"][1])
    search.write_text(search.read_text().replace("level: 1", "level: 2"))
    other = cli(*given, "--resume")
    assert (other.returncode, "is there, of another search" in other.stderr) == (2, True), other.stderr


def test_an_ablation_under_stress_in_one_command(recipe: Path, trained: Path, tmp_path: Path, cli: Cli) -> None:
    variants, out = tmp_path / "v.yaml", tmp_path / "out"
    variants.write_text(NARROW)
    given = ["ablate", recipe, variants, "--seeds", "2", "--manifest", trained, "--out", out]
    stress = ["--stress", "--kinds", "darker,jpeg", "--level", "2", "--crops", "9"]
    done = cli(*given, *stress, "--json")
    assert done.returncode == 0, done.stderr
    tree = json.loads(done.stdout)
    base, narrow = (variant["stress"] for variant in tree["variants"])
    assert (tree["stress"]["level"], tree["stress"]["crops"]) == (2, 9)
    assert [len(variant["scores"]) for variant in (base, narrow)] == [2, 2]
    assert base["difference"] is None
    assert narrow["difference"]["mean"] == pytest.approx(narrow["macro_f1"]["mean"] - base["macro_f1"]["mean"])
    assert narrow["difference"]["low"] <= narrow["difference"]["mean"] < -0.1
    table = (out / "ablation.md").read_text()
    assert "to the base under stress, 95 %" in table
    assert [line.split()[1] for line in table.splitlines()[-2:]] == ["darker", "jpeg"]
    kept = (out / "seed-1" / "narrow" / "stressed.json").read_bytes()
    (out / "seed-0" / "base" / "stressed.json").unlink()  # as where it was killed before this one
    again = cli(*given, *stress, "--resume", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == tree
    assert (out / "seed-1" / "narrow" / "stressed.json").read_bytes() == kept
    for changed in ([*stress, "--level", "3"], []):
        other = cli(*given, *changed, "--resume")
        assert (other.returncode, "was measured under other stress" in other.stderr) == (2, True), other.stderr


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (["--level", "3"], "ablate: --level has no effect without --stress"),
        (["--stress", "--level", "0"], "ablate: --level: got 0, input should be greater than or equal to 1"),
        (["--stress", "--kinds", "blurr"], "did you mean 'blur'"),
        (["--stress", "--crops", "13"], "stress.crops: got 13, val has 12 crops; allowed: 1 to 12"),
        (["--stress", "--kinds", "blur", "--textures", "x"], "textures has no effect without the kind 'background'"),
    ],
)
def test_a_mistake_of_an_ablation_is_one_line(
    options: list[str], answer: str, recipe: Path, trained: Path, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "v.yaml").write_text(NARROW)
    done = cli("ablate", recipe, tmp_path / "v.yaml", *options, "--manifest", trained, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert answer in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (("rungs: 0", "rungs: 2"), "halving.rungs: got 2, need 0 with stressed_macro_f1"),
        (("kinds: [darker", "kinds: [darkr"), "did you mean 'darker'"),
        (("level: 1", "level: 9"), "stress.level: got 9, input should be less than or equal to 5"),
        (("level: 1", "crops: 13"), "stress.crops: got 13, val has 12 crops; allowed: 1 to 12"),
        (("[macro_f1, stressed", "[macro_f1, stresed"), "did you mean 'stressed_macro_f1'"),
    ],
)
def test_a_mistake_of_a_search_is_one_line(
    change: tuple[str, str], answer: str, recipe: Path, trained: Path, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "search.yaml").write_text(SEARCH.format(recipe=recipe, least=0.9).replace(*change))
    done = cli("tune", tmp_path / "search.yaml", "--manifest", trained, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert answer in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_run_refuses_stress_that_the_data_do_not_allow_before_it_trains(
    recipe: Path, tmp_path: Path, cli: Cli
) -> None:
    stress = ["compress.steps=[{pass: finetune, epochs: 1}]", "compress.stress.crops=13"]
    done = cli("run", recipe, *stress, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "compress.stress.crops: got 13, val has 12 crops; allowed: 1 to 12" in done.stderr
    assert not (tmp_path / "out" / "train").exists()

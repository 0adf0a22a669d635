"""What the documentation says is run: the README's commands, and the reference against the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from docs import crops_table
from docs.generate import list_commands, reference

from leansort.contest.formulas import Baselines, time_score
from leansort.core import manifest as manifests
from leansort.core.text.packaged_configs import FOLDER as CONFIGS
from leansort.recipe.load import load_recipe
from leansort.workflows.compression import compress as compression
from leansort.workflows.training.ablations import ablation_variants
from tests.conftest import ROOT, Cli, draw


def commands(page: str) -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / page).read_text(), re.S)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("leansort ")]
    return [shlex.split(line)[1:] for line in lines]


def test_the_reference_lists_every_command(cli: Cli) -> None:
    listed = list_commands()
    assert {("run",), ("recipes", "copy"), ("tune", "run"), ("data", "import")} <= set(listed)
    shown = cli("--help").stdout
    assert {words[0] for words in listed} == set(re.findall(r"^  ([a-z-]+)  ", shown.partition("Commands:")[2], re.M))
    shown = cli("arch", "--help").stdout
    inner = {words[1] for words in listed if words[0] == "arch"}
    assert inner == set(re.findall(r"^  ([a-z-]+)  ", shown.partition("Commands:")[2], re.M))


def test_the_reference_is_up_to_date() -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == reference(), "run: make docs"


@pytest.mark.parametrize(
    ("page", "least"),
    [
        ("docs/data.md", 7),
        ("docs/completion.md", 1),
        ("docs/macro-f1.md", 3),
        pytest.param("docs/int8.md", 2, marks=pytest.mark.slow),
        ("docs/networks.md", 2),
        pytest.param("docs/training.md", 2, marks=pytest.mark.slow),
        pytest.param("docs/compression.md", 3, marks=pytest.mark.slow),
        pytest.param("docs/search.md", 3, marks=pytest.mark.slow),
        pytest.param("docs/robot.md", 7, marks=pytest.mark.slow),
        pytest.param("docs/sort.md", 7, marks=pytest.mark.slow),
        ("docs/cpp.md", 1),
        pytest.param("docs/solve.md", 4, marks=pytest.mark.slow),
        pytest.param("docs/robustness.md", 4, marks=pytest.mark.slow),
        pytest.param("docs/field.md", 9, marks=pytest.mark.slow),
    ],
)
def test_the_commands_run_as_written(page: str, least: int, cli: Cli, tmp_path: Path) -> None:
    listed = commands(page)
    assert len(listed) >= least
    for arguments in listed:
        done = cli(*arguments, cwd=tmp_path)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"


# What makes a command of a tutorial quick, where its page lets it take the minutes that a user has.
QUICK_RUN = [
    "data.train=16", "data.val=6", "data.test=6", "train.epochs=1", "train.workers=0", "bench.seconds=0.1",
    "bench.queries=20", "bench.starts=0",
]  # fmt: skip
QUICK_FINE_TUNING = ["preprocess.size=32", "train.epochs=2", "train.freeze=1", "train.workers=0"]
QUICKER: dict[tuple[str, ...], list[str]] = {
    ("run", "sample"): QUICK_RUN,
    ("train", "own/recipe.yaml"): QUICK_FINE_TUNING,
}


def quicker(arguments: list[str]) -> list[str]:
    """A command with overrides of all keys that make it quick, but for those that the page itself sets."""
    more = QUICKER.get(tuple(arguments[:2]), [])
    return [*arguments, *(text for text in more if not any(text.split("=")[0] + "=" in given for given in arguments))]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "number", "blocks"),
    [
        ("README.md", 2, 0),
        ("docs/tutorial-first-model.md", 15, 1),
        ("docs/tutorial-own-data.md", 10, 0),
        ("docs/tutorial-contest.md", 5, 0),
        ("docs/tutorial-robot.md", 8, 1),
    ],
)
def test_a_tutorial_is_gone_through_from_top_to_bottom(
    page: str, number: int, blocks: int, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, programs = commands(page), re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)
    assert (len(listed), len(programs)) == (number, blocks)
    for arguments in listed:
        done = cli(*quicker(arguments), cwd=tmp_path)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
    draw(tmp_path / "photo.jpg", 0, seed=1)
    monkeypatch.chdir(tmp_path)
    for program in programs:
        exec(compile(program, page, "exec"), {"photos": ["photo.jpg", "nothing.jpg"]})


def test_both_readmes_have_the_same_commands() -> None:
    assert commands("README.md") == commands("README.ko.md") != []


def test_what_a_point_is_worth_in_the_contest_is_what_the_tutorial_says() -> None:
    page = (ROOT / "docs" / "tutorial-contest.md").read_text()
    for f1, seconds in ((0.7, "4.3"), (0.8, "1.8"), (0.85, "0.8")):
        gain = time_score(f1 - 0.005, 0, Baselines()) - time_score(f1 + 0.005, 0, Baselines())
        second = time_score(f1, 1, Baselines()) - time_score(f1, 0, Baselines())
        assert f"{gain / second:.1f}" == seconds
        assert seconds in page


def test_the_page_on_macro_f1_has_the_table_that_its_command_prints() -> None:
    rows = crops_table.table(0.94, crops=(100, 328)).splitlines()[2:]
    page = (ROOT / "docs" / "macro-f1.md").read_text()
    for row in rows:
        assert "| " + " | ".join(cell.strip() for cell in row.strip("|").split("|")) + " |" in page


@pytest.mark.slow
def test_the_blocks_of_the_page_on_python_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ROOT / "docs" / "python.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
    assert len(blocks) == 7
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    out, error = capsys.readouterr()
    assert "did you mean 'epochs'?" in out
    assert "train: tiny_s on " in error  # progress, as in the command line


def test_the_model_file_of_the_page_builds(cli: Cli, tmp_path: Path) -> None:
    [rows] = re.findall(r"```yaml\n(divisor.*?)```", (ROOT / "docs/networks.md").read_text(), re.S)
    (tmp_path / "page.yaml").write_text(rows)
    done = cli("arch", "show", tmp_path / "page.yaml", "--size", "96")
    assert done.returncode == 0, done.stderr
    assert "Concat" in done.stdout


def require_classes_in(run: Path) -> None:
    """The report has a row for every class, with as many crops as the scored split, test or else val, has of it."""
    page, manifest = (run / "report.html").read_text(), manifests.load(run)
    table = page.partition('<section id="classes"')[2].partition("<tfoot>")[0]
    rows = re.findall(r'<th scope="row"><bdi>(.+?)</bdi>.*?<td>([\d,]+)</td></tr>', table, re.S)
    counts = manifest.counts("test") if sum(manifest.counts("test")) else manifest.counts("val")
    supports = [(name, f"{count:,}") for name, count in zip(manifest.labels.names, counts, strict=True)]
    assert sorted(rows) == sorted(supports)


FROM_LARGE_TO_TINY = ("trashnet-lean", "trashnet-tiny")  # of many trainings: tests/e2e/test_from_large_to_tiny.py
AT_ONCE = ("trashnet",)  # the one that the README begins with; the rest in the long runs
RECIPES = sorted(path for path in CONFIGS.glob("*.yaml") if path.stem not in FROM_LARGE_TO_TINY)


@pytest.mark.parametrize(
    "recipe",
    [pytest.param(p, id=p.stem, marks=[] if p.stem in AT_ONCE else [pytest.mark.slow]) for p in RECIPES],
)
def test_every_recipe_runs_a_step(recipe: Path, cli: Cli, folders: Path, tiny_run: Path, tmp_path: Path) -> None:
    teacher = tiny_run / "train"
    tiny = [
        "train.epochs=1",
        "bench.seconds=0.1",
        "bench.queries=20",
        "bench.starts=1",
        "preprocess.size=32",
        "arch.width=0.25",
    ]
    if "teachers:" in recipe.read_text():  # of other classes than these pictures
        tiny.append(f"distill.teachers=[{teacher}]")
    if "pretrained:" in recipe.read_text():  # of a network as wide as it is
        tiny += ["arch.pretrained=null", "train.freeze=0"]
    if "background:" in recipe.read_text():  # these pictures have no even ground
        tiny.append("augment.robust.background=0")
    drawn = "source: sample" in recipe.read_text()
    data = ["data.train=6", "data.val=3", "data.test=3"] if drawn else ["--data", str(folders)]
    done = cli("run", recipe, *tiny, *data, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    require_classes_in(tmp_path / "run")


@pytest.mark.parametrize("recipe", sorted((CONFIGS / "compress").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_compression_begins_with_the_committed_network(recipe: Path) -> None:
    resolved = load_recipe(recipe, [])
    model = compression.network_to_compress(resolved, ROOT / "models" / "trashnet", explain=False)
    assert [step.name for _, step in compression.read_steps(resolved)][-1] in ("quantize", "distill")
    assert (resolved.arch.base, resolved.preprocess.size) == (model.spec.base, model.preprocess.size)
    assert resolved.preprocess.fit == model.preprocess.fit


@pytest.mark.parametrize("path", sorted((CONFIGS / "ablations").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_ablation_is_of_the_recipe_of_its_name(path: Path) -> None:
    result, _ = ablation_variants.resolve_variants(path.stem, path.stem)
    assert result.keys() > {"base"}

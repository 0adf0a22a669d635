"""`--resume` after the data changed: every command that rests on data says what differs, and touches nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from leansort.core.writing import atomic_io
from leansort.recipe.load import load_recipe
from leansort.workflows.data import import_data as importing
from tests.conftest import RECIPE, ROOT, Cli, draw

MODEL = ROOT / "models" / "trashnet-small"
OF_MODEL = ("arch={base: lean_v4, width: 1.2}", "preprocess={size: 160, fit: stretch}")
SEARCH = """\
name: s
recipe: {recipe}
objectives: [macro_f1, macs]
trials: 1
space: {{train.lr: {{choice: [0.001, 0.002]}}}}
"""


class Begun:
    """A recipe, its photos, and a folder whose run was stopped right after its import."""

    def __init__(self, root: Path) -> None:
        self.photos, self.out = root / "photos", root / "out"
        for split, count in (("train", 8), ("val", 4)):
            for kind, name in enumerate(["Metal", "Paper"]):
                for number in range(count):
                    draw(self.photos / split / name / f"{number}.jpg", kind, number + 50 * (split == "val"), (32, 32))
        self.recipe = root / "tiny.yaml"
        self.recipe.write_text(RECIPE.format(path=self.photos).replace("epochs: 3", "epochs: 1"))
        self.search, self.variants = root / "search.yaml", root / "variants.yaml"
        self.search.write_text(SEARCH.format(recipe=self.recipe))
        self.variants.write_text("slow: [train.lr=0.001]\n")

    def begin(self) -> None:
        recipe = load_recipe(self.recipe)
        atomic_io.write_json(self.out / "recipe.json", recipe.to_json())
        importing.import_data(recipe.data, self.out, seed=recipe.seed)

    def command(self, name: str) -> list[str | Path]:
        arguments: dict[str, list[str | Path]] = {
            "run": [self.recipe], "train": [self.recipe], "train --seeds 2": [self.recipe],
            "compress": [self.recipe, MODEL, *OF_MODEL, "compress.steps=[{pass: half, faster: false}]"],
            "tune": [self.search], "ablate": [self.recipe, self.variants],
        }  # fmt: skip
        verb, *more = name.split()
        return [verb, *arguments[name], *more, "--out", self.out, "--resume"]


@pytest.mark.parametrize("name", ["run", "train", "train --seeds 2", "compress", "tune", "ablate"])
def test_changed_data_are_refused_and_named(name: str, tmp_path: Path, cli: Cli) -> None:
    begun = Begun(tmp_path)
    begun.begin()
    draw(begun.photos / "train" / "Paper" / "late.jpg", 1, 77, (32, 32))
    (begun.photos / "val" / "Metal" / "0.jpg").unlink()
    before = {path: path.read_bytes() for path in begun.out.rglob("*") if path.is_file()}
    done = cli(*begun.command(name))
    assert done.returncode == 2, done.stderr
    assert "1 photo added (train/Paper/late.jpg); 1 photo removed (val/Metal/0.jpg)" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_a_training_goes_on_where_the_data_were_only_touched(tmp_path: Path, cli: Cli) -> None:
    begun = Begun(tmp_path)
    begun.begin()
    for path in begun.photos.rglob("*.jpg"):
        path.touch()
    first = cli(*begun.command("train"))
    assert first.returncode == 0, first.stderr
    assert "over 2 classes" in first.stdout
    draw(begun.photos / "train" / "Paper" / "late.jpg", 1, 77, (32, 32))
    again = cli(*begun.command("train"))
    assert (again.returncode, "1 photo added" in again.stderr) == (2, True), again.stderr


def test_a_manifest_made_anew_is_refused(tmp_path: Path, cli: Cli) -> None:
    begun = Begun(tmp_path)
    made = ["data", "import", "folder", begun.photos, "--out"]
    assert cli(*made, tmp_path / "made").returncode == 0
    train = [*begun.command("train"), "--manifest"]
    assert cli(*train, tmp_path / "made").returncode == 0
    draw(begun.photos / "train" / "Paper" / "late.jpg", 1, 77, (32, 32))
    assert cli(*made, tmp_path / "remade").returncode == 0
    done = cli(*train, tmp_path / "remade")
    assert (done.returncode, "1 crop added (train/Paper/late.jpg)" in done.stderr) == (2, True), done.stderr

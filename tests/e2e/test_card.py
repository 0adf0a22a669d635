"""`leansort card` by the command line: what was trained or bundled, made fit to be passed on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from leansort.arch import trained_model
from leansort.core import bundle as bundles
from tests.conftest import Cli


@pytest.mark.parametrize(
    ("what", "files"),
    [("train", {"model.safetensors", "spec.json"}), ("model.leansort", {"model.leansort"})],
)
def test_it_can_be_used_from_its_new_folder(
    what: str, files: set[str], tiny_run: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "passed"
    done = cli("card", tiny_run / what, "--manifest", tiny_run, "--out", out, "--note", "Drawn pictures.", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {file.name for file in out.iterdir()} == files | {"recipe.json", "README.md"}
    assert told["bytes"] == sum(file.stat().st_size for file in out.iterdir())
    text = (out / "README.md").read_text()
    assert f"Macro-F1 {told['macro_f1']:.4f} on " in text
    assert "Drawn pictures." in text
    if what == "train":
        assert trained_model.load(out).spec == trained_model.load(tiny_run / what).spec
    else:
        assert bundles.load(out / what).digest == bundles.load(tiny_run / what).digest


def test_a_bundle_needs_the_recipe_it_was_made_by(tiny_run: Path, tmp_path: Path, cli: Cli) -> None:
    lonely = tmp_path / "model.leansort"
    shutil.copy(tiny_run / "model.leansort", lonely)
    given = ["card", lonely, "--manifest", tiny_run, "--out", tmp_path / "passed"]
    alone = cli(*given)
    tree = json.loads((tiny_run / "train" / "recipe.json").read_text())
    (tmp_path / "recipe.json").write_text(json.dumps({**tree, "seed": tree["seed"] + 1}))
    other = cli(*given)
    for done, message in ((alone, "no recipe.json lies in a folder above"), (other, "was not made by the recipe in")):
        assert done.returncode == 2
        assert message in done.stderr
        assert not (tmp_path / "passed").exists()

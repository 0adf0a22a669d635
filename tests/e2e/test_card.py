"""`leansort card` by the command line: what was trained or bundled, made fit to be passed on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from leansort.arch import trained_model
from leansort.core import bundle as bundles
from leansort.core import manifest as manifests
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.recipe.load import validate_recipe
from leansort.workflows.cards.model_card import CardSettings, write_model_card
from tests.conftest import Cli


@pytest.mark.parametrize(
    ("what", "files"),
    [("train", {"model.safetensors", "spec.json", "card.json"}), ("model.leansort", {"model.leansort"})],
)
def test_it_can_be_used_from_its_new_folder(
    what: str, files: set[str], tiny_run: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "passed"
    given = ["card", tiny_run / what, "--manifest", tiny_run, "--out", out, "--note", "Drawn pictures.", "--json"]
    done = cli(*given, *(["--seconds", "0.05"] if what.endswith(".leansort") else []))
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
        made, before = bundles.load(out / what), bundles.load(tiny_run / what)
        assert made.files == before.files
        assert made.meta.to_json() == before.meta.to_json() | {"name": "passed", "card": made.meta.to_json()["card"]}
        card = made.meta.card
        assert card
        assert card.score
        assert card.latency
        assert (round(card.score.macro_f1, 4), card.score.crops) == (round(told["macro_f1"], 4), 24)
        assert 0 < card.latency.model_ms <= card.latency.label_ms
        shown = cli("models", out / what)
        assert shown.stdout == text


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


FACTS = """\
data: Drawings
data_source: made by this test
data_licence: CC0-1.0
photos: stripes, checks and rings
licence: Apache-2.0
limits: [It has seen no photo.]
weights: [{name: "pack:none", used: teacher, licence: MIT, sha256: abc}]
"""


def test_what_people_state_and_other_seeds_are_in_the_card_and_stay_when_it_is_made_anew(
    tiny_run: Path, tmp_path: Path, cli: Cli
) -> None:
    facts = tmp_path / "facts.yaml"
    facts.write_text(FACTS)
    other = tmp_path / "other"
    other.mkdir()
    tree = json.loads((tiny_run / "recipe.json").read_text())
    (other / "recipe.json").write_text(json.dumps({**tree, "seed": 5, "card": {"data": "Others"}}))
    bundle = bundles.load(tiny_run / "model.leansort")
    digest = validate_recipe({**tree, "seed": 5}, "test").digest
    known = {**bundle.meta.provenance, "recipe": digest, "seed": 5}
    Bundle(bundle.meta.model_copy(update={"provenance": known}), bundle.files).save(other / "model.leansort")
    first, second = tmp_path / "first", tmp_path / "second"
    shared = ("--manifest", tiny_run, "--seconds", "0")
    also = ("--also", other / "model.leansort")
    done = cli("card", tiny_run / "model.leansort", *also, "--facts", facts, "--out", first, *shared)
    assert done.returncode == 0, done.stderr
    again = cli("card", first / "model.leansort", "--out", second, *shared)
    assert again.returncode == 0, again.stderr
    text = (first / "README.md").read_text()
    assert text.replace("# first", "# second", 1).partition("sha256")[0] in (second / "README.md").read_text()
    for part in (
        "Drawings (photos of stripes, checks and rings)", "CC0-1.0", "pack:none, sha256 abc", "with 2 seeds",
        "- It has seen no photo.", "Latency: not recorded.",
    ):  # fmt: skip
        assert part in text, part
        assert part in (second / "README.md").read_text(), part


def test_what_a_card_cannot_be_made_of_is_one_line(tiny_run: Path, tmp_path: Path) -> None:
    facts, bundle, out = tmp_path / "facts.yaml", tiny_run / "model.leansort", tmp_path / "out"
    facts.write_text("dota: Drawings\n")
    manifest = manifests.load(tiny_run)
    for run, settings, message in (
        (bundle, CardSettings(also=[bundle]), "has the same seed"),
        (bundle, CardSettings(also=[tiny_run / "train"]), "need the same kind of file"),
        (bundle, CardSettings(facts=facts), "did you mean 'data'?"),
        (tiny_run / "train", CardSettings(seconds=1.0), "--seconds has no effect on a network"),
    ):
        with pytest.raises(UserError) as caught:
            write_model_card(run, manifest, out, settings)
        assert message in str(caught.value)
        assert not out.exists()

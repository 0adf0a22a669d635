"""Models that are known by name: where they are found, which goes first, and which sorts where none is named."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from leansort.core import bundle as bundles
from leansort.core import plugins
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.files.bundle_card import BundleCard, CardScore
from leansort.runtime import shipped_models
from leansort.runtime.predictor import Classifier
from tests.support.distributions import install

LARGEST = 1_060_000  # bytes of a model in the package


@pytest.fixture(autouse=True)
def fresh() -> None:
    plugins.forget()


def with_score(bundle: Bundle, macro_f1: float) -> Bundle:
    score = CardScore(split="val", crops=10, data="d", macro_f1=macro_f1, low=macro_f1 / 2, high=macro_f1, classes=())
    meta = bundle.meta.model_copy(update={"card": BundleCard(data="Drawings", photos="stripes", score=score)})
    return Bundle(meta, bundle.files)


def test_every_model_of_the_package_is_small_and_opens_and_is_what_its_folder_says() -> None:
    models = {name: item for name, item in shipped_models.list_models().items() if item.origin == "leansort"}
    assert models
    for name, model in models.items():
        assert model.path.stat().st_size <= LARGEST
        assert {path.name for path in model.path.parent.iterdir()} == {"model.leansort", "README.md", "recipe.json"}
        assert bundles.load(model.path).meta.name == name
        assert shipped_models.find_bundle(name) == model.path


def test_a_file_goes_before_a_name_and_a_folder_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = shipped_models.default_model()
    monkeypatch.chdir(tmp_path)
    (tmp_path / model.name).mkdir()
    assert shipped_models.find_bundle(model.name) == model.path
    (tmp_path / model.name).rmdir()
    shutil.copy(model.path, tmp_path / model.name)
    assert shipped_models.find_bundle(model.name) == Path(model.name)


def test_a_name_that_is_none_is_one_line_and_other_files_are_left_to_their_readers(tmp_path: Path) -> None:
    name = shipped_models.default_model().name
    for typo in (f"{name}s", f"{name[:-1]}.leansort"):
        with pytest.raises(UserError, match=rf"^bundle: {typo} is not there; did you mean the model '{name}'\?$"):
            shipped_models.find_bundle(typo)
    with pytest.raises(UserError, match=r"^bundle: .*other\.leansort is not there$"):
        shipped_models.find_bundle(tmp_path / "other.leansort")
    assert shipped_models.find_bundle(tmp_path / "output.csv") == tmp_path / "output.csv"


def test_models_of_plugin_folders_and_distributions_are_found_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = shipped_models.default_model()
    for name in ("mine", own.name):
        folder = tmp_path / "plugins" / "models" / name
        folder.mkdir(parents=True)
        shutil.copy(own.path, folder)
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path / "plugins"))
    package = tmp_path / "site" / "installed_model"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    shutil.copy(own.path, package)
    points = {"theirs": "installed_model", "broken": "no_such_package"}
    install(tmp_path / "site", "models-of-others", {"leansort.models": points}, {})
    monkeypatch.syspath_prepend(tmp_path / "site")
    found = shipped_models.list_models()
    assert found["mine"].path == tmp_path / "plugins" / "models" / "mine" / "model.leansort"
    assert found[own.name].origin == str(tmp_path / "plugins" / "models")
    assert found["theirs"].path == package / "model.leansort"
    assert "models-of-others" in found["theirs"].origin
    assert shipped_models.find_bundle("theirs") == package / "model.leansort"
    assert shipped_models.default_model() == own  # what sorts unasked is our own
    said = capsys.readouterr().err
    assert f"model '{own.name}' of leansort is hidden by that of {tmp_path / 'plugins' / 'models'}" in said
    assert "left out: model 'broken' of the distribution models-of-others" in said
    sys.modules.pop("installed_model", None)


def test_the_best_of_several_sorts_where_none_is_named_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = bundles.load(shipped_models.default_model().path)
    plain = Bundle(bundle.meta.model_copy(update={"card": None}), bundle.files)
    for name, item in {"a": with_score(bundle, 0.9), "b": with_score(bundle, 0.8), "c": plain}.items():
        (tmp_path / name).mkdir()
        item.save(tmp_path / name / "model.leansort")
    monkeypatch.setattr(shipped_models, "FOLDER", tmp_path)
    assert shipped_models.default_model().name == "a"
    for _ in range(2):
        Classifier.load().close()
    [line] = capsys.readouterr().err.splitlines()
    assert "trained on Drawings (photos of stripes); it knows cardboard, glass" in line
    assert line.endswith("more: leansort models a")
    shutil.rmtree(tmp_path / "a")
    assert shipped_models.default_model().name == "b"


def test_an_installation_without_models_says_to_name_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped_models, "FOLDER", tmp_path)
    with pytest.raises(UserError, match=r"^no model lies in this installation .*; name a bundle"):
        Classifier.load()

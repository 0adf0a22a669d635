"""`leansort models`: a list, a card, a copy, and what bundles without a card say."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from docs import models_table

import leansort
from leansort.cli import main
from leansort.core import bundle as bundles
from leansort.core import plugins
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.writing import atomic_io
from leansort.runtime import shipped_models

DEFAULT = shipped_models.default_model()


def done(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["models", *arguments])
    out, error = capsys.readouterr()
    return int(end.value.code or 0), out, error


def test_the_list_has_every_model_with_what_its_card_tells(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = done(capsys)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split()[:2] == ["model", "MB"]
    assert lines[1].startswith(f"{DEFAULT.name} *")
    tree = json.loads(done(capsys, "--json")[1])
    assert {item["name"] for item in tree["models"]} == set(shipped_models.list_models())
    assert leansort.ModelsResult.from_json(tree, "models") == leansort.models()


def test_the_card_of_every_model_names_data_licences_score_limits_and_hash(capsys: pytest.CaptureFixture[str]) -> None:
    for model in shipped_models.list_models().values():
        code, out, _ = done(capsys, model.name)
        assert (code, out) == (0, (model.path.parent / "README.md").read_text())  # which lies beside the bundle
        assert atomic_io.sha256(model.path.read_bytes()) in out
        card = bundles.load(model.path).meta.card
        assert card
        assert card.score
        assert all((card.data, card.data_licence, card.data_source, card.licence, card.photos, card.limits))
        for part in (card.data, card.data_licence, f"{card.score.macro_f1:.4f}", f"{card.score.low:.4f} – "):
            assert part in out
        assert [row.name for row in card.score.classes] == list(bundles.load(model.path).meta.labels)
        assert "gives anything else one of these names, too" in out


def test_a_bundle_without_a_card_says_what_is_not_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = bundles.load(DEFAULT.path)
    Bundle(bundle.meta.model_copy(update={"card": None}), bundle.files).save(tmp_path / "old.leansort")
    assert "card" not in bundles.load(tmp_path / "old.leansort").meta.to_json()
    code, out, _ = done(capsys, str(tmp_path / "old.leansort"))
    assert code == 0
    for part in ("Macro-F1: not recorded.", "Latency: not recorded."):
        assert part in out
    assert re.search(r"\| training data +\| not recorded", out)


def test_a_copy_is_the_same_file_and_overwrites_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = done(capsys, DEFAULT.name, "--out", str(tmp_path / "mine.leansort"))
    assert code == 0
    assert out.startswith(f"{tmp_path / 'mine.leansort'}: {DEFAULT.name}, ")
    assert (tmp_path / "mine.leansort").read_bytes() == DEFAULT.path.read_bytes()
    assert done(capsys, DEFAULT.name, "--out", str(tmp_path))[0] == 0
    assert (tmp_path / f"{DEFAULT.name}.leansort").is_file()
    for given, message in (
        ((DEFAULT.name, "--out", str(tmp_path)), "is there already; name another file with --out"),
        (("--out", str(tmp_path / "o.leansort")), "--out has no effect without the name of a model"),
        ((f"{DEFAULT.name}s",), "did you mean"),
        (("nonsense",), f"models: got 'nonsense', allowed: {', '.join(sorted(shipped_models.list_models()))}"),
    ):
        code, out, error = done(capsys, *given)
        assert (code, out, error.count("\n")) == (2, "", 1)
        assert message in error


def test_a_damaged_model_of_a_plugin_folder_harms_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "models" / "broken"
    folder.mkdir(parents=True)
    (folder / "model.leansort").write_bytes(b"PK\x03\x04 no more")
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path))
    plugins.forget()
    code, out, error = done(capsys)
    assert (code, DEFAULT.name in out, "broken" in out) == (0, True, False)
    assert "warning: left out: model 'broken'" in error
    code, _, error = done(capsys, "broken")
    assert code == 2
    assert "is damaged" in error


def test_the_page_of_models_is_up_to_date() -> None:
    models = models_table.committed_models()
    assert models_table.PAGE.read_text() == models_table.page(models), "run: python -m docs.models_table"
    for name in models_table.READMES:
        text = (models_table.ROOT / name).read_text()
        assert models_table.readme(text, name, models) == text, "run: python -m docs.models_table"
        assert all(model in text for model in shipped_models.list_models())


def test_a_readme_without_its_marks_is_refused() -> None:
    with pytest.raises(UserError, match=r"README\.md: marks of the table of models: 1 expected, 0 there"):
        models_table.readme("# leansort\n", "README.md", models_table.committed_models())


def test_the_page_says_what_each_model_is_best_in(tmp_path: Path) -> None:
    shutil.copytree(DEFAULT.path.parent, tmp_path / "a")
    first = models_table.committed(tmp_path / "a")
    first = replace(first, card=first.card.model_copy(update={"latency": None}))
    second = models_table.CommittedModel(tmp_path / "b", True, first.bytes // 2, 1, 32, first.card.model_copy())
    best = models_table.best_in([first, second])
    assert best == {tmp_path / "a": "most accurate", tmp_path / "b": "smallest"}  # neither was timed

"""`leansort predict photo.jpg`: no bundle named, names in place of bundles, and what a slip of the pen says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import leansort
from leansort.cli import main
from leansort.core import plugins
from leansort.runtime import shipped_models

NAME = shipped_models.default_model().name
ENGINE = ("--engine", "onnxruntime")  # whatever target the recipe beside it names


@pytest.fixture(autouse=True)
def fresh() -> None:
    plugins.forget()


@pytest.fixture
def photo(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    shutil.copy(next((folders / "val").rglob("*.jpg")), tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    return "photo.jpg"


def done(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([*arguments])
    out, error = capsys.readouterr()
    return int(end.value.code or 0), out, error


def test_a_photo_alone_is_sorted_and_one_line_says_by_what(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = done(capsys, "predict", photo, "--format", "json")
    assert code == 0
    assert json.loads(out)["label"] in leansort.Classifier.load(NAME).bundle.meta.labels
    [line] = error.splitlines()
    assert line.startswith(f"model {NAME}: ")
    assert "gives anything else one of these names, too" in line
    for given in ([NAME, photo], [".", photo], [photo, "."]):  # by its name, and with folders of photos
        assert done(capsys, "predict", *given)[0] == 0


def test_a_bundle_of_any_name_is_taken_for_one(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(shipped_models.find_bundle(NAME), "net.bin")
    code, out, error = done(capsys, "predict", "net.bin", photo)
    assert (code, len(out.splitlines()), error) == (0, 1, "")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["trashnett.leansort", "photo.jpg"], "bundle: trashnett.leansort is not there"),
        ([f"{NAME[:-1]}.leansort", "photo.jpg"], f"is not there; did you mean the model '{NAME}'?"),
        ([f"{NAME}s", "photo.jpg"], f"predict: {NAME}s is not there; did you mean the model '{NAME}'?"),
        (["photo.jpgg"], "predict: photo.jpgg is not there; did you mean 'photo.jpg'?"),
        ([NAME, "photo.jpgg"], "predict: photo.jpgg is not there; did you mean 'photo.jpg'?"),
        ([NAME], f"predict: {NAME} is a bundle; name pictures behind it, or - for a list of paths"),
        (["photo.jpg", "my.leansort"], "predict: my.leansort is a bundle, not a picture; name it first"),
        ([NAME, "my.leansort"], "predict: my.leansort is a bundle, not a picture; there is one before it"),
        (["folder", "photo.jpg"], "predict: folder is a model's folder; name its bundle: folder/model.leansort"),
    ],
)
def test_a_slip_of_the_pen_is_one_line_and_nothing_is_sorted(
    photo: str, given: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder").mkdir()
    shutil.copy(shipped_models.find_bundle(NAME), "folder")
    code, out, error = done(capsys, "predict", *given)
    assert (code, out) == (2, "")
    [line] = error.splitlines()
    assert message in line


def test_commands_that_take_a_bundle_take_a_name(photo: str, folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert done(capsys, "submit", NAME, photo, "--out", "o.csv", *ENGINE)[0] == 0
    code, _, error = done(capsys, "bench", NAME, "--images", "none.jpg")
    assert (code, "none.jpg is not there" in error) == (2, True)  # the bundle is
    names = leansort.Classifier.load(NAME).bundle.meta.labels
    for number, name in enumerate(names):
        (Path("truth") / name).mkdir(parents=True)
        shutil.copy(photo, Path("truth") / name / f"{number}.jpg")
    code, out, _ = done(capsys, "score", NAME, "--ground-truth", "truth", "--json", *ENGINE)
    assert code == 0
    assert json.loads(out)["lists"]["all"]["crops"] == len(names)
    shutil.copy(shipped_models.find_bundle(NAME), "copy.leansort")
    code, _, error = done(capsys, "compare", NAME, "copy.leansort", "--ground-truth", "truth", *ENGINE)
    assert code == 2
    assert "are the same bundle" in error
    code, _, error = done(capsys, "submit", f"{NAME}s", photo, "--out", "p.csv")
    assert (code, "did you mean the model" in error) == (2, True)


def test_from_python(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = leansort.predict(photo)
    again = leansort.predict(NAME, [photo])
    assert result.predictions == again.predictions
    with leansort.Classifier.load() as classifier:
        assert classifier.predict(photo) == result.predictions[0]
    [line] = capsys.readouterr().err.splitlines()  # once, though twice nothing was named
    assert line.startswith(f"model {NAME}: ")


def test_a_file_of_predictions_is_named_once_it_is_written(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("broken.jpg").write_bytes(b"no photo")
    code, out, error = done(capsys, "predict", NAME, photo, "--format", "csv", "--out", "labels.csv")
    assert (code, out, error) == (0, "", "predict: wrote labels.csv\n")
    code, _, error = done(capsys, "predict", NAME, photo, "broken.jpg", "--out", "more.txt")
    assert code == 1
    assert error.splitlines()[-1] == "predict: wrote more.txt; photos that could not be read: 1"
    assert len(Path("more.txt").read_text().splitlines()) == 2

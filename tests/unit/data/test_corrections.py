"""Corrections files: what they change is counted and named, and a row that cannot be meant stops the import."""

from __future__ import annotations

from pathlib import Path

import pytest

import leansort
from leansort.cli import main
from leansort.core import manifest as manifests
from leansort.core.run_folder import DataFolder
from leansort.data.importing.corrections import AppliedCorrection, drop_words
from leansort.workflows.data.data_results import ImportRecord
from tests.conftest import CLASSES, draw

METAL, PAPER, PLASTIC = CLASSES


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for split, count in (("train", 3), ("val", 1)):
        for kind, name in enumerate(CLASSES):
            for number in range(count):
                draw(root / split / name / f"{number}.jpg", kind, seed=100 * kind + number + 50 * (split == "val"))
    return root


def written(folder: Path, *rows: str, head: str = "file,label") -> Path:
    path = folder / "corrections.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def labels_of(out: Path) -> dict[str, str]:
    rows = manifests.load(out)
    return {row.image: rows.labels.names[row.label] for row in rows.rows}


def test_labels_are_corrected_dropped_and_confirmed_by_name(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(
        tmp_path,
        "train/Metal/0.jpg,Paper,Metal",
        "train/Metal/1.jpg,drop,Metal",
        r"train\Paper\0.jpg,-,",
        "val/Paper/0.jpg,Paper,Paper",
        "train/Plastic/2.jpg,,Plastic",
        head="file,label,was",
    )
    out = tmp_path / "out"
    result = leansort.import_data("folder", photos, out=out, corrections=path)
    named = labels_of(out)
    assert named["train/Metal/0.jpg"] == PAPER
    assert not {"train/Metal/1.jpg", "train/Paper/0.jpg"} & set(named)
    assert named["train/Plastic/2.jpg"] == PLASTIC
    assert len(named) == 10
    counted = {"Metal -> Paper": 1, "dropped": 2, "confirmed": 1, "undecided rows": 1}
    assert result.notes["corrections"] == counted
    record = DataFolder(out).import_record.read(ImportRecord, "test").corrections
    assert record is not None
    assert record.relabelled == (AppliedCorrection("train/Metal/0.jpg", METAL, PAPER),)
    assert [item.file for item in record.dropped] == ["train/Metal/1.jpg", "train/Paper/0.jpg"]
    assert record.confirmed == ("val/Paper/0.jpg",)
    told = capfd.readouterr().err
    assert "corrections: train/Metal/0.jpg (Metal -> Paper): label corrected" in told
    assert "1 labels corrected, 2 photos dropped, 1 labels confirmed, 1 rows undecided" in told


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (("train/Metal/9.jpg,Paper",), ("row 2: 'train/Metal/9.jpg' is no photo of the data", "did you mean 'train/")),
        (("train/Metal/0.jpg,Papr",), ("row 2", "got 'Papr'", "did you mean 'Paper'")),
        (("train/Metal/0.jpg,paper",), ("'paper'", "differs from the class 'Paper' in case")),
        (
            ("train/Metal/0.jpg,Paper", "train/Metal/0.jpg,drop"),
            ("row 3", "becomes 'drop', and 'Paper' in row 2; keep one",),
        ),
        (("train/Metal/0.jpg,Paper,Plastic",), ("3 fields where the header has 2",)),
        ((",Paper",), ("row 2 has no file",)),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_meant_are_refused_in_one_line(
    rows: tuple[str, ...], parts: tuple[str, ...], photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = written(tmp_path, *rows), tmp_path / "out"
    with pytest.raises(SystemExit) as stopped:
        main(["data", "import", "folder", str(photos), "--corrections", str(path), "--out", str(out)])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert stopped.value.code == 2
    assert len(lines) == 1
    assert all(part in lines[0] for part in (*parts, str(path))), lines
    assert not out.exists()


def test_a_row_of_other_labels_and_a_file_without_labels_are_refused(photos: Path, tmp_path: Path) -> None:
    stale = written(tmp_path, "train/Metal/0.jpg,Paper,Plastic", head="file,label,was")
    with pytest.raises(leansort.UserError, match=r"is 'Metal' in the data, and was 'Plastic' when"):
        leansort.import_data("folder", photos, out=tmp_path / "out", corrections=stale)
    headless = written(tmp_path, "train/Metal/0.jpg,Paper", head="file,labels")
    with pytest.raises(leansort.UserError, match=r"lacks the column 'label'.*did you mean 'labels'"):
        leansort.import_data("folder", photos, out=tmp_path / "out", corrections=headless)
    with pytest.raises(leansort.UserError, match=r"corrections: cannot read .*none\.csv"):
        leansort.import_data("folder", photos, out=tmp_path / "out", corrections=tmp_path / "none.csv")
    assert not (tmp_path / "out").exists()


def test_a_class_that_is_called_drop_is_a_class(tmp_path: Path) -> None:
    for kind, name in enumerate(("drop", PAPER)):
        for number in range(3):
            draw(tmp_path / "photos" / "train" / name / f"{number}.jpg", kind, seed=10 * kind + number)
            draw(tmp_path / "photos" / "val" / name / f"{number}.jpg", kind, seed=50 + 10 * kind + number)
    path = written(tmp_path, "train/Paper/0.jpg,drop", "train/Paper/1.jpg,-", "val/drop/0.jpg,Paper")
    leansort.import_data("folder", tmp_path / "photos", out=tmp_path / "out", corrections=path)
    named = labels_of(tmp_path / "out")
    assert (named["train/Paper/0.jpg"], named["val/drop/0.jpg"]) == ("drop", PAPER)
    assert "train/Paper/1.jpg" not in named
    assert drop_words(("drop", PAPER)) == ["-"]
    assert drop_words(("-", "Drop")) == []
    assert drop_words((METAL, PAPER)) == ["-", "drop"]


def test_a_recipe_names_its_corrections_and_a_resumed_import_sees_that_they_changed(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from leansort.recipe.load import load_recipe
    from leansort.workflows.data.import_data import data_for

    path, out = written(tmp_path, "train/Metal/0.jpg,Paper"), tmp_path / "out"
    recipe = load_recipe("trashnet", [f"data.corrections={path}"], data=photos)
    out.mkdir()
    first = data_for(recipe, out, None, resume=False)
    assert labels_of(out)["train/Metal/0.jpg"] == PAPER
    assert data_for(recipe, out, None, resume=True).digest == first.digest
    written(tmp_path, "train/Metal/0.jpg,Plastic")
    with pytest.raises(leansort.UserError, match="1 corrections file changed"):
        data_for(recipe, out, None, resume=True)
    assert data_for(recipe, tmp_path / "other", out, resume=False).digest == first.digest
    assert "do not count" not in capfd.readouterr().err
    leansort.import_data("folder", photos, out=tmp_path / "plain")
    data_for(recipe, tmp_path / "third", tmp_path / "plain", resume=False)
    assert "was imported without corrections" in capfd.readouterr().err
    with pytest.raises(leansort.UserError, match=r"data\.corrections: got \[1\], need the path"):
        load_recipe("trashnet", ["data.corrections=[1]"])


def test_a_dry_run_with_corrections_is_refused(photos: Path, tmp_path: Path) -> None:
    from leansort.workflows.data.import_data import survey

    path = written(tmp_path, "train/Metal/0.jpg,Paper")
    with pytest.raises(leansort.UserError, match="corrections have no effect"):
        survey({"source": "folder", "path": photos, "corrections": path})

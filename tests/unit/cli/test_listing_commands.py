"""Commands that take a folder: the same files everywhere, and a line about what was passed over."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from leansort.core.errors import UserError
from leansort.core.folders import image_kinds
from leansort.core.preprocess import UnreadableImage, decode
from leansort.data.sources import folder as source
from leansort.measure.accuracy import ground_truth
from leansort.workflows.contest.score import score
from leansort.workflows.data.check import open_dataset
from leansort.workflows.deploy.predict import list_inputs

COMPOSED, DECOMPOSED = unicodedata.normalize("NFC", "é.jpg"), unicodedata.normalize("NFD", "é.jpg")
LEFT = ("glass/._a.jpg", "glass/.ipynb_checkpoints/a-checkpoint.jpg", "@eaDir/paper/a.jpg", "paper/Thumbs.db")


def made(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20)).save(root / name, "GIF" if name.endswith(".gif") else "JPEG")
    return root


def submission(path: Path, labels: dict[str, str]) -> Path:
    path.write_text(json.dumps({"inference": labels, "time": {"runtime": {"all": 1.0}}, "macs": 1}))
    return path


def test_import_predict_score_and_check_take_the_same_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["glass/a.jpg", "glass/b.jfif", "glass/d.gif", "paper/c"]
    root = made(tmp_path / "f", *wanted, *LEFT)
    (root / "paper" / "notes.txt").write_text("notes")
    (root / "paper" / "again").symlink_to(root / "glass")
    paths = [root / name for name in wanted]
    assert list(list_inputs([str(root)])) == paths
    line = capsys.readouterr().err
    assert f"{root}: passed over 6 files: 4 left by a tool" in line
    assert "1 link to what is there already: paper/again" in line
    assert "1 no picture (.txt 1): paper/notes.txt" in line
    assert [item.image for item in source.FolderSource(source.FolderConfig(path=root)).items().items] == paths
    assert [root / row.image for row in open_dataset(root)[0]] == paths
    assert list(ground_truth.read_ground_truth(root).files.values()) == paths


def test_score_counts_no_file_that_a_tool_left(tmp_path: Path) -> None:
    root = made(tmp_path / "f", "glass/a.jpg", "paper/b.jpg", *LEFT)
    scored = score(submission(tmp_path / "s.json", {"a.jpg": "glass", "b.jpg": "glass", "._a.jpg": "glass"}), root)
    assert scored.all.crops == 2
    assert scored.all.accuracy == 0.5
    assert any("ground truth: passed over 4 files: 4 left by a tool" in note for note in scored.notes)


def test_nothing_is_said_of_a_folder_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(list(list_inputs([str(made(tmp_path, "glass/a.jpg", "b.png"))]))) == 2
    assert capsys.readouterr().err == ""


def test_a_folder_without_pictures_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.jxl").write_bytes(b"\xff\x0a")
    with pytest.raises(UserError, match=r"holds no pictures .*1 JPEG XL, which is not read: a\.jxl"):
        list(list_inputs([str(tmp_path)]))


def test_heic_without_its_library_is_counted_with_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_kinds, "is_decodable", lambda kind: kind != "HEIC")
    made(tmp_path, "a.jpg")
    (tmp_path / "IMG_1").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0heicmif1")
    assert len(list(list_inputs([str(tmp_path)]))) == 1
    assert "1 HEIC, which needs: pip install 'leansort[heif]': IMG_1" in capsys.readouterr().err
    with pytest.raises(UnreadableImage, match=r"is HEIC, which needs: pip install 'leansort\[heif\]'"):
        decode((tmp_path / "IMG_1").read_bytes())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\n<!DOCTYPE html><html>", r"is no picture but an HTML page \(a failed download\?\)"),
        (b"<HTML><body>404", r"is no picture but an HTML page \(a failed download\?\)"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied', r"is no picture but XML or HTML text \(a failed download"),
        (b"version https://git-lfs.github.com/spec/v1", "is no picture but a Git LFS pointer; run: git lfs pull"),
        (b"\xff\x0a" + bytes(20), "is JPEG XL, which is not read"),
    ],
)
def test_what_only_looks_like_a_picture_by_its_ending_is_named(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableImage, match=why):
        decode(data)


def test_class_folders_that_give_splits_are_scored_by_the_one_that_is_asked_for(tmp_path: Path) -> None:
    root = made(tmp_path, *(f"{split}/{name}/{split}.jpg" for split in ("train", "test") for name in ("a", "b")))
    assert [path.parent.parent.name for path in ground_truth.read_ground_truth(root, "test").files.values()] == [
        "test",
        "test",
    ]
    with pytest.raises(UserError, match="no pictures of the split 'val'; it has test, train"):
        ground_truth.read_ground_truth(root, "val")


@pytest.mark.parametrize(("stored", "named"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_score_finds_pictures_in_either_unicode_form(tmp_path: Path, stored: str, named: str) -> None:
    root = made(tmp_path / "f", f"glass/{stored}", "paper/b.jpg")
    answers = submission(tmp_path / "s.json", {named: "glass", "b.jpg": "paper"})
    assert score(answers, root).all.accuracy == 1.0
    (tmp_path / "list.txt").write_text(f"{named}\n")
    assert score(answers, root, public=tmp_path / "list.txt").lists["public"].crops == 1
    (root / "list.csv").write_text(f"image,label\nglass/{named},glass\npaper/b.jpg,paper\n")
    assert score(answers, root / "list.csv").all.accuracy == 1.0
    assert all(path.is_file() for path in ground_truth.read_ground_truth(root / "list.csv").files.values())


def test_an_answer_to_one_of_two_forms_is_no_answer_to_the_other(tmp_path: Path) -> None:
    root = made(tmp_path / "f", f"glass/{COMPOSED}", f"paper/{DECOMPOSED}")
    with pytest.raises(UserError, match="1 of 2 pictures have no answer"):
        score(submission(tmp_path / "s.json", {COMPOSED: "glass"}), root)

"""What a folder holds: pictures in a fixed order, and every other file by the reason why it is passed over."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from leansort.core.errors import UserError
from leansort.core.folders import folder_walk, image_files
from leansort.core.folders.class_folders import find_class_folders
from leansort.core.folders.image_files import KnownNames, NamedFiles

COMPOSED, DECOMPOSED = unicodedata.normalize("NFC", "é.jpg"), unicodedata.normalize("NFD", "é.jpg")
JPEG, GIF = b"\xff\xd8\xff\xe0" + bytes(40), b"GIF89a" + bytes(40)


def made(root: Path, *names: str, data: bytes = JPEG) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def taken(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in image_files.list_image_files(root).files]


def passed(root: Path) -> dict[str, str]:
    return {item.name: item.kind for item in image_files.list_image_files(root).passed_over}


def test_pictures_come_in_the_order_of_the_parts_of_their_paths(tmp_path: Path) -> None:
    made(tmp_path, "b.jpg", "a/z.png", "a.jpg", "a/b/c.JPG", "a-b/x.webp")
    assert taken(tmp_path) == ["a/b/c.JPG", "a/z.png", "a-b/x.webp", "a.jpg", "b.jpg"]
    assert taken(tmp_path) == [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*.*"))]


@pytest.mark.parametrize("name", [".git", ".ipynb_checkpoints", "@eaDir", "__MACOSX", "$RECYCLE.BIN", ".cache"])
@pytest.mark.parametrize("above", ["", "glass/", "train/glass/deep/"])
def test_folders_that_tools_leave_are_counted_file_by_file(tmp_path: Path, name: str, above: str) -> None:
    made(tmp_path, "glass/a.jpg", f"{above}{name}/a-checkpoint.jpg", f"{above}{name}/deep/b.jpg")
    assert taken(tmp_path) == ["glass/a.jpg"]
    assert set(passed(tmp_path)) == {f"{above}{name}/a-checkpoint.jpg", f"{above}{name}/deep/b.jpg"}


def test_files_that_tools_leave(tmp_path: Path) -> None:
    names = [
        "._a.jpg",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        ".hidden.png",
        "a.jpg~",
        "b.jpg_original",
        "c.jpg.part",
    ]
    made(tmp_path, "a.jpg", *names)
    assert taken(tmp_path) == ["a.jpg"]
    kinds = dict.fromkeys(names, folder_walk.TOOL) | {".hidden.png": folder_walk.HIDDEN}
    assert passed(tmp_path) == kinds


def test_the_folder_that_is_named_may_be_hidden_itself(tmp_path: Path) -> None:
    made(tmp_path, ".cache/photos/a.jpg", ".cache/photos/.b.jpg")
    assert taken(tmp_path / ".cache" / "photos") == ["a.jpg"]
    assert passed(tmp_path / ".cache" / "photos") == {".b.jpg": folder_walk.HIDDEN}


def test_links_are_followed_once(tmp_path: Path) -> None:
    made(tmp_path, "store/a.jpg", "store/deep/b.jpg", "root/own.jpg")
    root = tmp_path / "root"
    (root / "linked").symlink_to(tmp_path / "store")
    (root / "again").symlink_to(tmp_path / "store" / "deep")
    (root / "also.jpg").symlink_to(root / "own.jpg")
    (root / "aside.jpg").symlink_to(tmp_path / "store" / "a.jpg")
    assert taken(root) == ["again/b.jpg", "linked/a.jpg", "own.jpg"]
    assert passed(root) == dict.fromkeys(["also.jpg", "aside.jpg", "linked/deep"], folder_walk.AGAIN)


def test_links_that_lead_back_or_nowhere_are_named(tmp_path: Path) -> None:
    made(tmp_path, "root/glass/a.jpg", "beside/x.jpg")
    root = tmp_path / "root"
    (root / "glass" / "up").symlink_to(root)
    (root / "glass" / "self").symlink_to(root / "glass")
    (root / "above").symlink_to(tmp_path)
    (root / "gone.jpg").symlink_to(tmp_path / "gone.jpg")
    (root / "ring.jpg").symlink_to(root / "ring.jpg")
    assert taken(root) == ["glass/a.jpg"]
    back = dict.fromkeys(["glass/up", "glass/self", "above"], folder_walk.CYCLE)
    assert passed(root) == back | dict.fromkeys(["gone.jpg", "ring.jpg"], folder_walk.NOWHERE)


def test_two_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    made(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a")
    assert taken(tmp_path / "a") == ["1.jpg", "to_b/2.jpg"]
    assert passed(tmp_path / "a") == {"to_b/to_a": folder_walk.AGAIN}


def test_files_are_told_by_content_where_their_ending_is_unusual(tmp_path: Path) -> None:
    made(tmp_path, "no_ending", "a.dat", "b.JFIF", "c.jpe")
    made(tmp_path, "moving", data=GIF)
    made(tmp_path, "BMX.txt", data=b"BMX bikes are no bitmaps" + bytes(40))
    made(tmp_path, "labels.csv", "empty", data=b"")
    made(tmp_path, "photo.jxl", data=b"\xff\x0a" + bytes(40))
    made(tmp_path, "photo.nef", data=b"II*\0" + bytes(40))
    assert taken(tmp_path) == ["a.dat", "b.JFIF", "c.jpe", "moving", "no_ending"]
    assert passed(tmp_path) == {
        "BMX.txt": image_files.NO_PICTURE, "labels.csv": image_files.NO_PICTURE, "empty": image_files.NO_PICTURE,
        "photo.jxl": "JPEG XL, which is not read", "photo.nef": "camera raw, which is not read",
    }  # fmt: skip


def test_a_pipe_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    made(tmp_path, "a.jpg")
    assert passed(tmp_path) == {"pipe.jpg": folder_walk.DEVICE}


def test_the_summary_counts_by_kind_and_ending(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg", ".b.jpg")
    assert image_files.list_image_files(tmp_path).summary() == "passed over 1 file: 1 hidden: .b.jpg"
    made(tmp_path, "1.txt", "2.txt", "3.txt", "4.csv", "odd\nname", data=b"x")
    assert image_files.list_image_files(tmp_path).summary() == (
        "passed over 6 files: 1 hidden: .b.jpg; 5 no picture (.txt 3, .csv 1, no ending 1): 1.txt, 2.txt, 3.txt, …"
    )
    assert image_files.list_image_files(tmp_path).counts == {folder_walk.HIDDEN: 1, image_files.NO_PICTURE: 5}


def test_nothing_passed_over_is_nothing_said(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg")
    assert image_files.list_image_files(tmp_path).summary() == ""


def test_what_is_no_folder_is_one_clear_line(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg")
    for name in ("nowhere", "a.jpg"):
        with pytest.raises(UserError, match=name):
            image_files.list_image_files(tmp_path / name)


@pytest.mark.parametrize("top", ["d", ".d"])
def test_a_tree_deeper_than_python_recurses(tmp_path: Path, top: str) -> None:
    deep = tmp_path / top
    deep.mkdir()
    for _ in range(1100):
        deep = deep / "d"
        deep.mkdir()
    (deep / "a.jpg").write_bytes(JPEG)
    listed = image_files.list_image_files(tmp_path)
    (deep / "a.jpg").unlink()
    os.removedirs(deep)  # which clearing the temporary folder could not
    assert len(listed.files if top == "d" else listed.passed_over) == 1


def test_names_are_found_in_either_unicode_form(tmp_path: Path) -> None:
    for stored, named in ((COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)):
        root = tmp_path / str(len(stored))
        made(root, f"d{stored}x/{stored}", "plain.jpg")
        assert NamedFiles(root).path(f"d{named}x/{named}") == root / f"d{stored}x" / stored
        assert NamedFiles(root).path(f"d{stored}x/{stored}") == root / f"d{stored}x" / stored
        assert NamedFiles(root).path("plain.jpg") == root / "plain.jpg"
        assert NamedFiles(root).path("ü.jpg") == root / "ü.jpg"


def test_an_equal_name_goes_first_and_two_others_are_refused() -> None:
    both = KnownNames([COMPOSED, DECOMPOSED])
    assert both.match(COMPOSED) == COMPOSED
    assert both.match(DECOMPOSED) == DECOMPOSED
    forms = ("\u1ec7", "e\u0323\u0302", "\u1eb9\u0302")  # of one letter
    assert len({unicodedata.normalize("NFC", form) for form in forms}) == 1
    with pytest.raises(UserError, match="means 2 files"):
        KnownNames(forms[1:]).match(forms[0])
    assert KnownNames(["a.jpg"]).match("b.jpg") is None


def test_listing_loads_neither_torch_nor_opencv() -> None:
    code = (
        "import sys, leansort.core.folders.image_files as _; "
        "print([m for m in ('torch', 'cv2', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_folder_that_may_not_be_read_is_counted_and_never_taken_for_an_empty_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, "glass/a.jpg", "paper/deep/b.jpg", "paper/c.jpg")
    whole = os.scandir

    def closed_to_us(path: str) -> object:
        if path.endswith(closed):
            raise PermissionError(13, "Permission denied", path)
        return whole(path)

    monkeypatch.setattr(os, "scandir", closed_to_us)
    closed = "paper/deep"
    assert passed(tmp_path) == {"paper/deep": folder_walk.UNREADABLE}
    assert len(find_class_folders(tmp_path).images) == 2
    closed = "paper"
    with pytest.raises(UserError, match="paper may not be read"):
        find_class_folders(tmp_path)
    closed = tmp_path.name
    with pytest.raises(UserError, match="Permission denied"):
        image_files.list_image_files(tmp_path)

"""Random trees of folders: what is taken and what is passed over add up to all files, or one clear line refuses them.

More cases than the fast ones: `LEANSORT_FUZZ=20000 pytest -s -m slow tests/unit/data/test_folder_fuzz.py`.
"""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leansort.core.errors import UserError
from leansort.core.folders.class_folders import find_class_folders
from leansort.core.folders.image_files import ImageFiles, list_image_files
from leansort.data.importing.class_selection import RESPELLED
from leansort.data.sources import folder as source
from leansort.measure.accuracy import ground_truth

CASES = int(os.environ.get("LEANSORT_FUZZ", "2000"))
WORDS = (
    "glass", "paper", "train", "train", "test", "val", "valid", "Training", "original", "resized", "x", ".git",
    ".ipynb_checkpoints", "@eaDir", "__MACOSX", "$RECYCLE.BIN", unicodedata.normalize("NFC", "é"),
    unicodedata.normalize("NFD", "é"), "new\nline", "glass ", "Glass", "-rf", os.fsdecode(b"\xff"), "a" * 90,
)  # fmt: skip
FILES = (
    "a.jpg", "b.JPG", "c.png", "._a.jpg", ".DS_Store", "Thumbs.db", "d.txt", "e", "f.gif", "g.jfif", "h.html", "i.jpg~",
    os.fsdecode(b"\xfe.jpg"), unicodedata.normalize("NFD", "é.jpg"), "j.heic",
)  # fmt: skip
CONTENTS = (
    b"\xff\xd8\xff\xe0",
    b"GIF89a",
    b"<!DOCTYPE html>",
    b"",
    b"text",
    b"\0\0\0\x18ftypheic",
    None,
)  # None: a pipe
Paths = st.lists(st.sampled_from(WORDS), max_size=4).map("/".join)
Files = st.tuples(Paths, st.sampled_from(FILES), st.sampled_from(CONTENTS))
Layouts = st.lists(
    st.sampled_from([
        "{}", "train/{}", "test/{}", "val/{}", "valid/{}", "original/{}", "resized/{}", "x/{}", "x/y/{}", ".git/{}",
        "train/train/{}", "{}/train", "{}/test", "train/{}/test",
    ]),
    max_size=3, unique=True,
)  # fmt: skip
Blocks = Layouts.map(  # of class folders, as data sets have them, that the other files fall among
    lambda layouts: [(layout.format(name), "a.jpg", CONTENTS[0]) for layout in layouts for name in ("glass", "paper")]
)
Trees = st.tuples(Blocks, st.lists(Files, max_size=10)).map(lambda two: two[0] + two[1])
Targets = st.one_of(
    Paths, st.sampled_from(["..", ".", "../outside", "../outside/glass", "nowhere", "/", "/dev/null"]),
    st.sampled_from(["glass/a.jpg", "train/glass/a.jpg", "../outside/glass/o.jpg", "train", "glass"]),
    st.tuples(Paths, st.sampled_from(FILES)).map("/".join),
)  # fmt: skip
Links = st.tuples(Paths, st.sampled_from([*WORDS, *FILES]), Targets, st.booleans())
outcomes: Counter[str] = Counter()


@contextmanager
def grown(files: list[tuple[str, str, bytes | None]], links: list[tuple[str, str, str, bool]]) -> Iterator[Path]:
    """A tree of these files and links, with another folder beside it that links may lead to."""
    with tempfile.TemporaryDirectory(prefix="leansort-fuzz-") as name:
        top = Path(name)
        root = top / "root"
        root.mkdir()
        for place in ("outside/glass/o.jpg", "outside/paper/p.jpg", "outside/.hidden/q.jpg"):
            (top / place).parent.mkdir(parents=True, exist_ok=True)
            (top / place).write_bytes(b"\xff\xd8\xff\xe0")
        (top / "outside" / "back").symlink_to(root)
        for place, file, data in files:
            made(root / place / file, data)
        for place, file, target, absolute in links:
            linked(root / place / file, root / target if absolute else Path(target))
        yield root


def made(path: Path, data: bytes | None) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() or path.exists():
            return
        os.mkfifo(path) if data is None else path.write_bytes(data)
    except (FileExistsError, NotADirectoryError):
        return  # a file of this name is there


def linked(path: Path, target: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to("../root" if str(target) == "/" else target)  # the whole machine would be followed
    except (FileExistsError, NotADirectoryError, OSError):
        return


def names_of(root: Path, listed: ImageFiles) -> Counter[str]:
    taken = [path.relative_to(root).as_posix() for path in listed.files]
    return Counter([spelled(name) for name in taken] + [item.name for item in listed.passed_over])


def spelled(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def require_all_counted(root: Path, listed: ImageFiles) -> None:
    """Every entry of every folder that was looked into is taken, passed over, or a folder of which the same is true."""
    counted = names_of(root, listed)
    assert max(counted.values(), default=1) == 1
    looked = {folder.as_posix() for folder in listed.folders}
    for place in ("", *looked):
        for entry in os.scandir(root / place):
            name = f"{place}/{entry.name}" if place else entry.name
            if entry.is_dir(follow_symlinks=False) and name not in looked and spelled(name) not in counted:
                below = [f for f in Path(entry.path).rglob("*") if f.is_symlink() or not f.is_dir()]
                for file in below:
                    assert counted[spelled(file.relative_to(root).as_posix())] == 1, file
            elif name not in looked:
                assert counted[spelled(name)] == 1, name
    assert len({path.resolve() for path in listed.files}) == len(listed.files)


def check(files: list[tuple[str, str, bytes | None]], links: list[tuple[str, str, str, bool]]) -> None:
    with grown(files, links) as root:
        listed = list_image_files(root)
        require_all_counted(root, listed)
        everything = len(listed.files) + len(listed.passed_over)
        assert sum(listed.counts.values()) == len(listed.passed_over)
        assert "\n" not in listed.summary()
        try:
            sorted_out = find_class_folders(root)
            assert len(sorted_out.images) + len(sorted_out.passed_over) == everything
            result = source.FolderSource(source.FolderConfig(path=root)).items()
        except UserError as error:
            require_one_line(error)
            outcomes["refused: " + next((part for part in REASONS if part in str(error)), "other")] += 1
            return
        left = sum(count for kind, count in result.faults.counts.items() if kind not in (source.EMPTY, RESPELLED))
        assert len(result.items) + left == everything
        require_no_leak(root, [(item.image, item.split) for item in result.items])
        outcomes["imported, with given splits" if any(item.split for item in result.items) else "imported"] += 1
        try:
            answers = ground_truth.read_ground_truth(root, "test")
        except UserError as error:
            require_one_line(error)
            return
        assert set(answers.files.values()) <= set(listed.files)


REASONS = (
    "holds no pictures", "need at least two", "at most 100", "Unicode form only", "holds the split folder",
    "may mean the split",
    "give all of them one", "which all mean", "beside the split folder", "folders called as those",
    "copies of one data", "is not UTF-8",
)  # fmt: skip


def require_one_line(error: UserError) -> None:
    assert str(error).startswith(("data folder: ", "data: ", "class folder", "truth: ")), error


def require_no_leak(root: Path, pictures: list[tuple[Path, str | None]]) -> None:
    """What lies in a folder called test is never in train."""
    for path, split in pictures:
        words = {part.strip().lower() for part in path.relative_to(root).parts[:-1]}
        assert split != "train" or not words & {"test", "val", "valid"}, path
        assert split is not None or not words & {"test", "val", "valid", "train", "training"}, path


trees = {"files": Trees, "links": st.lists(Links, max_size=5)}
quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=80, deadline=None, suppress_health_check=quiet)
@given(**trees)
def test_random_trees(files: list[tuple[str, str, bytes | None]], links: list[tuple[str, str, str, bool]]) -> None:
    check(files, links)


@pytest.mark.slow
def test_many_random_trees() -> None:
    outcomes.clear()
    settings(max_examples=CASES, deadline=None, suppress_health_check=quiet)(given(**trees)(check))()
    assert sum(outcomes.values()) >= CASES
    assert outcomes["imported"]
    assert outcomes["imported, with given splits"]
    print(*(f"{count:6,} {name}" for name, count in outcomes.most_common()), sep="\n")

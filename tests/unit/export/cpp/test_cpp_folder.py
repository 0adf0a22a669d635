"""The folder of C++: what lies in it, that it is written whole or not at all, and which bundles are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from leansort.core import pixels
from leansort.core.bundle import Bundle
from leansort.core.errors import MissingExtraError, UserError
from leansort.core.writing import atomic_io
from leansort.export.cpp.cpp_folder import PROJECT, write_cpp_folder
from tests.support.graphs import colour_bundle

pytest.importorskip("openvino")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("graph_format", ["onnx", "openvino"])
def test_the_folder_holds_graph_settings_runtime_and_golden_photos(graph_format: str, tmp_path: Path) -> None:
    bundle = colour_bundle(graph_format, name="a $name of 50 %")
    written = write_cpp_folder(bundle, tmp_path / "new" / "sorter", "x")
    files = contents(tmp_path / "new" / "sorter")
    assert {name: len(data) for name, data in files.items()} == written.files
    assert {
        name.removeprefix("model/"): files[name] for name in files if name.startswith("model/graph")
    } == bundle.files
    sources = [path for path in PROJECT.rglob("*") if path.suffix in (".hpp", ".cpp", ".txt")]
    assert len(sources) >= 10
    for path in sources:
        assert files[path.relative_to(PROJECT).as_posix()] == path.read_bytes()
    assert files["README.md"].startswith(b"# a $name of 50 % in C++\n")
    assert "$(python3 -c" in files["README.md"].decode()
    assert len([name for name in files if name.endswith(".jpg")]) == written.photos >= 8
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "sorter"]


def test_equal_bundles_give_equal_folders(tmp_path: Path) -> None:
    for name in "ab":
        write_cpp_folder(colour_bundle(), tmp_path / name, "x")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="is there already and not empty"):
        write_cpp_folder(colour_bundle(), tmp_path, "x")
    assert contents(tmp_path) == {"notes.txt": b"mine"}
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="export: out: cannot"):
        write_cpp_folder(colour_bundle(), tmp_path / "file" / "sorter", "x")


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "sorter").mkdir()
    write_cpp_folder(colour_bundle(), tmp_path / "sorter", "x")
    assert (tmp_path / "sorter" / "CMakeLists.txt").is_file()


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_io, "write_bytes", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_cpp_folder(colour_bundle(), tmp_path / "sorter", "x")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_without_a_graph_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"export: a\.leansort: format torch cannot be run from C\+\+, allowed: onnx"):
        write_cpp_folder(colour_bundle("torch"), tmp_path / "sorter", "export: a.leansort")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["fit", "novelty"])
def test_a_later_leansorts_words_are_refused_by_name(what: str, tmp_path: Path) -> None:
    bundle = colour_bundle(novelty={"method": "energy", "zero": 0.0, "span": 1.0})
    meta = bundle.meta
    if what == "fit":
        meta = meta.model_copy(update={"preprocess": meta.preprocess.model_copy(update={"fit": "mosaic"})})
    else:
        assert meta.novelty
        meta = meta.model_copy(update={"novelty": meta.novelty.model_copy(update={"method": "oracle"})})
    with pytest.raises(UserError, match=f"x: {what} '(mosaic|oracle)' is not in the C\\+\\+ runtime"):
        write_cpp_folder(Bundle(meta, bundle.files), tmp_path / "sorter", "x")


def test_the_golden_pixels_need_opencv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "default_backend", lambda: "pillow")
    with pytest.raises(MissingExtraError, match=r"leansort\[opencv\]"):
        write_cpp_folder(colour_bundle(), tmp_path / "sorter", "x")
    assert list(tmp_path.iterdir()) == []

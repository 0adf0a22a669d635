"""Lists of names: by line, by NUL, in any UTF, from files and from streams."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from leansort.core.errors import UserError
from leansort.core.text.name_lists import file_name, names_of, read_names, write_names


def test_names_are_known_by_what_was_meant(tmp_path: Path) -> None:
    path, known = tmp_path / "list.txt", {"a.jpg", "b/c.jpg", " d .jpg ", "e\\f.jpg"}
    path.write_bytes("\ufeffa.jpg \r\n\r\nb\\c.jpg\r\n d .jpg \r\ne\\f.jpg".encode("utf-16-le"))
    assert read_names(path, "list", known, "the manifest") == ["a.jpg", "b/c.jpg", " d .jpg ", "e\\f.jpg"]
    path.write_text("a.jpg\n\nb/d.jpg\nx\n")
    with pytest.raises(UserError, match=r"row 3: 'b/d.jpg' is not in the manifest; did you mean 'b/c.jpg'.*2 of 3"):
        read_names(path, "list", known, "the manifest")


def test_a_name_is_what_is_there_or_what_was_meant() -> None:
    assert file_name("x\\y.jpg", lambda name: name == "x\\y.jpg") == "x\\y.jpg"
    assert file_name("x\\y.jpg ", lambda name: name == "x/y.jpg") == "x/y.jpg"
    assert file_name(" gone.jpg", lambda name: False) == "gone.jpg"


@pytest.mark.parametrize(
    "names",
    [
        ["a.jpg", "b/c.jpg"],
        ["a\nb.jpg", "c.jpg"],
        [" a.jpg", "b\r.jpg", "c,d.jpg"],
        ["x\u2028y"],
        ["a\nb\nc.jpg", "d\ne\nf.jpg"],
    ],
)
def test_what_is_written_is_read_again(names: list[str], tmp_path: Path) -> None:
    write_names(tmp_path / "list.txt", names)
    assert read_names(tmp_path / "list.txt", "list", names, "the test") == names
    with (tmp_path / "list.txt").open("rb") as stream:
        assert list(names_of(stream, "list")) == names


def test_names_in_another_unicode_form_are_found(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("mu\u0308ll.jpg\n")
    assert read_names(tmp_path / "list.txt", "list", ["m\u00fcll.jpg"], "the test") == ["m\u00fcll.jpg"]


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"\xef\xbb\xbfa.jpg\r\n\r\n b.jpg \n", ["a.jpg", "b.jpg"]),
        (b"a.jpg\nb.jpg", ["a.jpg", "b.jpg"]),
        (b"./a\nb.jpg\0./ c.jpg\0", ["./a\nb.jpg", "./ c.jpg"]),
        (b"1\n2\n", ["1", "2"]),
        (b"a.jpg\nb\0c.jpg\nd.jpg\n", ["a.jpg", "b\0c.jpg", "d.jpg"]),
        (b"\xff\xe9.jpg\n", ["\udcff\udce9.jpg"]),
        (b"", []),
    ],
)
def test_names_come_by_line_or_by_nul(data: bytes, names: list[str]) -> None:
    assert list(names_of(io.BytesIO(data), "list")) == names


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_lists_on_a_stream_are_refused_by_name(encoding: str) -> None:
    with pytest.raises(UserError, match=r"list: the list is UTF-16.*iconv"):
        list(names_of(io.BytesIO("photos/a.jpg\nb.jpg\n".encode(encoding)), "list"))


def test_names_come_as_they_are_sent() -> None:
    """Nobody waits for the end of the list, or for more bytes than a short name has."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as sender:
        names = names_of(stream, "list")
        for name in ("1", "b.jpg", "c"):
            timer = threading.Timer(0.01, sender.write, [f"{name}\n".encode()])
            timer.start()
            assert next(names) == name

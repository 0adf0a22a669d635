"""Text that people bring: marks, encodings, line ends, keys given twice."""

from __future__ import annotations

import codecs
import json
import os
from pathlib import Path

import pytest

from leansort.core.errors import UserError
from leansort.core.text import yaml_config
from leansort.core.text.encodings import to_utf8
from leansort.core.text.text_files import parse_json, read_json, read_json_lines, read_text, split_lines

TEXT = '{"name": "Müll – 플라스틱",\r\n "n": 1}\n'
FORMS = {
    "utf-8": TEXT.encode(),
    "utf-8 with mark": codecs.BOM_UTF8 + TEXT.encode(),
    "utf-16-le with mark": TEXT.encode("utf-16"),
    "utf-16-be with mark": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "utf-16-le": TEXT.encode("utf-16-le"),
    "utf-16-be": TEXT.encode("utf-16-be"),
    "utf-32 with mark": TEXT.encode("utf-32"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_utf_is_read_alike(form: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(FORMS[form])
    assert read_text(path, "test") == TEXT
    assert read_json(path, "test") == {"name": "Müll – 플라스틱", "n": 1}
    assert yaml_config.read_yaml(path, "test", "name") == {"name": "Müll – 플라스틱", "n": 1}
    assert to_utf8(FORMS[form], "test") == TEXT.encode()


def test_plain_utf8_is_passed_on_without_a_copy() -> None:
    data = FORMS["utf-8"]
    assert to_utf8(data, "test") is data


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        ("a.jpg,Papier mâché\nb.jpg,Müll", "latin-1", r"byte 0xE2 in line 1; it seems to be Windows-1252 \(Latin-1\)"),
        ("a.jpg,Metal\nb.jpg,Müll – naß", "cp1252", "byte 0xFC in line 2.*Windows-1252"),
        ("a.jpg,플라스틱\nb.jpg,종이", "cp949", "Korean"),
        ("a.jpg,塑料\nb.jpg,纸张", "gb18030", "Chinese"),
        ("a.jpg,プラスチック\nb.jpg,紙", "shift_jis", "Japanese"),
        ("a.jpg,пластик\nb.jpg,бумага", "cp1251", "Cyrillic"),
    ],
)  # fmt: skip
def test_old_encodings_are_refused_by_name(text: str, encoding: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(UserError, match=f"x.csv is not UTF-8 text.*{name}"):
        read_text(path, "test")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK\x03\x04\x14\0\x06\0\x08\0\xe4", "zip archive.*save the sheet as CSV"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "is not UTF-8 text"),
        (b"a.jpg\nb\0.jpg\nc.jpg\n" * 3, "NUL byte in line 2"),
        (b"\xff\xfea", "its mark says UTF-16"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(UserError, match=reason):
        read_text(path, "test")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1,\n "b": 2,\n "a": 3}', "x gives a key twice: 'a' in line 1 and in line 3"),
        ('{"o": [{"k": 1}, {"k": 1,\n"k": 1}]}', "'k' in line 1 and in line 2"),
        ('{"a": {"a": 1}, "b": {"a": "a"}}', ""),
        ('{"\\u0061": 1, "a": 2}', "'a' in line 1 and in line 1"),
        ('{"a": "\\"a\\": 1", "b": ":"}', ""),
        ('{"a": 1,}', "x is not JSON .line 1"),
        ("[" * 100_000, "x is not JSON"),
        ("1" * 5000, "x is not JSON that can be read"),
    ],
)
def test_json_keys_are_there_once(text: str, reason: str) -> None:
    if not reason:
        assert parse_json(text, "x") == json.loads(text)
        return
    with pytest.raises(UserError, match=reason):
        parse_json(text, "x")


def test_json_lines_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\r\n\r\n{"a": 1, "a": 2}\n')
    with pytest.raises(UserError, match="line 3 gives a key twice"):
        read_json_lines(path, "log")
    path.write_text('{"a": 1}\r\n\r\n{"a": 2}')
    assert read_json_lines(path, "log") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("train: {epochs: 2}\nname: x\ntrain: {epochs: 100}\n", "'train' in line 1 and in line 3"),
        ("train:\n  lr: 1\n  epochs: 2\n  lr: 2\n", "'lr' in line 2 and in line 4"),
        ("- {a: 1, a: 2}", "'a' in line 1 and in line 1"),
        ("1: x\n0x1: y\n", "1 in line 1 and in line 2"),
        ('on: 1\n"on": 2\n', ""),
        ("base: &b {lr: 1, wd: 2}\none: {<<: *b, lr: 3}\ntwo: {<<: *b}\n", ""),
        ("a: &a {x: &x {lr: 1}}\nb: {<<: *x, lr: 2}\nc: {<<: *x}\n", ""),
        ("a: &a [*a]", "its aliases stand for more"),
        ("".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}' if n else 'x'] * 9)}]\n" for n in range(9)), "aliases"),
    ],
)
def test_yaml_keys_are_there_once(text: str, reason: str) -> None:
    if not reason:
        assert yaml_config.parse_yaml(text, "x")
        return
    with pytest.raises(UserError, match=f"^x .*{reason}"):
        yaml_config.parse_yaml(text, "x")


def test_merged_yaml_keys_are_no_doubles() -> None:
    tree = yaml_config.parse_yaml("base: &b {lr: 1, wd: 2}\none: {<<: *b, lr: 3}\n", "x")
    assert tree["one"] == {"lr": 3, "wd": 2}


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="not a regular file"):
        read_text(tmp_path / "pipe", "test")


def test_lines_end_in_three_ways() -> None:
    assert split_lines("a\r\nb\nc\rd\u2028e\x0b\n\n") == ["a", "b", "c", "d\u2028e\x0b", ""]

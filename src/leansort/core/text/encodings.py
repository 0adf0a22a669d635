"""Bytes of a text file as text: byte order marks, UTF-16, and a name for what is neither UTF-8 nor UTF-16."""

from __future__ import annotations

import codecs
import re
import unicodedata

from leansort.core.errors import UserError

# The longer marks come first: UTF-32's little-endian one begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE = 4096
# Encodings that old programs write, each told by the script of what it gives; the stricter ones are tried first.
_OLD = (
    ("shift_jis", "HIRAGANA"),
    ("shift_jis", "KATAKANA"),
    ("cp949", "HANGUL"),
    ("gb18030", "CJK"),
    ("cp1251", "CYRILLIC"),
    ("cp1253", "GREEK"),
    ("cp1252", "LATIN"),
)
_NAMES = {
    "cp1252": "Windows-1252 (Latin-1)",
    "cp949": "CP949 (Korean)",
    "gb18030": "GB18030 (Chinese)",
    "shift_jis": "Shift_JIS (Japanese)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1253": "Windows-1253 (Greek)",
}


def decode_text(data: bytes, where: str) -> str:
    """Decode UTF-8, with or without a byte order mark, and UTF-16 or UTF-32 where it can be told.

    Args:
        data: the file's content.
        where: names the file in the error.

    Raises:
        UserError: another encoding, which is named where it can be guessed, or no text at all.
    """
    encoding, start = encoding_of(data)
    try:
        text = data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is not UTF-8 text ({_fault(data, error.start)})") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(f"{where} is not UTF-8 text ({_binary(data) or f'NUL byte in line {line}'})")
    return text


def to_utf8(data: bytes, where: str) -> bytes:
    """The same text as UTF-8 without a byte order mark; plain UTF-8 is passed on unread.

    Raises:
        UserError: as `decode_text` does.
    """
    encoding, start = encoding_of(data)
    if encoding == "utf-8":
        return data[start:] if start else data
    return decode_text(data, where).encode()


def encoding_of(data: bytes) -> tuple[str, int]:
    """Encoding of a text, and the length of its byte order mark; UTF-8 where nothing tells another."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name, len(mark)
    sample = data[:_SAMPLE]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    few = max(1, len(sample) // 5)  # digits, endings and line ends alone are more; NUL after names are fewer
    if odd > few and not even:
        return "utf-16-le", 0
    return ("utf-16-be", 0) if even > few and not odd else ("utf-8", 0)


def _fault(data: bytes, at: int) -> str:
    if binary := _binary(data):
        return binary
    line = data.count(b"\n", 0, at) + 1
    text = f"byte 0x{data[at]:02X} in line {line}"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"{text}; its mark says UTF-16"
    name = _guess(data)
    return f"{text}; it seems to be {_NAMES[name]}: iconv -f {name.upper()} -t UTF-8" if name else text


def _binary(data: bytes) -> str:
    if data.startswith(b"PK\x03\x04"):
        return "it is a zip archive, as workbooks of a spreadsheet are; save the sheet as CSV"
    return "it holds binary data" if data[:_SAMPLE].count(0) > 8 else ""


def _guess(data: bytes) -> str:
    """The old encoding that gives letters of one script; empty where none does."""
    high = re.findall(rb"[\x80-\xff]+", data[: 1 << 20])
    if all(len(run) == 1 for run in high):  # letters with accents stand alone; other scripts write whole words
        return "cp1252" if _script(data, "cp1252", "LATIN") else ""
    return next((name for name, script in _OLD if _script(data, name, script)), "")


def _script(data: bytes, encoding: str, script: str) -> bool:
    try:
        text = data[: 1 << 20].decode(encoding)
    except UnicodeDecodeError:
        return False
    letters = [item for item in set(text) if ord(item) > 127 and item.isalpha()]
    of_it = [letter for letter in letters if unicodedata.name(letter, "").startswith(script)]
    enough = len(letters) if script not in ("HIRAGANA", "KATAKANA") else 1  # which are mixed with Chinese letters
    return bool(of_it) and len(of_it) >= enough

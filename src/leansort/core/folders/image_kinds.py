"""What a file is, by its first bytes: endings are often wrong, and often not there at all."""

from __future__ import annotations

import importlib.util
import re
from functools import cache

HEAD = 512  # bytes that are enough to tell
COMMON = frozenset({"JPEG", "PNG", "BMP", "WebP", "TIFF"})  # what every backend of pixels decodes
BY_PILLOW = {"GIF": "GIF", "AVIF": "AVIF", "HEIC": "HEIF"}  # what Pillow alone decodes, by the name that it uses
OTHER_PICTURES = frozenset({"JPEG XL", "JPEG 2000", "Photoshop", "SVG drawing", "camera raw"})  # which nothing decodes
_PLUGINS = {"AVIF": "PIL._avif", "HEIC": "pillow_heif"}
_STARTS = (
    (b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"GIF87a", "GIF"), (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"II+\0", "TIFF"), (b"MM\0+", "TIFF"),
    (b"\xff\x0a", "JPEG XL"), (b"\0\0\0\x0cJXL ", "JPEG XL"), (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"8BPS", "Photoshop"), (b"%PDF", "PDF"), (b"PK\x03\x04", "zip archive"), (b"\x1f\x8b", "gzip archive"),
    (b"version https://git-lfs", "Git LFS pointer"),
)  # fmt: skip
_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"heim": "HEIC",
    b"heis": "HEIC",
    b"hevc": "HEIC",
    b"hevx": "HEIC",
    b"mif1": "HEIC",
    b"msf1": "HEIC",
    b"crx ": "camera raw",
}
_PHRASES = {
    "HTML page": "an HTML page (a failed download?)",
    "XML or HTML text": "XML or HTML text (a failed download?)",
    "Git LFS pointer": "a Git LFS pointer; run: git lfs pull",
    "zip archive": "a zip archive",
    "PDF": "a PDF",
    "gzip archive": "a gzip archive",
}
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # lengths; the letters BM alone may begin a text
_HTML = re.compile(rb"\s*(<!--.*?-->\s*)?<(!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL)


def kind_of(data: bytes) -> str:
    """The kind of a file, such as `JPEG`, `HEIC` or `HTML page`; empty where it is none of those known.

    Args:
        data: the file, or its first `HEAD` bytes.
    """
    head = data[:HEAD]
    for start, kind in _STARTS:
        if head.startswith(start):
            return "camera raw" if kind == "TIFF" and head[8:10] == b"CR" else kind
    if head[:4] == b"RIFF":
        return "WebP" if head[8:12] == b"WEBP" else "sound or video"
    if head[4:8] == b"ftyp":
        return _of_container(head)
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    return _of_text(head)


def _of_container(head: bytes) -> str:
    """By its brands: the major one, and where that says little those that it is compatible with."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))]
    kinds = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    return "AVIF" if "AVIF" in kinds else kinds[0] if kinds else "sound or video"


def _of_text(head: bytes) -> str:
    head = head.removeprefix(b"\xef\xbb\xbf")
    if _HTML.match(head):
        return "HTML page"
    if head.lstrip()[:4] == b"<svg" or (head.lstrip()[:5] == b"<?xml" and b"<svg" in head):
        return "SVG drawing"
    return "XML or HTML text" if head.lstrip()[:5] == b"<?xml" else ""


def describe_non_image(data: bytes) -> str:
    """What bytes are that no image can be made of, as the end of a sentence; empty where nobody knows."""
    kind = kind_of(data)
    if is_decodable(kind) or not kind:
        return ""
    if line := install_hint(kind):
        return f"is {kind}, which needs: {line}"
    return (
        f"is {kind}, which is not read" if kind in OTHER_PICTURES else f"is no picture but {_PHRASES.get(kind, kind)}"
    )


def is_decodable(kind: str) -> bool:
    """Whether images of this kind can be decoded here."""
    return kind in COMMON or (kind in BY_PILLOW and _is_installed(_PLUGINS.get(kind, "PIL")))


def install_hint(kind: str) -> str:
    """What to install so that this kind is decoded; empty where it is decoded already, or nothing would help."""
    lines = {"HEIC": "pip install 'leansort[heif]'", "AVIF": "pip install --upgrade pillow"}
    return "" if is_decodable(kind) else lines.get(kind, "")


@cache
def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False

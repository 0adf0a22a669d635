"""A process of its own that says of one image after the other whether its decoder complains.

C libraries write their warnings to file descriptor 2, which a whole process shares. Here one thread decodes one image
at a time, so what was written belongs to it. Images come in on standard input, each after its length in 8 bytes;
out goes a JSON string a line, empty for an image that is whole.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from typing import IO

from leansort.core.pixels.jpeg_structure import SOI, without_oddities
from leansort.core.preprocess import BACKEND, UnreadableImage, decode

SIDE = 64  # px; libjpeg reads all of an image's codes for the smallest of its scales, too
_DAMAGE = re.compile(
    r"(?:Corrupt JPEG data: (.*)|(Premature end of JPEG file|Inconsistent progression.*)|TIFF_Error (.*))"
)


def find_fault(data: bytes, lines: IO[bytes]) -> str:
    """What the decoder says of an image that changes its pixels; empty where it says nothing of the kind."""
    text = _decoder_output(data, lines)
    if text and data[:2] == SOI:
        text = _decoder_output(without_oddities(data), lines)
    hit = _DAMAGE.search(text)
    return next((part for part in hit.groups() if part), "") if hit else ""


def _decoder_output(data: bytes, lines: IO[bytes]) -> str:
    start = lines.seek(0, os.SEEK_END)
    try:
        decode(data, SIDE, "stretch")
    except UnreadableImage as error:
        return f"Corrupt JPEG data: {error}"
    lines.seek(start)
    return lines.read().decode(errors="replace")


def main() -> None:
    """Judge images until there are no more."""
    BACKEND.enable_warnings()
    with tempfile.TemporaryFile() as lines:
        os.dup2(lines.fileno(), 2)
        while header := sys.stdin.buffer.read(8):
            data = sys.stdin.buffer.read(int.from_bytes(header, "big"))
            print(json.dumps(find_fault(data, lines)), flush=True)
            lines.truncate(0)


if __name__ == "__main__":
    main()

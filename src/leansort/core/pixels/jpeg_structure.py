"""What stands in a JPEG beside its coded pixels: segments, scans, and whether a scan is missing.

libjpeg says nothing of a progressive image whose last scans are gone: it smooths what is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
_SOS = 0xDA
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)  # stuffed bytes, fill and restarts are none


def segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (marker, offset of its payload) up to and with the first scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte before a marker
            at += 1
            continue
        yield marker, at + 2
        if marker == _SOS:
            return
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def is_frame(marker: int) -> bool:
    """Whether a marker begins a frame header, which says how large the image is."""
    return 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)


def fault_of_scans(data: bytes) -> str:
    """Say what an image of several scans lacks; empty where nothing is missing, or it has only one scan."""
    frame, start = (0, 0), 0
    for marker, start in segments(data):
        frame = (marker, start) if is_frame(marker) else frame
    kind, at = frame
    if kind not in (0xC0, 0xC1, 0xC2) or at + 8 > len(data) or start + 3 > len(data):
        return ""  # arithmetic and lossless coding are for the decoder to refuse
    components = [data[at + 8 + 3 * i] for i in range(data[at + 7]) if at + 8 + 3 * i < len(data)]
    if kind != 0xC2 and data[start + 2] == len(components):
        return ""
    left = {component: [-1] * (64 if kind == 0xC2 else 1) for component in components}  # bits still to come; -1: all
    for names, first, last, low in _scans(data, start):
        for name in names:
            if name in left:
                left[name][first : last + 1] = [low] * (last + 1 - first)
    lacking = sum(any(low != 0 for low in of) for of in left.values())
    return f"scans are missing ({lacking} of {len(components)} components are not complete)" if lacking else ""


def _scans(data: bytes, first: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield the component ids, first and last coefficient and lowest bit of every scan up to the end of the image."""
    at = first
    while 0 < at < len(data):
        count, length = data[at + 2] if at + 2 < len(data) else 0, int.from_bytes(data[at : at + 2], "big")
        names, rest = data[at + 3 : at + 3 + 2 * count : 2], data[at + 3 + 2 * count : at + 6 + 2 * count]
        if len(rest) < 3:
            return
        yield names, min(rest[0], 63), min(rest[1], 63), rest[2] & 0x0F
        at = _next_scan(data, at + length)


def _next_scan(data: bytes, at: int) -> int:
    """Offset of the payload of the next scan's header; 0 where the image ends before."""
    while hit := _MARKER.search(data, at):
        marker, at = hit[1][0], hit.end()
        if marker == _SOS:
            return at
        if marker == EOI[1]:
            return 0
        at += int.from_bytes(data[at : at + 2], "big")  # a table between two scans
    return 0


def end_of_image(data: bytes, first: int) -> int:
    """Offset of the end marker of the image whose first scan's payload begins at `first`; the length without one."""
    at = first
    while hit := _MARKER.search(data, at):
        if hit[1][0] == EOI[1]:
            return hit.start()
        at = hit.end() + int.from_bytes(data[hit.end() : hit.end() + 2], "big")
    return len(data)


def without_oddities(data: bytes) -> bytes:
    """The same coded pixels without what libjpeg warns of although it changes none of them.

    It speaks of the first warning alone, so a strange version number would hide damage. Left out are application
    segments and the zeros that some cameras put before the end marker; the limits of a sequential scan, which mean
    nothing, are set right.
    """
    kept, frame = [SOI], 0
    for marker, start in segments(data):
        if marker == _SOS:
            return b"".join(kept) + _scan(data, start, frame)
        frame = marker if is_frame(marker) else frame
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(data[start - 2 : start + int.from_bytes(data[start : start + 2], "big")])
    return data


def _scan(data: bytes, start: int, frame: int) -> bytes:
    end = end_of_image(data, start)
    coded = data[start:end].rstrip(b"\0")
    coded += b"\0" if coded.endswith(b"\xff") else b""  # a stuffed zero belongs to the byte before it
    if frame in (0xC0, 0xC1) and len(coded) > 2:
        at = 3 + 2 * coded[2]
        coded = coded[:at] + b"\x00\x3f\x00" + coded[at + 3 :]
    return b"\xff\xda" + coded + EOI

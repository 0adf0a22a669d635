"""Damaged JPEGs by the thousand: cut, with bits turned over, headers overwritten, spliced, parts taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

Rng = np.random.Generator
HEAD = 700  # bytes in which tables and sizes stand
END = b"\xff\xd9"


def _cut(rng: Rng, data: bytes, other: bytes) -> bytes:
    return data[: int(rng.integers(len(data)))]


def _cut_and_ended(rng: Rng, data: bytes, other: bytes) -> bytes:
    return _cut(rng, data, other) + END


def _flipped(rng: Rng, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for at in rng.integers(0, len(data), int(rng.choice([1, 1, 3, 20]))).tolist():
        changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _overwritten(rng: Rng, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for at in rng.integers(2, min(HEAD, len(data)), int(rng.choice([1, 1, 3]))).tolist():
        changed[at] = int(rng.integers(256))
    return bytes(changed)


def _spliced(rng: Rng, data: bytes, other: bytes) -> bytes:
    return data[: int(rng.integers(len(data)))] + other[int(rng.integers(len(other))) :]


def _shortened(rng: Rng, data: bytes, other: bytes) -> bytes:
    at = int(rng.integers(len(data)))
    return data[:at] + data[at + int(rng.integers(1, 200)) :]


KINDS: tuple[Callable[[Rng, bytes, bytes], bytes], ...] = (
    _cut, _cut_and_ended, _flipped, _flipped, _overwritten, _overwritten, _spliced, _shortened
)  # fmt: skip


def damaged(whole: Sequence[bytes], count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield damaged copies of whole JPEGs, the same for the same seed."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        data, other = (whole[int(rng.integers(len(whole)))] for _ in range(2))
        yield KINDS[number % len(KINDS)](rng, data, other)

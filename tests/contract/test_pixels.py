"""Every backend of pixels gives those of the first one, to a grey level."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from leansort.core import pixels
from leansort.core.pixels import Image
from tests.conftest import draw

FIRST, *OTHERS = [pixels.load(name) for name in pixels.BACKENDS]
others = pytest.mark.parametrize("other", OTHERS, ids=list(pixels.BACKENDS)[1:])
sides = st.integers(1, 120)


def far(a: Image, b: Image) -> int:
    assert a.shape == b.shape
    assert a.dtype == b.dtype == np.uint8
    return int(np.abs(a.astype(int) - b).max())


@others
@settings(max_examples=300, deadline=None)
@given(sides, sides, sides, sides, st.booleans(), st.integers(0, 9))
def test_resized_to_a_grey_level(
    other: pixels.Backend, height: int, width: int, rows: int, columns: int, area: bool, seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    assert far(other.resize(image, columns, rows, area=area), FIRST.resize(image, columns, rows, area=area)) <= 1


@others
@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(96, 72), (517, 383), (131, 97)])
def test_a_jpeg_is_decoded_alike(other: pixels.Backend, reduction: int, size: tuple[int, int], tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg", 2, 5, size)
    data = (tmp_path / "a.jpg").read_bytes()
    assert far(other.decode(data, reduction), FIRST.decode(data, reduction)) <= 1


@others
@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_turns_alike(other: pixels.Backend, turn: int, kind: str) -> None:
    exif, buffer = Pillow.Exif(), io.BytesIO()
    exif[0x0112] = turn
    pattern = np.arange(40 * 30 * 3).reshape(30, 40, 3).astype(np.uint8) // 4
    Pillow.fromarray(pattern).save(buffer, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    assert far(other.decode(buffer.getvalue(), 1), FIRST.decode(buffer.getvalue(), 1)) <= 1


@others
@pytest.mark.parametrize("mode", ["L", "LA", "CMYK", "RGBA", "I;16", "P", "1"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_colour_modes_come_out_alike(other: pixels.Backend, mode: str, kind: str) -> None:
    grey = np.linspace(0, 255, 40 * 30).reshape(30, 40)
    picture = Pillow.fromarray(np.stack([grey, grey[::-1], 255 - grey], -1).astype(np.uint8))
    deep = Pillow.fromarray((grey * 257).astype(np.uint16))
    buffer = io.BytesIO()
    try:
        (deep if mode == "I;16" else picture.convert(mode)).save(buffer, kind)
    except OSError:
        pytest.skip(f"there is no {mode} {kind}")
    assert far(other.decode(buffer.getvalue(), 1), FIRST.decode(buffer.getvalue(), 1)) <= 1


@others
@pytest.mark.parametrize("data", [b"rubbish", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"%!PS-Adobe-3.0 EPSF"])
def test_rubbish_is_one_line(other: pixels.Backend, data: bytes) -> None:
    for one in (FIRST, other):
        with pytest.raises(ValueError, match="decoded") as caught:
            one.decode(data, 1)
        assert "\n" not in str(caught.value)


def test_without_the_first_the_next_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pixels.load() is FIRST
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert pixels.load() is OTHERS[0]

"""Every backend of pixels gives those of the first one, to a grey level."""

from __future__ import annotations

import io
import struct
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from leansort.core import pixels
from leansort.core.folders import image_kinds
from leansort.core.pixels import Image
from tests.conftest import draw

FIRST, *OTHERS = [pixels.load(name) for name in pixels.BACKENDS]
others = pytest.mark.parametrize("other", OTHERS, ids=pixels.BACKENDS[1:])
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
    if mode == "RGBA":
        picture.putalpha(Pillow.fromarray(grey[:, ::-1].astype(np.uint8)))
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
    for item in (FIRST, other):
        with pytest.raises(ValueError, match="decoded") as caught:
            item.decode(data, 1)
        assert "\n" not in str(caught.value)


@others
def test_odd_tags_of_a_turned_photo_are_no_fault(other: pixels.Backend) -> None:
    """Phones and editors write them; what Pillow cannot write again it still has to read."""
    entries = struct.pack("<HHII", 0x0112, 3, 1, 6) + struct.pack("<HHI4s", 0x011A, 2, 3, b"72")  # resolution as text
    exif, buffer = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4), io.BytesIO()
    Pillow.new("RGB", (40, 30), (9, 99, 199)).save(buffer, "JPEG", exif=exif)
    assert other.decode(buffer.getvalue(), 1).shape == (40, 30, 3)
    assert far(other.decode(buffer.getvalue(), 1), FIRST.decode(buffer.getvalue(), 1)) <= 1


@others
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_only_exif_turns(other: pixels.Backend, kind: str) -> None:
    buffer = io.BytesIO()
    text = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    Pillow.new("RGB", (40, 30)).save(buffer, kind, xmp=text)
    assert other.decode(buffer.getvalue(), 1).shape == FIRST.decode(buffer.getvalue(), 1).shape == (30, 40, 3)


@others
def test_a_photo_of_200_megapixels_is_decoded_reduced_and_never_whole_by_pillow(other: pixels.Backend) -> None:
    buffer = io.BytesIO()
    Pillow.new("RGB", (64, 48)).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = (12240).to_bytes(2, "big") + (16320).to_bytes(2, "big")
    assert other.decode(bytes(data), 8).shape == (1530, 2040, 3)
    data[at : at + 4] = (40000).to_bytes(2, "big") * 2
    with pytest.raises(ValueError, match="40000 x 40000 pixels are too many"):
        other.decode(bytes(data), 1)


@others
def test_decoding_in_threads_leaves_the_warnings_of_a_program_alone(other: pixels.Backend) -> None:
    buffer = io.BytesIO()
    Pillow.new("RGB", (64, 48)).save(buffer, "JPEG")
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: other.decode(buffer.getvalue(), 1), range(400)))
    assert list(warnings.filters) == before


def test_without_the_first_the_next_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pixels.load() is FIRST
    try:
        for broken in (None, ModuleType("cv2")):  # not installed, or an empty folder of that name
            monkeypatch.setitem(sys.modules, "cv2", broken)
            monkeypatch.delitem(sys.modules, "leansort.core.pixels.opencv", raising=False)
            pixels.default_backend.cache_clear()
            assert pixels.load() is OTHERS[0]
    finally:
        pixels.default_backend.cache_clear()


@others
@pytest.mark.parametrize("mode", ["P", "L", "1", "RGB"])
def test_a_gif_is_its_first_frame_in_every_backend(other: pixels.Backend, mode: str) -> None:
    """What is transparent keeps its colour, as in other formats."""
    frames = [Pillow.new("RGB", (40, 30), colour).convert(mode) for colour in ((255, 255, 255), (0, 0, 0))]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    images = [item.decode(buffer.getvalue(), 1) for item in (FIRST, other)]
    assert far(*images) == 0
    assert images[0].shape == (30, 40, 3)
    assert images[0].min() == 255


@others
@pytest.mark.parametrize(("kind", "turn"), [("AVIF", 1), ("AVIF", 6), ("HEIF", 1)])
def test_formats_of_phones_come_out_alike_and_upright(other: pixels.Backend, kind: str, turn: int) -> None:
    """HEIC turns by its own box, which libheif obeys, and never by EXIF."""
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    pattern = np.full((40, 60, 3), 20, np.uint8)
    pattern[:20] = 220
    exif, buffer = Pillow.Exif(), io.BytesIO()
    exif[0x0112] = turn  # 6: by a quarter, clockwise
    Pillow.fromarray(pattern).save(buffer, kind, quality=95, exif=exif)
    images = [item.decode(buffer.getvalue(), 1) for item in (FIRST, other)]
    assert far(*images) == 0
    upright = images[0] if turn == 1 else np.rot90(images[0])
    assert upright.shape == (40, 60, 3)
    assert upright[:15].mean() > 200
    assert upright[25:].mean() < 40


@others
def test_heic_without_its_library_says_what_to_install(other: pixels.Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_kinds, "is_decodable", lambda kind: kind != "HEIC")
    pixels.load("pillow").__dict__["_load_reader"].cache_clear()
    for item in (FIRST, other):
        with pytest.raises(ValueError, match=r"HEIC needs: pip install 'leansort\[heif\]'"):
            item.decode(b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(40), 1)

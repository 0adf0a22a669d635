"""Pixels: shapes, geometry, EXIF, reduced decoding and pictures that cannot be decoded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from leansort.core import pixels, preprocess
from leansort.core.errors import LeansortError, UserError
from leansort.core.pixels import Image
from leansort.core.preprocess import Preprocess, UnreadableImage, decode


@pytest.fixture(params=pixels.BACKENDS, scope="module", autouse=True)
def backend(request: pytest.FixtureRequest) -> Iterator[None]:
    """All that follows holds by whatever makes the pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preprocess, "BACKEND", pixels.load(request.param))
        yield


def jpeg(width: int, height: int, **options: object) -> bytes:
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + y) % 256], -1).astype(np.uint8)
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "JPEG", quality=95, subsampling=0, **options)
    return buffer.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 300), st.integers(1, 300), st.sampled_from([16, 33, 64]), st.sampled_from(["pad", "stretch", "crop"])
)
def test_any_picture_becomes_the_same_shape(width: int, height: int, size: int, fit: str) -> None:
    out = Preprocess.model_validate({"size": size, "fit": fit})(jpeg(width, height))
    assert out.shape == (size, size, 3)
    assert out.dtype == np.uint8
    assert out.flags.c_contiguous


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(16, 80))
def test_padding_is_centred_to_within_one_pixel(width: int, height: int, size: int) -> None:
    out = Preprocess(size=size, fill=255)(np.zeros((height, width, 3), np.uint8))
    rows, columns = np.flatnonzero((out == 0).all((1, 2))), np.flatnonzero((out == 0).all((0, 2)))
    inside = (out[..., 0] == 0).nonzero()
    top, bottom, left, right = inside[0].min(), size - 1 - inside[0].max(), inside[1].min(), size - 1 - inside[1].max()
    assert 0 <= bottom - top <= 1
    assert 0 <= right - left <= 1
    assert min(top, left) == 0
    assert max(len(rows), len(columns)) > 0


def test_channels_are_rgb() -> None:
    buffer = io.BytesIO()
    Pillow.new("RGB", (64, 64), (250, 20, 10)).save(buffer, "PNG")
    assert Preprocess(size=32)(buffer.getvalue())[16, 16].tolist() == [250, 20, 10]


def test_array_and_file_agree() -> None:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (50, 80, 3)).astype(np.uint8)
    Pillow.fromarray(pixels).save(buffer, "PNG")
    for fit in ("pad", "stretch", "crop"):
        preprocess = Preprocess.model_validate({"size": 32, "fit": fit})
        np.testing.assert_array_equal(preprocess(buffer.getvalue()), preprocess(pixels))


def test_exif_turned_photo_stands_upright() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    turned = Preprocess(size=64, fit="stretch")(jpeg(200, 120, exif=exif))
    upright = Preprocess(size=64, fit="stretch")(jpeg(200, 120))
    assert np.abs(turned.astype(int) - np.rot90(upright, -1).astype(int)).mean() < 3


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_reduced_decoding_keeps_enough_pixels_and_the_picture(scale: int) -> None:
    data = jpeg(64 * scale + 5, 64 * scale + 9)
    decoded = decode(data, target=64, fit="stretch")
    assert 64 <= min(decoded.shape[:2]) < 128 + 9
    full = cv2.resize(decode(data), (64, 64), interpolation=cv2.INTER_AREA)
    reduced = cv2.resize(decoded, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(full[..., 1:].astype(int) - reduced[..., 1:].astype(int)).mean() < 3  # blue is a sawtooth


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "I;16", "P", "1"])
def test_other_colour_modes_are_decoded(mode: str) -> None:
    buffer = io.BytesIO()
    picture = (
        Pillow.new("I;16", (40, 30), 40000)
        if mode == "I;16"
        else Pillow.new("RGB", (40, 30), (200, 200, 200)).convert(mode)
    )
    picture.save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    assert Preprocess(size=32)(buffer.getvalue()).shape == (32, 32, 3)


@pytest.mark.parametrize("cut", [1, 2, 3, 10, 100, 0.3, 0.6, 0.99])
def test_a_cut_short_jpeg_is_refused(cut: float) -> None:
    data = jpeg(200, 150)
    kept = data[: int(cut)] if cut >= 1 else data[: int(len(data) * cut)]
    with pytest.raises(UnreadableImage):
        Preprocess(size=64)(kept)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM"]))
def test_rubbish_is_refused_or_decoded_never_a_crash(data: bytes, start: bytes) -> None:
    try:
        out = Preprocess(size=16)(start + data)
    except LeansortError as error:
        assert str(error)  # noqa: PT017
    else:
        assert out.shape == (16, 16, 3)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_damaged_jpeg_never_crashes(at: int, value: int) -> None:
    data = bytearray(jpeg(60, 40))
    data[at % len(data)] = value
    try:
        assert Preprocess(size=32)(bytes(data)).shape == (32, 32, 3)
    except UnreadableImage as error:
        assert str(error)  # noqa: PT017


def test_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="cannot be read"):
        Preprocess()(tmp_path / "nothing.jpg")


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_a_wrong_array_says_what_is_needed(bad: Image) -> None:
    with pytest.raises(UserError, match="need uint8"):
        Preprocess()(bad)

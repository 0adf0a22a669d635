"""Damaged pictures: what changes pixels is found and named, what does not is let pass."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import PngImagePlugin

from leansort.core.damage.watch import DamagedImage, watch_images
from leansort.core.pixels import Image
from leansort.core.pixels.jpeg_structure import SOI, fault_of_scans
from leansort.core.preprocess import UnreadableImage, decode


def picture(seed: int = 0, size: tuple[int, int] = (320, 240)) -> Pillow.Image:
    """Stripes and rings with noise: every block has detail of its own."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    rings = (np.hypot(x - width / 2, y - height / 2) // 9 % 2) * 150
    planes = np.stack([(x // 7 % 2) * 120 + y // 4, rings + x // 8, (x + y) // 6], -1)
    noise = np.random.default_rng(seed).normal(0, 10, planes.shape)
    return Pillow.fromarray(np.clip(planes + noise, 0, 255).astype(np.uint8))


def encoded(kind: str = "JPEG", seed: int = 0, **settings: object) -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, kind, **settings)
    return buffer.getvalue()


JPEG = encoded(quality=88)
PROGRESSIVE = encoded(quality=88, progressive=True)
RESTARTS = encoded(quality=88, restart_marker_blocks=20)
PNG = encoded("PNG")
LZW = encoded("TIFF", compression="tiff_lzw")
END = b"\xff\xd9"


def overwritten(data: bytes, length: int, at: float = 0.5, value: int | None = None) -> bytes:
    start = int(len(data) * at)
    noise = np.random.default_rng(length).integers(1, 255, length).astype(np.uint8).tobytes()
    return data[:start] + (noise if value is None else bytes([value]) * length) + data[start + length :]


def scans(data: bytes) -> list[int]:
    return [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]


def last_table(data: bytes) -> int:
    return data.rfind(b"\xff\xc4", 0, scans(data)[-1])


DAMAGED = {
    "bytes overwritten": overwritten(JPEG, 40),
    "a block of zeros": overwritten(JPEG, 4096, 0.4, 0),
    "zeros up to the end": JPEG[: len(JPEG) // 2] + bytes(len(JPEG) - len(JPEG) // 2 - 2) + END,
    "a wrong restart marker": RESTARTS.replace(b"\xff\xd3", b"\xff\xd5", 1),
    "a lost restart marker": RESTARTS.replace(b"\xff\xd4", b"", 1),
    "two pictures spliced": JPEG[: len(JPEG) // 2] + encoded(seed=1, quality=88)[len(JPEG) // 2 :],
    "one picture within another": JPEG[: len(JPEG) // 2] + encoded(seed=1, quality=88),
    "cut, with an end marker": JPEG[: len(JPEG) // 2] + END,
    "the last scan is missing": PROGRESSIVE[: last_table(PROGRESSIVE)] + END,
    "progressive, overwritten": overwritten(PROGRESSIVE, 40),
    "damage behind a strange version": overwritten(JPEG[:11] + b"\x09" + JPEG[12:], 40),
    "TIFF (LZW) overwritten": overwritten(LZW, 40),
    "TIFF (JPEG) overwritten": overwritten(encoded("TIFF", compression="jpeg"), 400),
}
UNREADABLE = {
    "JPEG cut": JPEG[: len(JPEG) // 2],
    "PNG with a wrong checksum": PNG[:-16] + b"xxxx" + PNG[-12:],
    "PNG overwritten": overwritten(PNG, 8),
    "PNG cut": PNG[: len(PNG) // 2],
    "PNG cut, with an end chunk": PNG[: len(PNG) // 2] + PNG[-12:],
    "TIFF cut": LZW[: len(LZW) // 2],
    "WebP cut": encoded("WEBP")[:2000],
    "BMP cut": encoded("BMP")[:100_000],
    "GIF cut": encoded("GIF")[:5000],
}
WHOLE = {
    "JPEG": JPEG,
    "progressive": PROGRESSIVE,
    "restart markers": RESTARTS,
    "zeros after the end": JPEG + bytes(1000),
    "another picture after the end": JPEG + encoded(seed=1),
    "zeros before the end marker, as some cameras write": JPEG[:-2] + bytes(16) + END,
    "fill bytes before the end marker": JPEG[:-2] + b"\xff" * 16 + END,
    "an unknown version of JFIF": JPEG[:11] + b"\x09" + JPEG[12:],
    "strange limits of a sequential scan": JPEG[: JPEG.find(b"\xff\xda") + 11]
    + bytes(3)
    + JPEG[JPEG.find(b"\xff\xda") + 14 :],
}  # fmt: skip


def text_with_wrong_checksum() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("title", "x")
    data = encoded("PNG", pnginfo=info)
    at = data.find(b"tEXt") + 4 + len(b"title\0x")
    return data[:at] + b"zzzz" + data[at + 4 :]


def checked(data: bytes, target: int = 0) -> Image:
    """Watched for the one picture: pytest leads standard error elsewhere between a fixture and its test."""
    with watch_images() as watch:
        return watch.decode(data, target)


@pytest.mark.parametrize("kind", DAMAGED)
def test_what_changes_pixels_is_refused(kind: str) -> None:
    assert decode(DAMAGED[kind]).size  # which decodes all the same
    with pytest.raises(DamagedImage, match=r"is damaged: \w"):
        checked(DAMAGED[kind], 64)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_decoded_stays_unreadable(kind: str) -> None:
    with pytest.raises(UnreadableImage) as caught:
        checked(UNREADABLE[kind], 64)
    assert not isinstance(caught.value, DamagedImage)


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("target", [0, 64])
def test_what_changes_no_pixel_is_let_pass(kind: str, target: int) -> None:
    usual = {"progressive": PROGRESSIVE}.get(kind, JPEG)
    assert np.array_equal(checked(WHOLE[kind], target), decode(usual, target))


def test_a_text_chunk_with_a_wrong_checksum_changes_no_pixel() -> None:
    assert np.array_equal(checked(text_with_wrong_checksum()), decode(PNG))


def test_whole_pictures_beside_damaged_ones_are_not_blamed(tmp_path: Path) -> None:
    """Several threads decode at once, and what one's decoder writes makes others suspect, not guilty."""
    files = [tmp_path / f"{number}.jpg" for number in range(60)]
    for number, path in enumerate(files):
        path.write_bytes(DAMAGED["bytes overwritten"] if number % 7 == 0 else encoded(seed=number))
    with watch_images() as opened:

        def work(part: list[Path]) -> None:
            for path in part:
                with opened.note_suspect(path):
                    decode(path.read_bytes())

        threads = [threading.Thread(target=work, args=(files[start::4],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lines = opened.damage_lines()
        assert opened.damage_lines() == []
    assert sorted(line.partition(" is damaged: ")[0] for line in lines) == sorted(str(path) for path in files[::7])


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)


def test_what_others_write_is_passed_on_and_the_decoder_is_not(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(DAMAGED["bytes overwritten"])
    done = run(
        "import os, sys\n"
        "from leansort.core.damage.watch import watch_images\n"
        "from leansort.core.preprocess import decode\n"
        f"data = open({str(tmp_path / 'x.jpg')!r}, 'rb').read()\n"
        "with watch_images() as outer, watch_images() as inner:\n"
        "    decode(data)\n"
        "    os.write(2, b'of a library\\n')\n"
        "    print('of Python', file=sys.stderr)\n"
        "    assert inner.bytes_written() == outer.bytes_written() > 0\n"
        "print('afterwards', file=sys.stderr)\n"
        "os.write(2, b'the end\\n')\n"
    )
    assert done.stderr.splitlines() == ["of Python", "of a library", "afterwards", "the end"]


def test_without_standard_error_damage_is_found_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(DAMAGED["bytes overwritten"])
    done = run(
        "import os\n"
        "os.close(2)\n"
        "from leansort.core.damage.watch import watch_images, DamagedImage\n"
        "with watch_images() as watch:\n"
        "    try:\n"
        f"        watch.decode(open({str(tmp_path / 'x.jpg')!r}, 'rb').read())\n"
        "    except DamagedImage as error:\n"
        "        print(error)\n"
    )
    assert "extraneous bytes" in done.stdout


@pytest.mark.parametrize("cut", range(2, 900, 7))
def test_scans_of_anything_are_looked_through(cut: int) -> None:
    for data in (PROGRESSIVE[:cut], overwritten(PROGRESSIVE, 30, cut / len(PROGRESSIVE)), SOI + os.urandom(cut)):
        assert isinstance(fault_of_scans(data), str)
    assert fault_of_scans(PROGRESSIVE) == fault_of_scans(JPEG) == ""


@pytest.mark.parametrize("save", [lambda im, to: im.convert("L").save(to, "JPEG", progressive=True),
                                  lambda im, to: im.convert("CMYK").save(to, "JPEG", progressive=True)])  # fmt: skip
def test_other_colours_have_all_their_scans(save: Callable[[Pillow.Image, io.BytesIO], None]) -> None:
    buffer = io.BytesIO()
    save(picture(), buffer)
    assert checked(buffer.getvalue()).shape == (240, 320, 3)

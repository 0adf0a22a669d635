"""What benchmarks look at: photos of 512x384, drawn and compressed here, so that no data set is needed."""

from __future__ import annotations

from pathlib import Path

import cv2

from leansort.core.seeds import Seeds
from leansort.data.synthetic.scene import draw_scene


def photos(folder: Path, count: int, different: int = 64) -> list[Path]:
    """Draw scenes, enlarged to the size of the real photos.

    Args:
        folder: is made.
        count: of the files.
        different: drawings; each is written again and again under another name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [_photo(number) for number in range(min(count, different))]
    paths = [folder / f"{number:06d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(drawn[number % len(drawn)])
    return paths


def _photo(number: int) -> bytes:
    rgb, _ = draw_scene(Seeds(0).child(f"benchmark/{number}").numpy())
    bgr = cv2.resize(rgb, (512, 384), interpolation=cv2.INTER_CUBIC)[:, :, ::-1]
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())

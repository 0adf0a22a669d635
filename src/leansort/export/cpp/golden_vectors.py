"""What Python says of the golden photos: the C++ test holds its runtime to these answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leansort.core.bundle import Bundle
from leansort.core.preprocess import Fit, Preprocess
from leansort.export.cpp.cpp_settings import checksum
from leansort.export.cpp.golden_photos import draw_photos, frame
from leansort.runtime import engine as engines
from leansort.runtime.predictor import Classifier, Prediction

TOLERANCE = 0.01  # of probabilities; processors add up in different orders, and int8 steps are coarse
ENGINE = "openvino"
# Width, height and fit of frames for an input of 64: whole and broken factors, growing sides, and one grey level of
# padding that no photo has.
SIDE, FILL = 64, 7
FRAMES: tuple[tuple[int, int, Fit], ...] = (
    (64, 64, "pad"), (128, 128, "stretch"), (192, 192, "stretch"), (192, 128, "stretch"), (256, 256, "crop"),
    (100, 75, "pad"), (75, 100, "pad"), (97, 211, "pad"), (333, 77, "crop"), (70, 66, "stretch"), (79, 80, "crop"),
    (31, 20, "pad"), (5, 64, "pad"), (1, 1, "pad"), (200, 30, "stretch"), (30, 200, "stretch"), (641, 479, "pad"),
)  # fmt: skip


@dataclass(frozen=True)
class GoldenVectors:
    """The content of the folder `golden/`.

    Attributes:
        files: by name.
        photos: how many of them are photos.
        frames: how many frames are checked, of which there are no files.
    """

    files: Mapping[str, bytes]
    photos: int
    frames: int


def golden_vectors(bundle: Bundle) -> GoldenVectors:
    """Classify the golden photos by OpenVINO from Python.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        IntegrityError: OpenVINO cannot run the graph.
    """
    photos = draw_photos(bundle.meta.preprocess.size)
    files, lines = dict[str, bytes](photos), [f"tolerance {TOLERANCE}"]
    with Classifier(bundle, engines.load_engine(bundle, ENGINE, threads=1), ENGINE) as classifier:
        for name, data in photos.items():
            pixels = bundle.meta.preprocess(data)
            files[f"{name}.rgb"] = pixels.tobytes()
            lines.append(_photo_line(name, pixels.tobytes(), classifier.predict(pixels), bundle.meta.labels))
    lines += [_frame_line(width, height, fit) for width, height, fit in FRAMES]
    files["golden.txt"] = ("\n".join(lines) + "\n").encode()
    return GoldenVectors(files, len(photos), len(FRAMES))


def _photo_line(name: str, pixels: bytes, made: Prediction, labels: tuple[str, ...]) -> str:
    """As tests/golden.cpp reads it."""
    novelty = -1.0 if made.novelty is None else made.novelty
    numbers = " ".join(f"{item:.9g}" for item in made.probabilities)
    index = labels.index(made.label)
    return f"photo {name} {checksum(pixels)} {index} {novelty:.9g} {int(made.accepted)} {numbers}"


def _frame_line(width: int, height: int, fit: Fit) -> str:
    pixels = Preprocess(size=SIDE, fit=fit, fill=FILL)(frame(width, height))
    return f"frame {width} {height} {SIDE} {fit} {FILL} {checksum(pixels.tobytes())}"

"""What the C++ runtime is told of a bundle: `settings.txt`, a key and a value a line, which needs no parser of JSON."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import UserError
from leansort.core.files.bundle_decisions import DISTANCE, LOGIT_METHODS, NoveltyScale

VERSION = 1
FITS = ("pad", "stretch", "crop")  # that preprocess.hpp has
METHODS = (DISTANCE, *LOGIT_METHODS)  # that decision.hpp has
GRAPHS = ("onnx", "openvino")  # formats that OpenVINO reads


def checksum(data: bytes) -> str:
    """CRC-32 in hex, by which the C++ runtime tells files and pixels apart; no protection against anybody."""
    return f"{zlib.crc32(data):08x}"


def require_convertible(bundle: Bundle, name: str) -> None:
    """Refuse a bundle that asks for what the C++ runtime cannot do.

    Raises:
        UserError: its graph is none that OpenVINO reads, or its fit or novelty is unknown; `name` begins the line.
    """
    meta = bundle.meta
    if bundle.stages:
        raise UserError(f"{name}: is a cascade of two graphs, which C++ does not run; give one of its bundles")
    if bundle.format not in GRAPHS:
        raise UserError(
            f"{name}: format {bundle.format} cannot be run from C++, allowed: {', '.join(GRAPHS)}; "
            "export the network with --format onnx first"
        )
    if meta.preprocess.fit not in FITS:
        raise UserError(f"{name}: fit {meta.preprocess.fit!r} is not in the C++ runtime, which has {', '.join(FITS)}")
    if meta.novelty and meta.novelty.method not in METHODS:
        raise UserError(f"{name}: novelty {meta.novelty.method!r} is not in the C++ runtime")


def settings_text(bundle: Bundle) -> str:
    """Return the content of `settings.txt`; numbers are written so that they are read as the same ones."""
    meta = bundle.meta
    lines = [
        "# Written by leansort; what the graph takes and how its numbers are read. See include/leansort/settings.hpp.",
        f"leansort_model {VERSION}",
        f"name {meta.name}",
        *_files(bundle.format, bundle.files),
        f"size {meta.preprocess.size}",
        f"fit {meta.preprocess.fit}",
        f"fill {meta.preprocess.fill}",
        f"temperature {meta.temperature!r}",
        f"reject_below {meta.reject_below!r}",
        *(_novelty(meta.novelty) if meta.novelty else ()),
        *(f"label {label}" for label in meta.labels),
    ]
    return "\n".join(lines) + "\n"


def _files(graph_format: str, files: Mapping[str, bytes]) -> list[str]:
    return [f"file {name} {len(files[name])} {checksum(files[name])}" for name in FORMATS[graph_format]]


def _novelty(scale: NoveltyScale) -> list[str]:
    return [
        f"novelty {scale.method}",
        f"novelty_zero {scale.zero!r}",
        f"novelty_span {scale.span!r}",
        f"novelty_reject {int(scale.reject)}",
    ]

"""What a trained network of ours was normalized with: from the header of its file, without weights or PyTorch."""

from __future__ import annotations

from pathlib import Path

from leansort.core.errors import LeansortError
from leansort.core.files import json_documents
from leansort.core.preprocess import Preprocess
from leansort.core.text.text_files import parse_json

_MOST_HEADER = 16 << 20  # bytes


def model_statistics(path: Path) -> Preprocess | None:
    """The preprocessing, with mean and deviation, that a `model.safetensors` of ours was trained with.

    Args:
        path: of any file.

    Returns:
        It; None where there is no such file, or it is none of ours or damaged, which is said where its
        weights are read.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")  # of the header, which the tensors follow
            if length > _MOST_HEADER:
                return None
            header = parse_json(file.read(length), str(path))
        meta = parse_json(header["__metadata__"]["leansort"], str(path))
        return json_documents.validate(meta["preprocess"], Preprocess, str(path))
    except (OSError, LeansortError, KeyError, TypeError, ValueError):
        return None

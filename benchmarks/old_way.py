"""The reference: how contest entries did it - Pillow decode, square pad, resize, PyTorch eager fp32, batch 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from leansort.arch.trained_model import TrainedModel
from leansort.core.preprocess import Preprocess


class OldWay:
    """A trained network served as the old programs served theirs."""

    def __init__(self, model: TrainedModel) -> None:
        self.model = model.network()
        self.names = model.labels.names
        self.preprocess = model.preprocess
        self.mean = torch.tensor(model.preprocess.mean).view(1, 3, 1, 1)
        self.std = torch.tensor(model.preprocess.std).view(1, 3, 1, 1)

    def predict(self, path: Path) -> str:
        """Label of one picture."""
        with torch.no_grad():
            out = self.model((self.tensor(path) - self.mean) / self.std)
        return self.names[int(out.argmax())]

    def tensor(self, path: Path) -> Tensor:
        """Decode, pad to a square, resize; float32 (1, 3, size, size), 0 to 1."""
        picture = Image.open(path).convert("RGB")
        resized = padded(picture, self.preprocess).resize((self.preprocess.size,) * 2, Image.Resampling.BILINEAR)
        array = np.asarray(resized, np.float32).transpose(2, 0, 1) / 255
        return torch.from_numpy(np.ascontiguousarray(array))[None]


def padded(picture: Image.Image, preprocess: Preprocess) -> Image.Image:
    """Pad to a square, whatever the bundle's own fit: the old way knew no other."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), (preprocess.fill,) * 3)
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return square

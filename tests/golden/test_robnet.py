"""RobNet: counts, shapes and what a genotype may be.

Origin of the counts: of `large` at 32 px the network as its authors publish it (arXiv:1911.10695: C = 36, 20 cells, 10
classes); all others `counted` below, a sum over edges that builds nothing. Exact, no tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn

from leansort.arch.backbones.robnet import FREE, LARGE, RobNetBackbone, RobNetConfig
from leansort.arch.build import build, macs, parameters
from leansort.arch.layers.robnet_cells import CODES, Cell, FactorizedReduction, Genotype, Node, RobNet, UnreadCell
from leansort.arch.spec.spec import ArchSpec
from leansort.core.errors import UserError

Stem = Literal["small", "large"]
ZERO = ("00",) * 14


def of_spec(spec: ArchSpec) -> nn.Module:
    return RobNetBackbone(RobNetConfig(**spec.options)).build(spec)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Hundreds of tiny layers: where cores are shared, threads wait far longer for each other than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def counted(genotype: Genotype, stem: Stem, size: int, channels: int = 36, classes: int = 10) -> tuple[int, int]:
    """Weights and multiply-adds, from (how many weights, at how many places); every input must be read by an edge."""
    terms, c = [(1, 0)] * classes, channels  # the head's biases
    if stem == "small":
        side, terms, inputs = size, [*terms, (27 * 3 * c, size**2), (2 * 3 * c, 0)], [3 * c, 3 * c]
    else:
        side, inputs = size // 8, [c, c]
        terms += [(27 * c // 2, (size // 2) ** 2), (9 * c // 2 * c, (size // 4) ** 2), (9 * c * c, side**2)]
        terms += [(2 * c // 2, 0), (2 * c, 0), (2 * c, 0)]
    for i, codes in enumerate(genotype):
        stride = 2 if i in (len(genotype) // 3, len(genotype) * 2 // 3) else 1
        c *= stride
        terms += [(channels_in * c, side**2) for channels_in in inputs]
        side //= stride
        for edge, code in enumerate(codes):
            if code in ("01", "11"):
                terms.append((2 * (9 * c + c * c), side**2))
            if code in ("10", "11") and stride == 2 and edge in (0, 1, 2, 3, 5, 6, 9, 10):
                terms.append((c * c, side**2))
        inputs = [inputs[1], 4 * c]
    terms.append((4 * c * classes, 1))
    return sum(weights for weights, _ in terms), sum(weights * places for weights, places in terms)


def counts(network: nn.Module, size: int) -> tuple[int, int]:
    return parameters(network), macs(network, size)


def test_large_has_the_published_counts() -> None:
    assert counts(RobNet(classes=10, genotype=LARGE), 32) == (6_842_710, 1_030_336_128)
    assert counted(LARGE * 20, "small", 32) == (6_842_710, 1_030_336_128)


@pytest.mark.parametrize(
    ("genotype", "stem", "size", "pinned"),
    [
        (FREE, "small", 32, (5_439_790, 780_177_024)),
        (FREE, "large", 224, (5_447_044, 622_471_968)),
        (LARGE, "large", 224, (6_849_964, 814_000_032)),
    ],
)
def test_other_counts(genotype: Genotype, stem: Stem, size: int, pinned: tuple[int, int]) -> None:
    assert counts(RobNet(classes=10, genotype=genotype, stem=stem), size) == pinned
    assert counted(genotype * (20 // len(genotype)), stem, size) == pinned


@pytest.mark.parametrize("name", RobNetBackbone.examples)
@pytest.mark.parametrize("side", [(64, 64), (96, 96), (64, 96), (224, 224), (50, 77)])
def test_examples_run_at_any_size(name: str, side: tuple[int, int]) -> None:
    network = of_spec(ArchSpec(classes=6, width=0.5, options=RobNetBackbone.examples[name])).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, *side)).shape == (1, 6)


def check_gradients(network: nn.Module, side: tuple[int, int]) -> None:
    network.train()(torch.randn(2, 3, *side)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("name", RobNetBackbone.examples)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    network = of_spec(ArchSpec(classes=6, options=RobNetBackbone.examples[name]))
    check_gradients(network, (64, 64))
    assert all(bool(p.grad.any()) for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", RobNetBackbone.examples)
def test_copies_traces_and_exports_say_the_same(name: str) -> None:
    network = of_spec(ArchSpec(classes=6, width=0.5, options=RobNetBackbone.examples[name])).eval()
    x = torch.randn(2, 3, 40, 64)
    exported = torch.export.export(network, (x,)).module()
    for other in (deepcopy(network), torch.fx.symbolic_trace(network), exported):
        torch.testing.assert_close(other(x), network(x))


cells = st.lists(st.sampled_from(CODES), min_size=14, max_size=14).map(tuple)
sparse = st.lists(st.sampled_from(["00", "00", "00", "01", "10", "11"]), min_size=14, max_size=14).map(tuple)


@settings(max_examples=25, deadline=None)
@given(
    genotype=st.lists(cells | sparse, min_size=1, max_size=4).map(tuple),
    layers=st.integers(1, 4),
    stem=st.sampled_from(["small", "large"]),
    channels=st.integers(2, 5),
)
def test_any_genotype_builds_and_learns(genotype: Genotype, layers: int, stem: Stem, channels: int) -> None:
    """Also where cells or inputs go unread: every parameter that is built must get a gradient."""
    layers = layers if len(genotype) == 1 else len(genotype)
    network = RobNet(classes=3, channels=channels, layers=layers, genotype=genotype, stem=stem)
    check_gradients(network, (24, 17))
    torch.fx.symbolic_trace(network)


@pytest.mark.parametrize("stem", ["small", "large"])
def test_only_what_is_read_is_built(stem: Stem) -> None:
    newer = (1, 3, 6, 10)  # the edges from the newer input
    older_only: Genotype = (tuple("00" if edge in newer else "11" for edge in range(14)),)
    network = RobNet(classes=3, channels=4, layers=3, genotype=older_only, stem=stem)
    assert [type(cell) for cell in network.cells] == [Cell, UnreadCell, Cell]
    assert len(network.deeper) == 0  # nobody reads its output
    check_gradients(network, (32, 32))
    zeros = RobNet(classes=3, channels=4, layers=3, genotype=(ZERO,), stem=stem).eval()
    assert not any(isinstance(m, FactorizedReduction) or m.edges for m in zeros.modules() if isinstance(m, Node))
    bias = list(zeros.parameters())[-1]
    assert torch.equal(zeros(torch.randn(2, 3, 32, 32)), bias.expand(2, 3))


def test_a_factorized_reduction_reads_two_grids() -> None:
    """By hand: with unit weights and without norm, one half is the even grid, the other the odd one, 0 beyond."""
    reduction = FactorizedReduction(1, 2)
    for module in reduction.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.ones_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.eval().eps = 0.0
    x = torch.arange(1.0, 16.0).reshape(1, 1, 3, 5)
    even, odd = torch.tensor([[1.0, 3, 5], [11, 13, 15]]), torch.tensor([[7.0, 9, 0], [0, 0, 0]])
    assert torch.equal(reduction(x)[0], torch.stack([even, odd]))
    assert reduction(-x).abs().sum() == 0  # a ReLU comes first


def test_edges_do_not_change_the_states_they_read() -> None:
    states = [torch.randn(1, 4, 8, 8) for _ in range(5)]
    before = [state.clone() for state in states]
    Node(["11", "01", "10", "11", "01"], 4, 1)(states)
    assert all(torch.equal(a, b) for a, b in zip(states, before, strict=True))


def test_width_and_dropout() -> None:
    def made(**more: Any) -> RobNet:
        network = of_spec(ArchSpec(classes=6, options={"layers": 2, "channels": 9, "stem": "small"}, **more))
        assert isinstance(network, RobNet)
        return network

    stems = [next(made(width=width).parameters()).shape[0] for width in (0.1, 0.5, 1.0, 1.5)]
    assert stems == [3 * 2, 3 * 4, 3 * 9, 3 * 13]
    assert [m.p for m in made(dropout=0.3).modules() if isinstance(m, nn.Dropout)] == [0.3]
    assert not any(isinstance(m, nn.Dropout) for m in made().modules())


def test_a_depth_multiple_is_refused() -> None:
    with pytest.raises(UserError, match=r"depth: got 0.5, need 1.0; options.layers"):
        of_spec(ArchSpec(classes=6, depth=0.5))


@pytest.mark.parametrize("side", [64, 112])
def test_narrow_reductions_of_large_pictures_survive_channels_last(side: int) -> None:
    """A regression: strided 1x1 convolutions here killed the process in the backward pass of torch 2.13."""
    network = build(ArchSpec(base="robnet", classes=6, width=0.5, options=RobNetBackbone.examples["free"]))
    for _ in range(3):
        check_gradients(network, (side, side))


ROW = " ".join(LARGE[0])


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"genotype": "larg"}, "allowed: large, free or a list of cells.*did you mean 'large'"),
        ({"genotype": 3}, "allowed: large, free or a list of cells"),
        ({"genotype": [[1, 2]]}, "each a text of 14 codes"),
        ({"genotype": []}, "got 0 cells, need 1 for all or 20"),
        ({"genotype": [ROW] * 3}, "got 3 cells, need 1 for all or 20"),
        ({"genotype": "free", "layers": 4}, "got 20 cells, need 1 for all or 4"),
        ({"genotype": [ROW + " 11"]}, "cell 1: got 15 codes, need 14"),
        ({"genotype": [ROW, ROW[3:]], "layers": 2}, "cell 2: got 13 codes, need 14"),
        ({"genotype": [ROW[:-2] + "12"]}, "cell 1, code 14: got '12', allowed: 00, 01, 10, 11"),
        ({"layers": 0}, "layers"),
        ({"layers": "4"}, "layers"),
        ({"channels": 1}, "channels"),
        ({"stem": "medium"}, "stem"),
        ({"chanels": 8}, "chanels"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], part: str) -> None:
    with pytest.raises(ValidationError, match=f"(?s){part}"):
        RobNetConfig(**options)


def test_all_faults_of_a_genotype_are_said_at_once() -> None:
    with pytest.raises(UserError, match=r"genotype: got 2 cells.*; cell 1: got 1 codes.*; cell 2, code 1: got 'x'"):
        RobNet(classes=2, layers=3, genotype=(("11",), ("x", *ZERO[1:])))


def test_the_large_stem_divides_by_eight_and_reductions_by_two() -> None:
    network, sides = RobNet(classes=2, channels=4, layers=6, genotype=LARGE, stem="large").eval(), list[int]()

    def note(_module: nn.Module, _inputs: Any, out: Tensor) -> None:
        sides.append(out.shape[-1])

    for cell in network.cells:
        cell.register_forward_hook(note)
    network(torch.zeros(1, 3, 224, 224))
    assert sides == [28, 28, 14, 14, 7, 7]

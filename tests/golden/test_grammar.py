"""Model files of other tools load unchanged. Origin of the counts: the same files built by the tool they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

from leansort.arch.analysis.summary import require_input_size
from leansort.arch.build import macs, parameters
from leansort.arch.model_files import builder, list_grammar, rows
from leansort.arch.spec.spec import ArchSpec
from leansort.core.errors import UserError

EXAMPLE = """
input_channel: 3
depth_multiple: 1.0
width_multiple: 1.0
backbone:
  - [1, Conv, [6, 5, 1, 0]]
  - [1, MaxPool, [2]]
  - [1, Conv, [16, 5, 1, 0]]
  - [1, MaxPool, [2]]
  - [1, GlobalAvgPool, []]
  - [1, Flatten, []]
  - [1, Linear, [120, ReLU]]
  - [1, Linear, [84, ReLU]]
  - [1, Linear, [9]]
"""
V3 = """
input_channel: 3
depth_multiple: 1.0
width_multiple: 1.0
backbone:
  - [1, Conv, [16, 3, 2, null, 1, HardSwish]]
  - [1, InvertedResidualv3, [3, 1, 16, 0, 0, 1]]
  - [1, InvertedResidualv3, [3, 4, 24, 0, 0, 2]]
  - [1, InvertedResidualv3, [3, 3, 24, 0, 0, 1]]
  - [1, InvertedResidualv3, [5, 3, 40, 1, 0, 2]]
  - [2, InvertedResidualv3, [5, 3, 40, 1, 0, 1]]
  - [1, InvertedResidualv3, [3, 6, 80, 0, 1, 2]]
  - [1, InvertedResidualv3, [3, 2.5, 80, 0, 1, 1]]
  - [-1, 2, InvertedResidualv3, [3, 2.3, 80, 0, 1], {stride: 1}]
  - [2, InvertedResidualv3, [3, 6, 112, 1, 1, 1]]
  - [1, InvertedResidualv3, [5, 6, 160, 1, 1, 2]]
  - [2, InvertedResidualv3, [5, 6, 160, 1, 1, 1]]
  - [1, Conv, [960, 1, 1]]
  - [1, GlobalAvgPool, []]
  - [1, Conv, [1280, 1, 1]]
  - [1, Flatten, []]
  - [1, Linear, [6]]
"""


def built(text: str, classes: int = 6, **change: Any) -> nn.Module:
    return network_of(yaml.safe_load(text) | change, classes)


def network_of(tree: dict[str, Any], classes: int = 6, width: float = 1.0) -> nn.Module:
    return builder.build_network(rows.parse_model_file(tree, "m.yaml"), ArchSpec(classes=classes, width=width))


def test_counts() -> None:
    example, v3 = built(EXAMPLE, 9), built(V3)
    assert (parameters(example), macs(example, 224)) == (16_817, 70_259_156)
    assert (parameters(v3), macs(v3, 224)) == (4_210_998, 215_317_440)


@pytest.mark.parametrize("multiple", [0.25, 0.5, 0.75])
def test_multiples(multiple: float) -> None:
    narrow, shallow = built(V3, width_multiple=multiple), built(V3, depth_multiple=multiple)
    assert parameters(narrow) < parameters(built(V3))
    assert parameters(shallow) <= parameters(built(V3))
    assert (parameters(shallow) < parameters(built(V3))) == (multiple < 0.75)  # 2 * 0.75 rounds to 2 again
    for network in (narrow, shallow):
        assert network.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 6)


def test_repeats_place_the_stride_and_the_width_as_their_tool_does() -> None:
    tree = {"backbone": [[3, "Conv", [16, 3, 2]], [2, "Bottleneck", [24]], [2, "MBConv", [4, 32, 2, 5]],
                         [1, "GlobalAvgPool", []], [1, "FixedConv", [9, 1]], [1, "Flatten", []]]}  # fmt: skip
    network = network_of(tree, 5)
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.stride[0]) for c in convs[:3]] == [(3, 16, 1), (16, 16, 1), (16, 16, 2)]
    assert [(c.in_channels, c.out_channels) for c in convs[3:7]] == [(16, 8), (8, 16), (16, 12), (12, 24)]
    depthwise = [c.stride[0] for c in convs if c.kernel_size == (5, 5)]
    assert depthwise == [2, 1]
    assert network.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 5)


def test_the_named_form_builds_the_same_network() -> None:
    tree, _ = list_grammar.to_named_fields(yaml.safe_load(V3), "m.yaml")
    again = yaml.safe_load(yaml.safe_dump(tree))
    network = network_of(again)
    assert [(n, p.shape) for n, p in network.named_parameters()] == [
        (n, p.shape) for n, p in built(V3).named_parameters()
    ]


@pytest.mark.parametrize(
    ("row", "part"),
    [
        ([1, "Conf", [16, 3]], "row 1: module: got 'Conf'.*did you mean 'Conv'"),
        ([1, "Conv", [16]], "row 1: Conv lacks kernel"),
        ([1, "Conv", [16, 3, 1, None, 1, "ReLU", 7]], "row 1: Conv takes 6 args"),
        ([1, "Conv", [16, 3], {"strid": 2}], "row 1: Conv argument: got 'strid'.*did you mean 'stride'"),
        ([1, "Conv", [16, 3, 1, None, 1, "ReLu7"]], "row 1: act: got 'relu7'.*did you mean 'relu"),
        ([0, "Conv", [16, 3]], "row 1: repeat: got 0"),
        (["a"], "row 1: got \\['a'\\]"),
        ([[-1, 2], 1, "Conv", [16, 3]], "row 1: from: got 2, need an offset"),
        ([[-1, -1], 1, "Conv", [16, 3]], "row 1: Conv reads one row"),
        ([-3, 1, "Conv", [16, 3]], "row 1: from: got -3"),
        ([1, "Concat", [2]], "row 1: Concat dimension: got 2"),
        ([1, "Conv", ["wide", 3]], "row 1: out: got 'wide'"),
        ([1, "Conv", [16, 3, 1, None, 5]], "row 1, conv: .*groups"),
    ],
)
def test_a_wrong_row_is_named(row: Any, part: str) -> None:
    tree = {"backbone": [row, [1, "GlobalAvgPool", []], [1, "Flatten", []], [1, "Linear", [6]]]}
    with pytest.raises(UserError, match=part):
        network_of(tree)


BRANCHES = """
input_channel: 3
depth_multiple: 0.5
width_multiple: 1.0
backbone:
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 2, Conv, [16, 3]]
  - [1, Pass, []]
  - [[0, -1], 1, Add, []]
  - [0, 1, DWConv, [8, 3]]
  - [[-1, -2, 1], 1, Concat, [1]]
  - [-1, 1, Conv, [24, 1], {activation: null}]
head:
  - [-1, 1, GlobalAvgPool, []]
  - [-1, 1, Flatten, []]
  - [-1, 1, Linear, [6]]
"""


def test_rows_that_read_others() -> None:
    """Origin of the count: by hand, convolutions and batch norms of 16, 16, 8 and 24 channels, then the classifier."""
    network = built(BRANCHES).eval()
    convs = 3 * 16 * 9 + 16 * 16 * 9 + 8 * 2 * 9 + (8 + 16 + 16) * 24
    assert parameters(network) == convs + 2 * (16 + 16 + 8 + 24) + 24 * 6 + 6
    assert network(torch.randn(2, 3, 33, 47)).shape == (2, 6)
    named, numbers = list_grammar.to_named_fields(yaml.safe_load(BRANCHES), "m.yaml")
    assert numbers == [1, 2, 4, 5, 6, 7, 8, 9, 10]  # the row of Pass is gone
    again = network_of(yaml.safe_load(yaml.safe_dump(named))).eval()
    again.load_state_dict(network.state_dict())
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(again(x), network(x))


def test_what_rows_read_is_what_they_get() -> None:
    tree = {"rows": [{"block": "conv", "out": 4, "name": "stem"}, {"block": "conv", "out": 4, "act": "none"},
                     {"block": "add", "from": [-1, "stem"], "name": "sum"},
                     {"block": "concat", "from": ["stem", "sum", "input"]},
                     {"block": "pool"}, {"block": "linear"}]}  # fmt: skip
    network = network_of(tree).eval()
    stem, second, *_, classifier = cast(nn.ModuleList, network.rows)
    x = torch.randn(1, 3, 8, 8)
    first = stem(x)
    together = torch.cat([first, first + second(first), x], 1)
    torch.testing.assert_close(network(x), classifier(together.mean((2, 3))))


@pytest.mark.parametrize(
    ("listed", "part"),
    [
        ([{"block": "add", "from": [-1, "stm"]}], "row 2: from: got 'stm'.*did you mean 'stem'"),
        ([{"block": "add", "from": ["stem", "input"]}], "row 2, add: its inputs have 8, 3 channels"),
        ([{"block": "conv", "out": 3, "from": ["stem", "input"]}], "row 2: conv reads one row"),
        ([{"block": "conv", "out": 3}, {"block": "conv", "out": 3, "from": "stem"}], "row 2: nothing reads it"),
        ([{"block": "conv", "out": 3, "name": "stem"}], "row 2: name: got 'stem'"),
        ([{"block": "conv", "out": 3, "from": -4}], "row 2: from: got -4"),
    ],
)
def test_a_wrong_from_is_named(listed: list[Any], part: str) -> None:
    tree = {"rows": [{"block": "conv", "out": 8, "name": "stem"}, *listed, {"block": "pool"}, {"block": "linear"}]}
    with pytest.raises(UserError, match=part):
        network_of(tree)


values = st.one_of(st.integers(-1, 40), st.sampled_from([None, True, 0.5, 2.5, "ReLU", "HardSwish", "x", [1]]))
modules = st.sampled_from(sorted(list_grammar.SIGNATURES))
sources = st.one_of(st.integers(-3, 3), st.lists(st.integers(-3, 3), max_size=3), st.just(-1))
good_rows = st.one_of(
    st.tuples(st.integers(1, 2), st.just("Conv"), st.tuples(st.integers(1, 40), st.sampled_from([1, 3])).map(list)),
    st.tuples(st.integers(1, 2), st.just("MaxPool"), st.tuples(st.integers(1, 4)).map(list)),
    st.tuples(st.lists(st.integers(-2, 2), min_size=1, max_size=3), st.just(1), st.sampled_from(["Add", "Concat"]),
              st.just([])),
).map(list)  # fmt: skip
random_rows = st.one_of(
    st.tuples(st.integers(0, 3), modules, st.lists(values, max_size=7)).map(list),
    st.tuples(sources, st.integers(0, 3), modules, st.lists(values, max_size=7)).map(list),
    good_rows,
    st.lists(values, max_size=4),
)
files = st.one_of(st.lists(random_rows, min_size=1, max_size=4), st.lists(good_rows, min_size=1, max_size=5))


@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files, st.booleans())
@example([[1, "Flatten", []]], True)
@example([[1, "FixedConv", [6, 1]], [1, "Conv", [1, 1]]], False)
def test_random_files_run_or_name_what_is_wrong(listed: list[Any], whole: bool) -> None:
    end: list[Any] = [[1, "GlobalAvgPool", []], [1, "Flatten", []], [1, "Linear", [6]]]
    try:
        network = require_input_size(network_of({"backbone": listed + end * whole}, width=0.5), 32)
    except UserError as error:
        refusal = str(error)
    else:
        assert network.eval()(torch.zeros(1, 3, 32, 32)).shape[:2] == (1, 6)
        return
    assert "\n" not in refusal
    assert "row " in refusal or "m.yaml: the last Linear" in refusal or "m.yaml: backbone" in refusal


def test_a_file_in_the_plugin_folder_is_a_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from leansort.arch.build import build
    from leansort.arch.spec.spec import ArchSpec

    (tmp_path / "backbones").mkdir()
    (tmp_path / "backbones" / "brought.yaml").write_text(V3)
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path))
    assert parameters(build(ArchSpec(base="brought", classes=6))) == 4_210_998

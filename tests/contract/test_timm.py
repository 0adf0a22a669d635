"""Networks of timm of many kinds: each trains a step, exports and agrees with its graph, or is refused in one line."""

from __future__ import annotations

import os

import pytest
from docs import timm_table
from docs.timm_table import Row, line, page, rows, summary

from leansort.export import parity

FAST = ("test_vit", "test_nfnet")  # fixed size, weights of every call
SLOW = (
    "tf_mixnet_s", "levit_128s",  # padding, a cache
    "edgenext_xx_small", "ghostnetv3_050", "starnet_s050", "deit_tiny_distilled_patch16_224",
)  # the others are in the table of docs/timm.md  # fmt: skip


def require_whole(names: tuple[str, ...]) -> None:
    pytest.importorskip("huggingface_hub", reason="timm is not installed")
    result = list(rows([("", name) for name in names]))
    assert [row.name for row in result] == list(names)
    assert [(row.name, row.refusal) for row in result if not (row.trains and row.exports)] == []
    assert all(row.gap is not None and row.gap <= parity.MAX_PROBABILITY_GAP for row in result)


def test_a_few_of_all_kinds() -> None:
    require_whole(FAST)


@pytest.mark.slow
def test_more_of_them() -> None:
    require_whole(SLOW)


def test_a_network_that_kills_its_process_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(family: str, name: str) -> Row:
        if name == "deadly":
            os._exit(7)
        return Row(name, family, exports=True, trains=True, gap=0.0)

    monkeypatch.setattr(timm_table, "tried", dies)
    result = list(rows([("a", "deadly"), ("b", "fine")]))
    assert [row.refusal for row in result] == ["the process ended with code 7", ""]
    assert summary(result).startswith("2 networks of 2 modules of timm: 1 train a step")


def test_the_page_holds_every_row() -> None:
    pytest.importorskip("huggingface_hub", reason="timm is not installed")
    result = [Row("x", "m", 1_500_000, 64, 2_000_000, True, True, 1e-6), Row("y", "n", refusal="cannot | be")]
    assert "This table is not whole: 2 of 5 were tried." in page(result, 5)
    text = page(result, 2)
    assert "not whole" not in text
    assert "2 networks of 2 modules of timm: 1 train a step, export and agree" in text
    assert line(result[0]) == "| `x` | 1.50 | 64 | 2 | yes | yes | 1.0e-06 |"
    assert "| `y` | 0.00 | 0 | 0 | no | no | cannot \\| be |" in text

"""What the page of a compression says first is of the bundle that came out."""

from __future__ import annotations

import re
from typing import Any

from leansort.report import compression_page

F1 = {"value": 0.9, "low": 0.85, "high": 0.95}


def record(name: str, state: str, f1: float, size: int) -> dict[str, Any]:
    verdict = {
        "macro_f1": {**F1, "value": f1}, "drop": {"value": 0.9 - f1, "low": 0.0, "high": 0.02},
        "classes": {"a": f1, "b": f1},
    }  # fmt: skip
    return {
        "name": name, "pass": "" if state == "start" else "prune", "state": state, "verdict": verdict,
        "parameters": size, "macs": 1000 * size, "bytes": 4 * size, "tries": [],
    }  # fmt: skip


def tree(*records: dict[str, Any]) -> dict[str, Any]:
    latency = [
        {"step": item["name"], "engine": "onnxruntime", "value": item["parameters"] / 1e6, "low": 0.1, "high": 9.0}
        for item in records if item["state"] != "refused"
    ]  # fmt: skip
    budget = {"max_f1_drop": 0.01, "threads": 1}
    return {"title": "T", "steps": list(records), "latency": latency, "layers": [], "warning": "", "budget": budget}


def headline(given: dict[str, Any]) -> list[str]:
    return re.findall(r'class="big">([^<]*)<', compression_page.page(given))


def test_a_refused_step_is_in_the_table_and_not_in_the_headline() -> None:
    start, kept = record("start", "start", 0.9, 2_000_000), record("1-prune", "accepted", 0.895, 1_000_000)
    refused = record("2-quantize", "refused", 0.7, 1_000_000)
    assert (
        headline(tree(start, kept, refused))
        == headline(tree(start, kept))
        == ["0.8950", "4.00 MB", "1000.0 M", "1.00 ms"]
    )
    assert headline(tree(start, refused)) == ["0.9000", "8.00 MB", "2000.0 M", "2.00 ms"]
    assert "0.7000" in compression_page.text(tree(start, refused))

"""What the page of a compression says first is of the bundle that came out."""

from __future__ import annotations

import re
from dataclasses import replace

from leansort.compress.pipeline.accuracy_budget import BudgetVerdict, StressVerdict
from leansort.compress.pipeline.compress_result import CompressResult, PipelineStep, StepBudget, StepLatency
from leansort.measure.accuracy.calibration import Calibration
from leansort.measure.accuracy.metrics import Interval
from leansort.measure.robustness.stressed_crops import StressFacts
from leansort.report import compression_page

BUDGET = StepBudget(
    max_f1_drop=0.01, max_class_drop=1.0, sure=False, retries=3, seconds=1.0, engine="onnxruntime", threads=1
)
CALIBRATION = Calibration(10, 1.0, 0.1, 0.1, None, 0.0, 1.0, 0.1, [(1.0, 0.1)])


def step(name: str, state: str, f1: float, size: int) -> PipelineStep:
    verdict = BudgetVerdict(
        Interval(f1, 0.85, 0.95), Interval(0.9 - f1, 0.0, 0.02), {"a": f1, "b": f1}, {"a": 0.0, "b": 0.0},
        state != "refused", "kept to",
    )  # fmt: skip
    return PipelineStep.model_validate({
        "name": name, "pass_name": "" if state == "start" else "prune", "state": state, "verdict": verdict,
        "parameters": size, "macs": 1000 * size, "bytes": 4 * size,
    })  # fmt: skip


def compressed(*steps: PipelineStep) -> CompressResult:
    latency = tuple(
        StepLatency(
            name=f"{item.name} onnxruntime", value=item.parameters / 1e6, unit="ms", low=0.1, high=9.0, count=50,
            engine="onnxruntime", step=item.name,
        ) for item in steps if item.is_held
    )  # fmt: skip
    return CompressResult(
        title="T", steps=steps, latency=latency, layers=(), warning="", budget=BUDGET, calibration=CALIBRATION
    )


def headline(result: CompressResult) -> list[str]:
    return re.findall(r'class="big">([^<]*)<', compression_page.page(result))


def test_a_refused_step_is_in_the_table_and_not_in_the_headline() -> None:
    start, kept = step("start", "start", 0.9, 2_000_000), step("1-prune", "accepted", 0.895, 1_000_000)
    refused = step("2-quantize", "refused", 0.7, 1_000_000)
    assert (
        headline(compressed(start, kept, refused))
        == headline(compressed(start, kept))
        == ["0.8950", "4.00 MB", "1000.0 M", "1.00 ms"]
    )
    assert headline(compressed(start, refused)) == ["0.9000", "8.00 MB", "2000.0 M", "2.00 ms"]
    assert "0.7000" in compression_page.text(compressed(start, refused))


def test_a_result_is_read_as_it_was_written() -> None:
    result = compressed(step("start", "start", 0.9, 2_000_000), step("1-prune", "accepted", 0.895, 1_000_000))
    tree = result.to_json()
    again = CompressResult.from_json(tree, "compress")
    assert again.to_json() == tree
    assert again.steps == result.steps
    assert [item["pass"] for item in tree["steps"]] == ["", "prune"]  # type: ignore[union-attr,call-overload,index]
    assert result.headline()["size"] == "4.00 MB (start 8.00 MB)"


def test_what_is_kept_under_stress_is_told_by_step_and_kind() -> None:
    def under(item: PipelineStep, f1: float) -> PipelineStep:
        assert item.verdict is not None
        stress = StressVerdict(Interval(f1, 0.5, 0.7), Interval(0.6 - f1, 0.0, 0.1), {"darker": f1, "noise": f1})
        return item.model_copy(update={"verdict": replace(item.verdict, stress=stress)})

    steps = (
        under(step("start", "start", 0.9, 2_000_000), 0.6),
        under(step("1-prune", "accepted", 0.9, 1_000_000), 0.55),
    )
    facts = StressFacts(("darker", "noise"), 3, 40, 0, "digest")
    limited = BUDGET.model_copy(update={"max_stress_drop": 0.1})
    result = compressed(*steps).model_copy(update={"stress": facts, "budget": limited})
    text, page = compression_page.text(result), compression_page.page(result)
    assert "| 0.5500       | 5.0 ± 5.0" in text
    assert re.search(r"\| 1-prune \| 0\.550 +\| 0\.550", text)
    assert "mean macro-F1 over 2 kinds at level 3, 40 val crops, which may fall by 10.0 points" in page
    assert headline(result)[:2] == ["0.9000", "0.5500"]
    assert CompressResult.from_json(result.to_json(), "kept") == result
    assert result.headline()["macro-F1 under stress"] == "0.5500 (start 0.6000)"
    plain = compressed(step("start", "start", 0.9, 2_000_000), step("1-prune", "accepted", 0.9, 1_000_000))
    assert "stress" not in compression_page.text(plain)

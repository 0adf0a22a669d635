"""The pipeline: budgets, rolling back, trying weaker, going on; with passes of our own, found as anyone's are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import CompressConfig
from leansort.compress.passes_api import PassContext, read_step
from leansort.compress.pipeline import runner
from leansort.compress.pipeline.accuracy_budget import Budget, judge
from leansort.compress.pipeline.step_record import StepRecord
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.preprocess import Preprocess
from leansort.core.run_folder import CompressionFolder
from leansort.core.seeds import Seeds
from leansort.data.loading.crops import Crops
from leansort.export.onnx import export_onnx
from leansort.measure.robustness.stressed_crops import StressedCrops, StressFacts
from leansort.measure.timing.latency import Seconds
from leansort.workflows.training import network_finetuning
from tests.support import jobs

HURT = '''
from dataclasses import replace
from pathlib import Path
from leansort.compress.passes_api import CompressionPass, PassOutcome
from leansort.core.errors import LeansortError
from leansort.core.strict_model import StrictModel

class HurtConfig(StrictModel):
    amount: float = 1.0
    fails_without: str = ""

class HurtPass(CompressionPass):
    """Turns the classifier around: not at all at 0, altogether at 1."""
    Config = HurtConfig
    stage = "model"

    def weaker(self, fraction):
        return self.changed(amount=fraction * self.config.amount)

    def apply(self, model, context):
        with Path(LOG).open("a") as log:
            log.write(f"{self.config.amount:g} ")
        if self.config.fails_without and not Path(self.config.fails_without).exists():
            raise LeansortError("out of luck")
        last = [name for name in model.weights if name.endswith("weight")][-1]
        turned = {last: model.weights[last] * (1 - 2 * self.config.amount)}
        return PassOutcome(replace(model, weights={**model.weights, **turned}), {"amount": self.config.amount})
'''
GRAPH = """
from leansort.compress.passes_api import CompressionPass, PassOutcome
from leansort.core.strict_model import StrictModel

class CopyPass(CompressionPass):
    Config = StrictModel
    stage = "graph"

    def apply(self, bundle, context):
        return PassOutcome(bundle)
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What was applied; the passes `hurt`, `stubborn` (all or nothing) and `copy` (of graphs) are there to be found."""
    folder, log = tmp_path / "plugins" / "passes", tmp_path / "log"
    folder.mkdir(parents=True)
    hurt = HURT.replace("LOG", repr(str(log)))
    (folder / "hurt.py").write_text(hurt)
    (folder / "stubborn.py").write_text(hurt.replace("def weaker", "def _weaker"))
    (folder / "copy.py").write_text(GRAPH)
    monkeypatch.setenv("LEANSORT_PLUGINS", str(tmp_path / "plugins"))
    return log


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return jobs.trained(jobs.job(epochs=8), tmp_path_factory.mktemp("model"))[0]


def untimed(bundles: Mapping[str, Bundle]) -> dict[str, Seconds]:
    """Everything is as fast as everything else."""
    return {name: np.linspace(1.0, 1.1, 50) for name in bundles}


def crops_at(size: int) -> Crops:
    """The val crops of the job at another size."""
    val = jobs.job().val
    pixels = np.stack([Preprocess(size=size, fit="stretch")(np.asarray(crop)) for crop in val.pixels])
    return Crops(pixels, val.labels)


def context(folder: Path) -> PassContext:
    def never(*given: Any, **more: Any) -> Any:
        raise AssertionError("not in these tests")

    job = jobs.job()
    return PassContext(
        crops=lambda split, preprocess: crops_at(preprocess.size), preprocess=job.preprocess, seeds=Seeds(0),
        folder=folder, finetune=never,
        export=export_onnx, make_cascade=never, time_bundles=untimed, time_layers=never, say=lambda text: None,
    )  # fmt: skip


def ran(
    model: TrainedModel,
    out: Path,
    steps: Sequence[dict[str, Any]],
    stressed: runner.Stress | None = None,
    **config: Any,
) -> runner.PipelineResult:
    read = [read_step(tree, f"steps.{number}.") for number, tree in enumerate(steps, 1)]
    return runner.run_pipeline(CompressConfig(steps=tuple(steps), **config), read, model, context(out), out, stressed)


def stressed_crops(digest: str = "first") -> runner.Stress:
    """The val crops as they are, and darker, as a preprocessing makes them: two kinds of stress."""

    def stressed(preprocess: Preprocess) -> StressedCrops:
        val = crops_at(preprocess.size)
        pixels = np.concatenate([np.asarray(val.pixels), np.asarray(val.pixels) // 2])
        facts = StressFacts(("darker", "noise"), 3, len(val.labels), 0, f"{digest} {preprocess.size}")
        return StressedCrops(facts, pixels, np.asarray(val.labels, np.int64), np.ones((2, len(val.labels)), np.bool_))

    return stressed


def test_an_accepted_step_is_what_comes_out(model: TrainedModel, tmp_path: Path, log: Path) -> None:
    result = ran(model, tmp_path / "out", [{"pass": "hurt", "amount": 0.1}, {"pass": "copy"}])
    assert [step.state for step in result.steps] == ["start", "accepted", "accepted"]
    assert isinstance(result.artifact, Bundle)
    assert list(result.bundles) == ["start", "1-hurt", "2-copy"]
    kept = CompressionFolder(tmp_path / "out").step("2-copy").record.read(StepRecord, "step")
    assert (kept.name, kept.state, kept.tries) == ("2-copy", "accepted", result.steps[2].tries)


def test_what_a_verdict_rests_on_begins_the_steps_anew(model: TrainedModel, tmp_path: Path, log: Path) -> None:
    """More retries, another clock, other data: none is what was finished before."""
    steps = [{"pass": "hurt"}]
    first = ran(model, tmp_path / "out", steps, max_f1_drop=0.02, retries=0)
    assert first.steps[1].state == "refused"
    assert ran(model, tmp_path / "out", steps, max_f1_drop=0.02, retries=0).steps == first.steps
    assert log.read_text().split() == ["1"]
    assert ran(model, tmp_path / "out", steps, max_f1_drop=0.02, retries=4).steps[1].state == "accepted"
    tried = len(log.read_text().split())
    ran(model, tmp_path / "out", steps, max_f1_drop=0.02, retries=4, seconds=2.0)
    assert len(log.read_text().split()) > tried
    tried = len(log.read_text().split())
    other = replace(context(tmp_path / "out"), ground="other crops")
    read = [read_step(tree, "steps.1.") for tree in steps]
    runner.run_pipeline(CompressConfig(max_f1_drop=0.02, retries=4, seconds=2.0), read, model, other, tmp_path / "out")
    assert len(log.read_text().split()) > tried


def test_too_weak_to_be_faster_is_tried_stronger_again(model: TrainedModel, tmp_path: Path, log: Path) -> None:
    """At full strength it hurts, at half it gains no speed: what lies between is tried, not given up."""
    timed = iter([2.0, 1.0, 1.5, 1.5])

    def time_bundles(bundles: Mapping[str, Bundle]) -> dict[str, Seconds]:
        gain = next(timed)
        return {"before": np.linspace(1.0, 1.001, 50) * gain, "now": np.linspace(1.0, 1.001, 50)}

    read = [read_step({"pass": "hurt", "faster": True}, "steps.1.")]
    tools = replace(context(tmp_path / "out"), time_bundles=time_bundles)
    config = CompressConfig(max_f1_drop=0.0, max_class_drop=0.0, retries=3)
    record = runner.run_pipeline(config, read, model, tools, tmp_path / "out").steps[1]
    assert [item.fraction for item in record.tries] == [1.0, 0.5, 0.75, 0.625]
    assert [item.state for item in record.tries] == ["refused", "left alone", "refused", "refused"]
    assert record.state == "refused"  # no strength between loses nothing: the network stays as it was


def test_a_step_over_budget_is_tried_weaker_by_bisection(model: TrainedModel, tmp_path: Path, log: Path) -> None:
    result = ran(model, tmp_path / "out", [{"pass": "hurt"}], max_f1_drop=0.02, retries=4)
    record = result.steps[1]
    assert record.state == "accepted"
    assert 0 < record.fraction < 1
    assert record.verdict is not None
    assert record.verdict.drop.value <= 0.02
    assert [item.fraction for item in record.tries][:2] == [1.0, 0.5]
    assert record.tries[0].state == "refused"
    assert log.read_text().split() == [f"{item.fraction:g}" for item in record.tries]
    assert record.fraction == max(item.fraction for item in record.tries if item.state == "accepted")


def test_a_step_that_loses_under_stress_alone_is_tried_weaker(model: TrainedModel, tmp_path: Path, log: Path) -> None:
    stress = {"kinds": ["darker", "noise"], "max_drop": 0.02}
    result = ran(
        model, tmp_path / "out", [{"pass": "hurt"}], stressed_crops(), max_f1_drop=1.0, retries=4, stress=stress
    )
    start, record = result.steps
    assert (record.tries[0].state, record.state) == ("refused", "accepted")
    assert 0 < record.fraction < 1
    assert "; under stress " in record.tries[0].reason
    assert "points, at most 2.0: refused" in record.tries[0].reason
    assert record.verdict is not None
    assert record.verdict.stress is not None
    assert record.verdict.stress.drop.value <= 0.02
    assert start.verdict is not None
    assert start.verdict.stress is not None
    assert start.verdict.stress.drop.value == 0.0
    assert start.verdict.stress.kinds["darker"] == pytest.approx(start.verdict.macro_f1.value)  # the same pixels


def test_without_a_limit_stress_is_told_and_refuses_nothing(model: TrainedModel, tmp_path: Path, log: Path) -> None:
    steps = [{"pass": "hurt"}]
    result = ran(model, tmp_path / "out", steps, stressed_crops(), max_f1_drop=1.0, stress={})
    assert [item.state for item in result.steps[1].tries] == ["accepted"]
    assert result.steps[1].verdict is not None
    assert result.steps[1].verdict.stress is not None
    assert result.steps[1].verdict.stress.drop.value > 0.3
    assert "under stress" in result.steps[1].reason
    own = [{"pass": "hurt", "max_stress_drop": 0.0, "retries": 0}]
    assert ran(model, tmp_path / "own", own, stressed_crops(), max_f1_drop=1.0, stress={}).steps[1].state == "refused"


def test_other_stress_begins_the_steps_anew_and_the_same_goes_on(
    model: TrainedModel, tmp_path: Path, log: Path
) -> None:
    steps, out = [{"pass": "hurt", "amount": 0.1}], tmp_path / "out"
    plain = ran(model, out, steps, max_f1_drop=1.0)
    first = ran(model, out, steps, stressed_crops(), max_f1_drop=1.0, stress={})
    assert first.steps[1] != plain.steps[1]
    assert ran(model, out, steps, stressed_crops(), max_f1_drop=1.0, stress={}).steps == first.steps
    assert log.read_text().split() == ["0.1"] * 2
    ran(model, out, steps, stressed_crops("other"), max_f1_drop=1.0, stress={})
    assert log.read_text().split() == ["0.1"] * 3
    ran(model, out, steps, stressed_crops("other"), max_f1_drop=1.0, stress={"max_drop": 1.0})
    assert log.read_text().split() == ["0.1"] * 4


def test_a_step_that_cannot_be_weaker_is_rolled_back(model: TrainedModel, tmp_path: Path, log: Path) -> None:
    result = ran(model, tmp_path / "out", [{"pass": "stubborn"}, {"pass": "hurt", "amount": 0.0}])
    assert [step.state for step in result.steps] == ["start", "refused", "accepted"]
    assert "refused" in result.steps[1].reason
    assert "points of macro-F1" in result.steps[1].reason
    assert isinstance(result.artifact, TrainedModel)
    assert all(bool((result.artifact.weights[name] == model.weights[name]).all()) for name in model.weights)
    assert len(result.steps[1].tries) == 1


def test_no_speed_where_speed_is_promised_is_left_alone(model: TrainedModel, tmp_path: Path, log: Path) -> None:
    result = ran(model, tmp_path / "out", [{"pass": "hurt", "amount": 0.1, "faster": True}])
    assert result.steps[1].state == "left alone"
    assert result.steps[1].reason.startswith("no gain, left alone: 1.0")
    assert result.artifact is model


def test_a_pipeline_goes_on_behind_its_finished_steps(model: TrainedModel, tmp_path: Path, log: Path) -> None:
    luck, out = tmp_path / "luck", tmp_path / "out"
    steps = [
        {"pass": "hurt", "amount": 0.1}, {"pass": "hurt", "amount": 0.2},
        {"pass": "hurt", "amount": 0.05, "fails_without": str(luck)},
    ]  # fmt: skip
    with pytest.raises(LeansortError, match="step 3-hurt: out of luck"):
        ran(model, out, steps)
    kept = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and "3-hurt" not in str(path)}
    luck.touch()
    result = ran(model, out, steps)
    assert [step.state for step in result.steps] == ["start", "accepted", "accepted", "accepted"]
    assert log.read_text().split() == ["0.1", "0.2", "0.05", "0.05"]
    changed = [str(path) for path, data in kept.items() if path.read_bytes() != data]
    assert changed == []


def test_a_changed_step_and_those_behind_it_are_done_again(model: TrainedModel, tmp_path: Path, log: Path) -> None:
    for amounts in ((0.1, 0.2, 0.05), (0.1, 0.15, 0.05)):
        ran(model, tmp_path / "out", [{"pass": "hurt", "amount": amount} for amount in amounts])
    assert log.read_text().split() == ["0.1", "0.2", "0.05", "0.15", "0.05"]


def test_what_one_class_pays_counts_too() -> None:
    truth = np.array([0] * 40 + [1] * 40 + [2] * 20)
    now = truth.copy()
    now[80:90] = 0  # half of the third class is lost
    names = ("a", "b", "c")
    refused = judge(truth, truth, now, names, Budget(f1=0.5, one_class=0.1, sure=False))
    assert not refused.accepted
    assert "c lost 33.3 points, at most 10.0" in refused.reason
    assert judge(truth, truth, now, names, Budget(f1=0.5, one_class=0.5, sure=False)).accepted
    assert refused.drop.low < refused.drop.value < refused.drop.high


def test_a_budget_can_be_held_by_the_whole_interval() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    now = np.where(rng.random(200) < 0.03, (truth + 1) % 3, truth)
    budget = Budget(f1=0.04, one_class=1.0, sure=False)
    names = ("a", "b", "c")
    assert judge(truth, truth, now, names, budget).accepted
    assert not judge(truth, truth, now, names, replace(budget, sure=True)).accepted


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"amount": 1}, r"steps\.1\.pass: missing; allowed: .*prune"),
        ({"pass": "prun"}, "did you mean 'prune'"),
        ({"pass": "prune", "mac": 0.5}, r"steps\.1\.mac: unknown key; did you mean 'macs'"),
        ({"pass": "prune"}, "exactly one of macs, parameters and latency"),
        ({"pass": "prune", "macs": 0.5, "finetune": {"epoch": 1}}, r"steps\.1\.finetune\.epoch: unknown key"),
        ({"pass": "prune", "macs": 0.5, "settings": {}}, "settings: unknown key"),
        ({"pass": "fuse", "max_f1_drop": 2}, r"steps\.1\.max_f1_drop: got 2"),
    ],
)
def test_a_wrong_step_is_named(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_step(tree, "steps.1.")


def test_there_is_no_way_back_from_a_graph(model: TrainedModel, tmp_path: Path, log: Path) -> None:
    with pytest.raises(UserError, match=r"step 2 \(hurt\) works on networks, but step 1 \(copy\) made a graph"):
        ran(model, tmp_path / "out", [{"pass": "copy"}, {"pass": "hurt"}])
    assert not log.exists()


def test_a_training_begun_with_another_network_begins_anew(tmp_path: Path) -> None:
    """As after a kill between cuts by measured latency, which the clock does not repeat."""
    jobs.trained(jobs.job(jobs.PLAIN, epochs=1), tmp_path / "train")
    assert network_finetuning.begun(tmp_path / "train", jobs.job(jobs.PLAIN, epochs=1))
    assert not network_finetuning.begun(tmp_path / "train", jobs.job(jobs.NORMED, epochs=1))
    assert not (tmp_path / "train").exists()

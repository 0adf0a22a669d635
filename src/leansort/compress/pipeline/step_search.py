"""One step of a pipeline: at full strength, then weaker by bisection until its budget holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leansort.arch import trained_model
from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import FinetuneConfig
from leansort.compress.passes_api import Artifact, Pass, PassContext, PassOutcome
from leansort.compress.pipeline import artifact_store
from leansort.compress.pipeline.accuracy_budget import BudgetVerdict
from leansort.core.bundle import Bundle
from leansort.core.files import atomic_io, json_documents
from leansort.measure.timing import latency

StepRecord = dict[str, Any]


@dataclass(frozen=True)
class StepSearch:
    """What a step is tried on.

    Attributes:
        given: what the step before left.
        bundle: its bundle.
        one: the pass.
        finetune: training after the cut.
        faster: whether a cut that gains no speed is thrown away.
        retries: how often it is tried weaker.
        judge: compares an artifact with what the pipeline began with.
        context: tools, with the step's own folder.
    """

    given: Artifact
    bundle: Bundle
    one: Pass
    finetune: FinetuneConfig
    faster: bool
    retries: int
    judge: Callable[[Artifact], BudgetVerdict]
    context: PassContext

    def run(self) -> StepRecord:
        """Try; the accepted artifact and its bundle then lie in the step's folder.

        Returns:
            `state` (accepted, refused, left alone), `reason`, `fraction` of the strength, `notes`, `verdict`, `speed`,
            and all `tries`.

        Raises:
            LeansortError: the pass cannot be done.
        """
        tries: list[StepRecord] = []
        best: StepRecord | None = None
        low, high, fraction = 0.0, 1.0, 1.0
        item: Pass | None = self.one
        while item is not None and len(tries) <= self.retries:
            tried = self._try(item, fraction)
            tries.append(tried)
            self.context.say(f"  {100 * fraction:.0f} % of its strength: {tried['reason']}")
            if tried["state"] == "accepted":
                best, low = tried, fraction
            elif tried["state"] == "refused":
                high = fraction
            elif fraction < 1.0:  # too weak to be any faster, where more was too much
                low = fraction
            if fraction == 1.0 and tried["state"] != "refused":
                break
            fraction = (low + high) / 2
            item = self.one.weaker(fraction)
        refused = [entry for entry in tries if entry["state"] == "refused"]
        return self._kept(best or (refused or tries)[-1], tries)

    def _try(self, item: Pass, fraction: float) -> StepRecord:
        folder = self.context.folder / f"try-{100 * fraction:g}"
        outcome = self._cut(item, folder)
        record: StepRecord = {"fraction": fraction, "notes": outcome.notes, "folder": folder.name}
        if outcome.left_alone:
            return {**record, "state": "left alone", "reason": f"left alone: {outcome.left_alone}"}
        if self.faster:
            speed = self._speed(outcome.artifact, folder / "cut")
            record["speed"] = speed
            if speed["low"] <= 1.0:
                text = f"{speed['value']:.2f}x ({speed['low']:.2f} to {speed['high']:.2f})"
                return {**record, "state": "left alone", "reason": f"no gain, left alone: {text} as fast"}
        verdict = self.judge(self._finetuned(outcome.artifact, folder))
        state = "accepted" if verdict.accepted else "refused"
        return {**record, "state": state, "reason": verdict.reason, "verdict": verdict.to_json()}

    def _cut(self, item: Pass, folder: Path) -> PassOutcome:
        """What the pass makes; kept, since it may rest on measured times, and training goes on from the same."""
        done = folder / "cut.json"
        if done.exists():
            kept = json_documents.read(done, artifact_store.CutNote, "step")
            artifact = self.given if kept["left_alone"] else artifact_store.load(folder / "cut", item.stage)
            return PassOutcome(artifact, kept["notes"], kept["left_alone"])
        outcome = item.apply(self.given, replace(self.context, folder=folder))
        if not outcome.left_alone:
            artifact_store.save(outcome.artifact, folder / "cut")
        atomic_io.write_json(done, {"notes": outcome.notes, "left_alone": outcome.left_alone})
        return outcome

    def _speed(self, artifact: Artifact, folder: Path) -> dict[str, float]:
        """How many times as fast as what was given, with its interval."""
        now = artifact_store.bundle_for(artifact, folder, self.context.export)
        times = self.context.time_bundles({"before": self.bundle, "now": now})
        value, low, high = latency.speed_ratio(times["before"], times["now"])
        return {"value": value, "low": low, "high": high}

    def _finetuned(self, artifact: Artifact, folder: Path) -> Artifact:
        if not self.finetune.epochs:
            return artifact
        assert isinstance(artifact, TrainedModel)  # `pipeline.check_order` lets no graph be fine-tuned
        return self.context.finetune(artifact, self.finetune, folder / "finetune")

    def _kept(self, record: StepRecord, tries: list[StepRecord]) -> StepRecord:
        """The step's record; what was accepted goes into the step's own folder."""
        folder = self.context.folder
        if record["state"] == "accepted":
            last = folder / record["folder"] / ("finetune" if self.finetune.epochs else "cut")
            artifact = trained_model.load(last) if self.finetune.epochs else artifact_store.load(last, self.one.stage)
            artifact_store.save(artifact, folder)
            artifact_store.bundle_for(artifact, last, self.context.export).save(folder / artifact_store.BUNDLE)
        short = [{key: item[key] for key in ("fraction", "state", "reason")} for item in tries]
        note = {"note": self.one.note} if self.one.note else {}
        return {**{key: value for key, value in record.items() if key != "folder"}, **note, "tries": short}

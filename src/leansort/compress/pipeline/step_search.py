"""One step of a pipeline: at full strength, then weaker by bisection until its budget holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from leansort.arch import trained_model
from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import FinetuneConfig
from leansort.compress.passes_api import Artifact, CompressionPass, PassContext, PassOutcome
from leansort.compress.pipeline import artifact_store
from leansort.compress.pipeline.accuracy_budget import BudgetVerdict
from leansort.compress.pipeline.step_record import CutNote, StepRecord, StepState, StepTry
from leansort.core.bundle import Bundle
from leansort.core.files.typed_result import JsonObject
from leansort.core.run_folder import StepFolder
from leansort.core.writing import atomic_io
from leansort.measure.accuracy.metrics import Interval
from leansort.measure.timing import latency
from leansort.measure.timing.latency import Seconds


@dataclass(frozen=True)
class _Attempt:
    """A try, and all that was found out in it."""

    fraction: float
    folder: StepFolder
    state: StepState
    reason: str
    notes: JsonObject
    speed: Interval | None = None
    verdict: BudgetVerdict | None = None


@dataclass(frozen=True)
class StepSearch:
    """What a step is tried on.

    Attributes:
        name: of the step.
        given: what the step before left.
        bundle: its bundle.
        step_pass: the pass.
        finetune: training after the cut.
        faster: whether a cut that gains no speed is thrown away.
        retries: how often it is tried weaker.
        judge: compares an artifact with what the pipeline began with.
        context: tools, with the step's own folder.
    """

    name: str
    given: Artifact
    bundle: Bundle
    step_pass: CompressionPass
    finetune: FinetuneConfig
    faster: bool
    retries: int
    judge: Callable[[Artifact], BudgetVerdict]
    context: PassContext

    def run(self) -> StepRecord:
        """Try; the accepted artifact and its bundle then lie in the step's folder.

        Raises:
            LeansortError: the pass cannot be done.
        """
        tries: list[_Attempt] = []
        best: _Attempt | None = None
        low, high, fraction = 0.0, 1.0, 1.0
        item: CompressionPass | None = self.step_pass
        known = list[BaseModel]()  # settings: of a pass with few strengths, several fractions are the same one
        while item is not None and len(tries) <= self.retries and item.config not in known:
            known.append(item.config)
            tried = self._try(item, fraction)
            tries.append(tried)
            self.context.say(f"  {100 * fraction:.0f} % of its strength: {tried.reason}")
            if tried.state == "accepted":
                best, low = tried, fraction
            elif tried.state == "refused":
                high = fraction
            elif fraction < 1.0:  # too weak to be any faster, where more was too much
                low = fraction
            if fraction == 1.0 and tried.state != "refused":
                break
            fraction = (low + high) / 2
            item = self.step_pass.weaker(fraction)
        refused = [entry for entry in tries if entry.state == "refused"]
        chosen = best or (refused or tries)[-1]
        if chosen.state == "accepted":
            self._keep(chosen)
        return self._record(chosen, tries)

    def _try(self, item: CompressionPass, fraction: float) -> _Attempt:
        folder = StepFolder(self.context.folder).attempt(fraction)
        outcome = self._cut(item, folder)
        left_alone = _Attempt(fraction, folder, "left alone", f"left alone: {outcome.left_alone}", outcome.notes)
        if outcome.left_alone:
            return left_alone
        times = self._times(outcome.artifact, folder.cut) if self.faster else {}
        speed = Interval(*latency.speed_ratio(times["before"], times["now"])) if times else None
        if times:
            told: JsonObject = {name: dict(_milliseconds(taken)) for name, taken in times.items()}
            left_alone = replace(left_alone, notes={**outcome.notes, "latency_ms": told})
        if speed is not None and speed.low <= 1.0:
            text = f"{speed.value:.2f}x ({speed.low:.2f} to {speed.high:.2f}) as fast, {_change(times)}"
            return replace(left_alone, reason=f"no gain, left alone: {text}", speed=speed)
        verdict = self.judge(self._finetuned(outcome.artifact, folder))
        state: StepState = "accepted" if verdict.accepted else "refused"
        return replace(left_alone, state=state, reason=verdict.reason, speed=speed, verdict=verdict)

    def _cut(self, item: CompressionPass, folder: StepFolder) -> PassOutcome:
        """What the pass makes; kept, since it may rest on measured times, and training goes on from the same."""
        if kept := folder.cut_note.read_if_there(CutNote, "step"):
            artifact = self.given if kept.left_alone else artifact_store.load(folder.cut, item.stage)
            return PassOutcome(artifact, kept.notes, kept.left_alone)
        outcome = item.run(self.given, replace(self.context, folder=folder.path))
        if not outcome.left_alone:
            artifact_store.save(outcome.artifact, folder.cut)
        notes: JsonObject = json.loads(atomic_io.canonical_json(outcome.notes))  # a pass may note tuples
        folder.cut_note.write(CutNote(notes=notes, left_alone=outcome.left_alone))
        return replace(outcome, notes=notes)

    def _times(self, artifact: Artifact, folder: Path) -> dict[str, Seconds]:
        """Call times of what was given, `before`, and of what was made of it, `now`."""
        now = artifact_store.bundle_for(artifact, folder, self.context.export)
        return self.context.time_bundles({"before": self.bundle, "now": now})

    def _finetuned(self, artifact: Artifact, folder: StepFolder) -> Artifact:
        if not self.finetune.epochs:
            return artifact
        assert isinstance(artifact, TrainedModel)  # `runner.check_order` lets no graph be fine-tuned
        return self.context.finetune(artifact, self.finetune, folder.finetuning)

    def _keep(self, chosen: _Attempt) -> None:
        """Put what was accepted into the step's own folder."""
        step, last = StepFolder(self.context.folder), chosen.folder.cut
        artifact: Artifact
        if self.finetune.epochs:
            last = chosen.folder.finetuning
            artifact = trained_model.load(last)
        else:
            artifact = artifact_store.load(last, self.step_pass.stage)
        artifact_store.save(artifact, step.path)
        artifact_store.bundle_for(artifact, last, self.context.export).save(step.bundle)

    def _record(self, chosen: _Attempt, tries: Sequence[_Attempt]) -> StepRecord:
        return StepRecord(
            name=self.name,
            pass_name=self.step_pass.name,
            settings=self.step_pass.config.model_dump(mode="json"),
            state=chosen.state,
            reason=chosen.reason,
            fraction=chosen.fraction,
            notes=chosen.notes,
            note=self.step_pass.note,
            speed=chosen.speed,
            verdict=chosen.verdict,
            tries=tuple(StepTry(fraction=tried.fraction, state=tried.state, reason=tried.reason) for tried in tries),
        )


def _milliseconds(taken: Seconds) -> dict[str, float]:
    """Mean and percentiles: a cascade's mean may fall while its p99 rises."""
    p50, p99 = (float(value) for value in 1e3 * np.quantile(taken, [0.5, 0.99]))
    return {"mean": 1e3 * float(taken.mean()), "p50": p50, "p99": p99}


def _change(times: Mapping[str, Seconds]) -> str:
    """As `mean 1.204 ms from 1.187, p50 1.100 from 1.150, p99 2.300 from 1.400`."""
    before, now = _milliseconds(times["before"]), _milliseconds(times["now"])
    parts = [f"{name} {now[name]:.3f}{' ms' if name == 'mean' else ''} from {before[name]:.3f}" for name in now]
    return ", ".join(parts)

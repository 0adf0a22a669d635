"""A pipeline of passes: each step measured, judged, tried again weaker or rolled back, and kept for going on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import CompressConfig, Step
from leansort.compress.evaluation import predict_classes
from leansort.compress.passes_api import Artifact, Pass, PassContext
from leansort.compress.pipeline import artifact_store
from leansort.compress.pipeline.accuracy_budget import Budget, BudgetVerdict, judge
from leansort.compress.pipeline.step_search import StepSearch
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.files import atomic_io

VERSION = 1
StepRecord = dict[str, Any]
Steps = Sequence[tuple[Step, Pass]]


@dataclass(frozen=True)
class PipelineResult:
    """What a pipeline came to.

    Attributes:
        artifact: of the last accepted step, or what it began with.
        bundle: its bundle.
        records: of the start and of every step, as `compress.json` holds them.
        bundles: of the start and of every accepted step, by name.
    """

    artifact: Artifact
    bundle: Bundle
    records: list[StepRecord]
    bundles: dict[str, Bundle]


def check_order(steps: Steps) -> None:
    """Refuse what cannot follow: training or networks after a graph, training after what it undoes, all after a last.

    Raises:
        UserError: naming both steps.
    """
    graph, fragile, last = "", "", ""
    for number, (step, item) in enumerate(steps, 1):
        name = f"step {number} ({item.name})"
        if last:
            raise UserError(f"compress.steps: {name} follows {last}, which has to be the last")
        last = name if item.last else ""
        if graph and item.stage != "graph":
            raise UserError(f"compress.steps: {name} works on networks, but {graph} made a graph")
        graph = graph or (name if item.stage == "graph" else "")
        fragile = fragile or (name if item.lost_by_training else "")
        if graph and step.finetune.epochs:
            raise UserError(
                f"compress.steps: {name} is fine-tuned, but a graph cannot be trained; fine-tune the step before it"
            )
        if fragile and any(training.epochs for training in item.trainings(step)):
            raise UserError(f"compress.steps: {name} trains, which would undo {fragile}; put that behind all training")


def run_pipeline(
    config: CompressConfig, steps: Steps, model: TrainedModel, context: PassContext, out: Path
) -> PipelineResult:
    """Do the steps; those that are finished in `out` are left alone.

    Args:
        config: budgets.
        steps: the passes.
        model: what to begin with.
        context: tools for the passes; each step gets a folder and seeds of its own.
        out: gets `compress.json` after every step, and a folder for each in `steps/`.

    Raises:
        UserError: the steps' order is impossible.
        LeansortError: a pass failed; earlier steps are kept.
    """
    check_order(steps)
    line = _Line(config, model, context, out)
    for number, (step, item) in enumerate(steps, 1):
        line.step(f"{number}-{item.name}", step, item)
    return PipelineResult(line.artifact, line.bundle, line.records, line.bundles)


class _Line:
    """Where a pipeline stands."""

    def __init__(self, config: CompressConfig, model: TrainedModel, context: PassContext, out: Path) -> None:
        self.config, self.context, self.out = config, context, out
        self.key = atomic_io.digest(
            [
                artifact_store.digest(model),
                context.engine,
                context.threads,
                config.seconds,
                context.seeds.value,
                context.ground,
            ]
        )
        folder = artifact_store.open_step_folder(out / "steps" / "0-start", self.key)
        self.artifact: Artifact = model
        self.bundle = artifact_store.bundle_for(model, folder, context.export)
        self.bundles = {"start": self.bundle}
        self.truth = np.asarray(context.val.labels, np.int64)
        self.said = predict_classes(model, context.val, context.engine)
        first = self._verdict(model, Budget(1.0, 1.0, sure=False))
        self.records: list[StepRecord] = []
        self._add({"name": "start", "pass": "", "state": "start", "reason": "", "verdict": first.to_json()})

    def step(self, name: str, step: Step, item: Pass) -> None:
        """Do one step, or take it from its folder where it is finished."""
        budget = self._budget(step)
        retries = self.config.retries if step.retries is None else step.retries
        self.key = atomic_io.digest(
            [self.key, item.config.model_dump(mode="json"), step.model_dump(mode="json"), asdict(budget), retries]
        )
        folder = artifact_store.open_step_folder(self.out / "steps" / name, self.key)
        if item.stage == "graph":
            self.artifact = self.bundle
        done = folder / "step.json"
        if done.exists():
            record = artifact_store.step_record(done)
            self.context.say(f"step {name}: finished before; {record['reason']}")
        else:
            record = self._done(name, step, item, budget, retries, folder)
            atomic_io.write_json(done, record)
        if record["state"] == "accepted":
            self.artifact = artifact_store.load(folder, item.stage)
            self.bundle = self.bundles[name] = artifact_store.bundle_for(self.artifact, folder, self.context.export)
        self._add(record)

    def _done(self, name: str, step: Step, item: Pass, budget: Budget, retries: int, folder: Path) -> StepRecord:
        self.context.say(f"step {name}:")
        trial = StepSearch(
            given=self.artifact, bundle=self.bundle, one=item, finetune=step.finetune,
            faster=item.faster if step.faster is None else step.faster, retries=retries,
            judge=lambda artifact: self._verdict(artifact, budget),
            context=replace(self.context, folder=folder, seeds=self.context.seeds.child(f"compress/{name}")),
        )  # fmt: skip
        try:
            record = trial.run()
        except LeansortError as error:
            error.args = (f"step {name}: {error}",)
            raise
        return {"name": name, "pass": item.name, "settings": item.config.model_dump(mode="json"), **record}

    def _verdict(self, artifact: Artifact, budget: Budget) -> BudgetVerdict:
        classes = predict_classes(artifact, self.context.val, self.context.engine)
        return judge(self.truth, self.said, classes, self.bundle.meta.labels, budget)

    def _budget(self, step: Step) -> Budget:
        f1, one_class = step.max_f1_drop, step.max_class_drop
        return Budget(
            self.config.max_f1_drop if f1 is None else f1,
            self.config.max_class_drop if one_class is None else one_class,
            self.config.sure,
        )

    def _add(self, record: StepRecord) -> None:
        """Note a step, with the size of what the pipeline holds after it."""
        meta = self.bundle.meta
        size = {"parameters": meta.parameters, "macs": meta.macs, "bytes": len(self.bundle.to_bytes())}
        self.records.append({**record, **size})
        atomic_io.write_json(self.out / "compress.json", {"version": VERSION, "steps": self.records})

"""A pipeline of passes: each step measured, judged, tried again weaker or rolled back, and kept for going on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import CompressConfig, Step
from leansort.compress.evaluation import predict_classes, predict_stressed
from leansort.compress.passes_api import Artifact, CompressionPass, PassContext
from leansort.compress.pipeline import artifact_store
from leansort.compress.pipeline.accuracy_budget import Budget, BudgetVerdict, StressedAnswers, judge
from leansort.compress.pipeline.compress_result import START, PipelineSize, PipelineStep
from leansort.compress.pipeline.step_record import StepRecord
from leansort.compress.pipeline.step_search import StepSearch
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.preprocess import Preprocess
from leansort.core.run_folder import CompressionFolder, StepFolder
from leansort.core.writing import atomic_io
from leansort.measure.robustness.stressed_crops import StressedCrops

Steps = Sequence[tuple[Step, CompressionPass]]
Stress = Callable[[Preprocess], StressedCrops]


@dataclass(frozen=True)
class PipelineResult:
    """What a pipeline came to.

    Attributes:
        artifact: of the last accepted step, or what it began with.
        bundle: its bundle.
        steps: the start and every step, in order.
        bundles: of the start and of every accepted step, by name.
    """

    artifact: Artifact
    bundle: Bundle
    steps: list[PipelineStep]
    bundles: dict[str, Bundle]


def check_order(steps: Steps) -> None:
    """Refuse what cannot follow: training or networks after a graph, training after what it undoes, all after a last.

    A pass may know further obstacles in passes before it.

    Raises:
        UserError: naming both steps.
    """
    graph, fragile, last = "", "", ""
    for number, (step, item) in enumerate(steps, 1):
        name = f"step {number} ({item.name})"
        if last:
            raise UserError(f"compress.steps: {name} follows {last}, which has to be the last")
        last = name if item.last else ""
        for place, (_, earlier) in enumerate(steps[: number - 1], 1):
            if obstacle := item.obstacle(earlier):
                raise UserError(f"compress.steps: {name}: {obstacle} in step {place} ({earlier.name})")
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


def check_start(steps: Steps, model: TrainedModel) -> None:
    """Refuse steps that cannot be done to the network that the pipeline begins with.

    Raises:
        UserError: naming every such step and what is wrong.
    """
    faults = [(number, item.unfit(model)) for number, (_, item) in enumerate(steps, 1)]
    if wrong := [f"compress.steps.{number}.{fault}" for number, fault in faults if fault]:
        raise UserError("; ".join(wrong))


def run_pipeline(
    config: CompressConfig,
    steps: Steps,
    model: TrainedModel,
    context: PassContext,
    out: Path,
    stressed: Stress | None = None,
) -> PipelineResult:
    """Do the steps; those that are finished in `out` are left alone.

    Args:
        config: budgets.
        steps: the passes.
        model: what to begin with.
        context: tools for the passes; each step gets a folder and seeds of its own.
        out: gets a folder for each step in `steps/`, with the step's record once it is finished.
        stressed: gives val crops under stress as a preprocessing makes them, by which steps are judged, too; None where
            that is not asked for.

    Raises:
        UserError: the steps' order is impossible, or a step cannot be done to this network.
        LeansortError: a pass failed; earlier steps are kept.
    """
    check_order(steps)
    check_start(steps, model)
    state = PipelineState(config, model, context, CompressionFolder(out), stressed)
    for number, (step, item) in enumerate(steps, 1):
        state.step(f"{number}-{item.name}", step, item)
    return PipelineResult(state.artifact, state.bundle, state.steps, state.bundles)


class PipelineState:
    """Where a pipeline stands.

    Attributes:
        artifact: of the last accepted step.
        bundle: its bundle.
        bundles: of the start and of every accepted step, by name.
        steps: the start and every step so far.
    """

    def __init__(
        self,
        config: CompressConfig,
        model: TrainedModel,
        context: PassContext,
        out: CompressionFolder,
        stressed: Stress | None = None,
    ) -> None:
        """Begin with a network; its bundle lies in the folder of the start."""
        self.config, self.context, self.out, self.stressed = config, context, out, stressed
        self.key = atomic_io.digest(
            [
                artifact_store.digest(model),
                context.engine,
                context.threads,
                config.seconds,
                context.seeds.value,
                context.ground,
                *([config.timed] if config.timed != "model" else []),
                *([stressed(model.preprocess).facts.digest] if stressed else []),
            ]
        )
        folder = artifact_store.open_step_folder(out.step("0-start"), self.key)
        self.artifact: Artifact = model
        self.bundle = artifact_store.bundle_for(model, folder.path, context.export)
        self.bundles = {START: self.bundle}
        val = context.of(model).val
        self.ground_truth = np.asarray(val.labels, np.int64)
        self.start = predict_classes(model, val, context.engine)
        self.start_stressed = predict_stressed(model, stressed(model.preprocess), context.engine) if stressed else None
        first = self._verdict(model, Budget(1.0, 1.0, sure=False))
        self.steps = [PipelineStep(name=START, state="start", verdict=first, **self._size())]

    def step(self, name: str, step: Step, item: CompressionPass) -> None:
        """Do one step, or take it from its folder where it is finished."""
        budget = self._budget(step)
        retries = self.config.retries if step.retries is None else step.retries
        described = step.model_dump(mode="json", exclude=set() if self.stressed else {"max_stress_drop"})
        allowed = {name: value for name, value in asdict(budget).items() if value is not None}
        read = [atomic_io.sha256(atomic_io.read_file(file)) for file in item.files()]
        settings = [item.config.model_dump(mode="json"), described, allowed, retries, *read]
        self.key = atomic_io.digest([self.key, *settings])
        folder = artifact_store.open_step_folder(self.out.step(name), self.key)
        if item.stage == "graph":
            self.artifact = self.bundle
        record = folder.record.read_if_there(StepRecord, "step")
        if record:
            self.context.say(f"step {name}: finished before; {record.reason}")
        else:
            record = self._search(name, step, item, budget, retries, folder)
            folder.record.write(record)
        if record.state == "accepted":
            self.artifact = artifact_store.load(folder.path, item.stage)
            self.bundle = artifact_store.bundle_for(self.artifact, folder.path, self.context.export)
            self.bundles[name] = self.bundle
        self.steps.append(PipelineStep.of_record(record, self._size()))

    def _search(
        self, name: str, step: Step, item: CompressionPass, budget: Budget, retries: int, folder: StepFolder
    ) -> StepRecord:
        self.context.say(f"step {name}:")
        search = StepSearch(
            name=name,
            given=self.artifact,
            bundle=self.bundle,
            step_pass=item,
            finetune=step.finetune,
            faster=item.faster if step.faster is None else step.faster,
            retries=retries,
            judge=lambda artifact: self._verdict(artifact, budget),
            context=replace(
                self.context.of(self.artifact),
                folder=folder.path,
                seeds=self.context.seeds.child(f"compress/{name}"),
                allowed_drop=max(0.0, budget.f1 - self._lost()),
            ),
        )
        try:
            return search.run()
        except LeansortError as error:
            error.args = (f"step {name}: {error}",)
            raise

    def _lost(self) -> float:
        """Macro-F1 by which what the pipeline holds is worse than the start; below 0 where it is better."""
        verdicts = [step.verdict for step in self.steps if step.is_held and step.verdict]
        return verdicts[-1].drop.value

    def _verdict(self, artifact: Artifact, budget: Budget) -> BudgetVerdict:
        classes = predict_classes(artifact, self.context.of(artifact).val, self.context.engine)
        return judge(
            self.ground_truth, self.start, classes, self.bundle.meta.labels, budget, self._stressed_answers(artifact)
        )

    def _stressed_answers(self, artifact: Artifact) -> StressedAnswers | None:
        if self.stressed is None or self.start_stressed is None:
            return None
        crops = self.stressed(artifact.preprocess)
        return StressedAnswers(crops, self.start_stressed, predict_stressed(artifact, crops, self.context.engine))

    def _budget(self, step: Step) -> Budget:
        f1, one_class, stress = step.max_f1_drop, step.max_class_drop, step.max_stress_drop
        limit = self.config.stress.max_drop if self.config.stress else None
        return Budget(
            self.config.max_f1_drop if f1 is None else f1,
            self.config.max_class_drop if one_class is None else one_class,
            self.config.sure,
            limit if stress is None else stress,
        )

    def _size(self) -> PipelineSize:
        """The size of what the pipeline holds."""
        meta = self.bundle.meta
        size = len(self.bundle.to_bytes())
        return {"input_size": meta.preprocess.size, "parameters": meta.parameters, "macs": meta.macs, "bytes": size}

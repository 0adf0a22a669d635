"""One candidate of a search: priced, trained as far as it deserves, compressed where its recipe says so."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from leansort.arch.trained_model import TrainedModel
from leansort.compress.evaluation import predict_classes, predict_stressed
from leansort.compress.passes_api import Artifact
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import EngineError, LeansortError, MachineError, MissingExtraError
from leansort.core.manifest import Manifest
from leansort.core.process.console import silence_messages
from leansort.core.run_folder import RunFolder, StudyFolder, TrainingFolder
from leansort.core.writing import file_lock
from leansort.measure.accuracy.metrics import macro_f1_interval
from leansort.measure.robustness.stress_setting import StressSetting
from leansort.measure.robustness.stressed_score import StressedScore, score_under_stress
from leansort.measure.timing import timing_lock
from leansort.recipe.load import validate_recipe
from leansort.recipe.schema import Recipe
from leansort.search.pareto_pruner import is_beaten
from leansort.search.spaces.space import merge_parameters
from leansort.search.study import Study, StudyTrial, TrialLost
from leansort.search.trials.trial_attributes import TrialAttributes
from leansort.search.trials.trial_outcome import TrialOutcome
from leansort.train.callbacks import EpochRecord, TrainingCallback, TrainingStep
from leansort.train.loop import TrainingInterrupted
from leansort.workflows.compression.compress import compress
from leansort.workflows.data.stressed.stressed_val import stressed_val
from leansort.workflows.training.run_group import read_history
from leansort.workflows.training.train import load_crops, train_model
from leansort.workflows.tuning.cost_evaluator import Candidate, CandidateCosts, CostEvaluator


@dataclass(frozen=True)
class TrialEvaluator:
    """What all candidates of a worker share.

    Attributes:
        study: the trials.
        coster: prices them.
        base: the recipe's tree that they start from.
        manifest: the data.
        out: gets `trials/`.
    """

    study: Study
    coster: CostEvaluator
    base: dict[str, JsonValue]
    manifest: Manifest
    out: Path

    def finish(self, trial: StudyTrial) -> TrialOutcome:
        """Look at a candidate and tell the study.

        Raises:
            TrainingInterrupted: the user stopped it; going on with the same recipe goes on from its last checkpoint.
            TrialLost: another worker has taken the trial.
            MachineError: the disk is full, or the database away.
            MissingExtraError: a library is not installed here.
            EngineError: the engine crashed, hung or failed when it was tried.
        """
        started, folder = time.perf_counter(), None
        try:
            with silence_messages(), self.study.beating(trial):
                recipe = self._recipe(trial)
                folder = self._folder(recipe)
                trial_outcome = self._looked_at(trial, recipe)
        except (TrainingInterrupted, TrialLost, MachineError, MissingExtraError, EngineError):
            raise
        except LeansortError as error:
            trial_outcome = TrialOutcome("unfit", note=str(error)[:300])
        except (RuntimeError, MemoryError) as error:  # PyTorch's, of a network that is too large, or that it cannot run
            trial_outcome = TrialOutcome("unfit", note=f"{type(error).__name__}: {error}"[:300])
        trial_outcome = replace(trial_outcome, seconds=time.perf_counter() - started)
        self.study.tell(trial, trial_outcome)
        if folder and trial_outcome.kind != "duplicate":  # whose folder is its twin's
            _tidy(folder, keep_model=trial_outcome.kind == "trained")
        return trial_outcome

    def _folder(self, recipe: Recipe) -> Path:
        return StudyFolder(self.out).trial(recipe.digest).path

    def _looked_at(self, trial: StudyTrial, recipe: Recipe) -> TrialOutcome:
        trial.note(TrialAttributes(recipe=recipe.to_json(), digest=recipe.digest))
        if twin := self.study.twin(trial, recipe.digest):
            return replace(twin.outcome, kind="duplicate", note=f"as trial {twin.number}")
        candidate = self.coster.candidate(recipe)
        costs = self.coster.costs(candidate)
        trial.note(TrialAttributes(costs=costs.values))
        over = {name: by for name, by in self.study.objectives.violations(costs.values).items() if by > 0}
        if over:
            text = ", ".join(f"{name} {costs.values[name]:.4g}" for name in over)
            return TrialOutcome("over budget", costs.values, measurements=costs.measurements, note=text)
        return self._trained(trial, candidate, costs)

    def _recipe(self, trial: StudyTrial) -> Recipe:
        return validate_recipe(merge_parameters(self.base, trial.values), f"of trial {trial.number}")

    def _trained(self, trial: StudyTrial, candidate: Candidate, costs: CandidateCosts) -> TrialOutcome:
        recipe, folder = candidate.recipe, self._folder(candidate.recipe)
        rungs = RungCallback(self.study, trial, costs, recipe.train.epochs)
        outcome = TrialOutcome("trained", costs.values, measurements=costs.measurements, note=costs.note)
        with file_lock.hold_lock(folder / "lock"), timing_lock.InterruptibleWork() as working:
            rungs.catch_up(RunFolder(folder).training.path)
            model = train_model(
                recipe,
                self.manifest,
                RunFolder(folder).training.path,
                cache=StudyFolder(self.out).cache,
                resume=RunFolder(folder).training.checkpoint.exists(),
                callbacks=[rungs, PauseForTiming(working)],
                built=candidate.built,
            )
        if rungs.beaten is not None:
            return replace(
                outcome, kind="stopped", f1=rungs.best, rungs=rungs.scores, epochs=rungs.epoch, note=rungs.beaten
            )
        artifact: Artifact = model
        if recipe.compress.steps:
            artifact = self._compressed(recipe, model, folder)
            costs = self.coster.of_bundle(artifact, candidate)
        f1, interval = self._scored(artifact)
        return replace(
            outcome,
            f1=f1,
            f1_interval=interval,
            rungs=rungs.scores,
            epochs=rungs.epoch,
            costs=costs.values,
            measurements=costs.measurements,
            note=costs.note,
            stress=self._under_stress(artifact),
        )

    def _compressed(self, recipe: Recipe, model: TrainedModel, folder: Path) -> Bundle:
        compress(recipe, model, self.manifest, RunFolder(folder).compression.path, cache=StudyFolder(self.out).cache)
        return bundles.load(RunFolder(folder).compression.bundle)

    def _scored(self, artifact: Artifact) -> tuple[float, tuple[float, float]]:
        """Macro-F1 on val and its interval."""
        val = load_crops(self.manifest, "val", artifact.preprocess, StudyFolder(self.out).cache)
        classes = predict_classes(artifact, val, self.coster.target.engine_spec)
        result = macro_f1_interval(np.asarray(val.labels), classes, len(self.manifest.labels))
        return result.value, (result.low, result.high)

    def _under_stress(self, artifact: Artifact) -> StressedScore | None:
        """What it keeps under stress, where the search asks for that."""
        setting = self.study.config.stress_setting
        if setting is None:
            return None
        cache = StudyFolder(self.out).cache
        return stressed_score(artifact, setting, self.manifest, cache, self.coster.target.engine_spec)


def stressed_score(
    artifact: Artifact, setting: StressSetting, manifest: Manifest, cache: Path, engine: str
) -> StressedScore:
    """What a network or bundle keeps under stress.

    Args:
        artifact: the network or bundle.
        setting: of the search.
        manifest: the data.
        cache: folder of decoded crops, in which those under stress are kept.
        engine: for bundles.

    Raises:
        UserError: the setting does not suit the data.
    """
    stressed = stressed_val(setting, manifest, artifact.preprocess, cache, "stress")
    return score_under_stress(stressed, predict_stressed(artifact, stressed, engine), len(manifest.labels))


class PauseForTiming(TrainingCallback):
    """Lets other processes of the machine time something: the training pauses between two batches while they do.

    Args:
        work: the locks that say so.
    """

    def __init__(self, work: timing_lock.InterruptibleWork) -> None:
        self._work = work

    def on_step(self, step: TrainingStep) -> None:
        """Pause while somebody measures."""
        self._work.give_way()


class RungCallback(TrainingCallback):
    """Ends a training at a rung where another trial beats it.

    Attributes:
        scores: macro-F1 at each rung so far.
        best: macro-F1 of the best epoch so far.
        epoch: the last one.
        beaten: which trial beats it and by how much; None while none does.
    """

    def __init__(self, study: Study, trial: StudyTrial, costs: CandidateCosts, epochs: int) -> None:
        self._study, self._trial, self._costs = study, trial, costs
        self._rungs = {epoch: rung for rung, epoch in study.config.halving.epochs(epochs).items()}
        self.scores: dict[int, float] = {}
        self.best, self.epoch = 0.0, 0
        self.beaten: str | None = None

    def catch_up(self, folder: Path) -> None:
        """Take in the epochs of a training that is gone on with; they were judged when they ended."""
        for record in read_history(folder) if TrainingFolder(folder).history.exists() else []:
            self._add(record)

    def on_epoch(self, record: EpochRecord) -> None:
        """Take in an epoch; at a rung, compare it with the other trials there."""
        rung = self._add(record)
        if rung is None:
            return
        self._trial.note(TrialAttributes(rungs=self.scores))
        mine = [self._costs.values[name] for name in self._study.objectives.costs]
        lost = is_beaten(self.best, mine, rung, self._study.curves(self._trial), self._study.config.halving)
        if lost:
            lead = f"leads by {lost.lead:.3f}, over {lost.margin:.3f}"
            self.beaten = f"at epoch {self.epoch} trial {lost.by} costs no more and {lead}"

    def should_stop(self) -> str | None:
        """Return what beats the trial."""
        return self.beaten

    def _add(self, record: EpochRecord) -> int | None:
        self.epoch, self.best = int(record["epoch"]), max(self.best, float(record["val_macro_f1"]))
        rung = self._rungs.get(self.epoch)
        if rung is not None:
            self.scores[rung] = self.best
        return rung


def _tidy(folder: Path, *, keep_model: bool) -> None:
    """Drop what is of no use once a trial has ended: above all the checkpoint, three times the network's size."""
    RunFolder(folder).training.checkpoint.unlink(missing_ok=True)
    shutil.rmtree(RunFolder(folder).training.tensorboard, ignore_errors=True)
    if not keep_model:
        RunFolder(folder).training.model.unlink(missing_ok=True)

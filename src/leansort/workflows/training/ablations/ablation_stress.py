"""What the networks of an ablation keep under stress, each measured once and kept with its training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from leansort.arch import trained_model
from leansort.compress.evaluation import predict_stressed
from leansort.core.errors import UserError
from leansort.core.files.typed_result import TypedResult
from leansort.core.run_folder import GroupFolder, TrainingFolder
from leansort.measure.robustness.stress_setting import StressSetting
from leansort.measure.robustness.stressed_crops import StressedCrops, StressFacts
from leansort.measure.robustness.stressed_score import StressedScore, score_under_stress
from leansort.recipe.schema import Recipe
from leansort.workflows.data.stressed.stressed_val import stressed_val
from leansort.workflows.training.run_group import RunGroup
from leansort.workflows.training.training_results import TrainingResult

WHERE = "stress"


class StressedTraining(TypedResult):
    """What the network of a training keeps under stress, as the training's folder holds it.

    Attributes:
        recipe: digest of the training's recipe.
        data: digest of its manifest.
        stress: digest of what decided the pixels under stress.
        score: the mean macro-F1 and each kind's.
    """

    VERSION: ClassVar[int] = 1
    recipe: str
    data: str
    stress: str
    score: StressedScore


class AblationStress:
    """Puts the networks of an ablation under stress; the crops are made once for each preprocessing.

    Attributes:
        facts: what stress.
    """

    def __init__(self, ground: RunGroup, setting: StressSetting, recipes: Mapping[str, Recipe]) -> None:
        """Make the crops of every variant, before hours are spent on training.

        Args:
            ground: where the trainings are.
            setting: which stress.
            recipes: by variant, the base among them.

        Raises:
            UserError: the setting does not suit the data.
        """
        self._ground = ground
        self._crops: dict[str, StressedCrops] = {}
        for recipe in recipes.values():
            if recipe.preprocess.digest not in self._crops:
                made = stressed_val(setting, ground.manifest, recipe.preprocess, ground.cache, WHERE)
                self._crops[recipe.preprocess.digest] = made
        self.facts: StressFacts = next(iter(self._crops.values())).facts
        GroupFolder(ground.out).stress_setting.write(setting)

    def score(self, recipe: Recipe, trained: TrainingResult) -> StressedScore:
        """What the network of a finished training keeps: measured, or read where that was done.

        Raises:
            UserError: it was measured under other stress.
        """
        stressed, folder = self._crops[recipe.preprocess.digest], TrainingFolder(self._ground.out / trained.name)
        kept = folder.stressed.read_if_there(StressedTraining, "stress")
        if kept and (kept.recipe, kept.data) == (trained.recipe, trained.data):
            if kept.stress != stressed.facts.digest:
                raise _other_stress(str(folder.path))
            return kept.score
        predicted = predict_stressed(trained_model.load(folder.model), stressed)
        score = score_under_stress(stressed, predicted, len(self._ground.manifest.labels))
        known = {"recipe": trained.recipe, "data": trained.data, "stress": stressed.facts.digest}
        folder.stressed.write(StressedTraining(**known, score=score))
        return score


def require_same_setting(ground: RunGroup, setting: StressSetting | None) -> None:
    """Refuse to go on with an ablation under other stress than it was begun with; one begun without may get some.

    Raises:
        UserError: the settings differ.
    """
    kept = GroupFolder(ground.out).stress_setting.read_if_there(StressSetting, "resume")
    if kept is not None and kept != setting:
        raise _other_stress(str(ground.out))


def _other_stress(where: str) -> UserError:
    return UserError(f"resume: {where} was measured under other stress; give the same --stress, or change --out")

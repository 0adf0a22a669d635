"""Training a network on, for passes: the recipe's own training with a few keys changed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from leansort.arch.pretrained.weight_origin import packs_behind
from leansort.arch.pretrained.weight_pack import is_pack
from leansort.arch.timm_models import timm_networks
from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import RECIPE, START, FinetuneConfig
from leansort.compress.passes_api import Prepare
from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.run_folder import TrainingFolder
from leansort.core.seeds import Seeds
from leansort.core.text import yaml_config
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.recipe.schema import Recipe
from leansort.train import checkpoint
from leansort.train.distillation import teachers
from leansort.train.job import TrainingJob
from leansort.train.loop import train
from leansort.train.progress_display import ProgressDisplay
from leansort.train.train_config import TrainConfig
from leansort.workflows.data.training_covers import training_covers
from leansort.workflows.data.unlabelled_import import UnlabelledRecord, load_unlabelled
from leansort.workflows.training import export_check
from leansort.workflows.training.train import load_crops

M = TypeVar("M", bound=BaseModel)
_PICTURES = 8
# A cut is in every block, so every block is trained on alike, and its batch norms see what the cut has left.
_WHOLE = {"freeze": 0, "freeze_norms": False, "layer_decay": 1.0, "head_lr": 1.0}


@dataclass(frozen=True)
class Finetuning:
    """Trains networks on with a recipe's data, augmentation and training settings.

    Attributes:
        recipe: the recipe.
        manifest: the data.
        cache: folder of decoded crops.
        start: file of the network that teachers named `start` stand for.
        start_size: side of its input; of a network with a smaller one the training crops are kept as large as those of
            the start, so that whoever teaches it sees no less than before. 0 where that does not matter.
        teachers: what a teacher named `recipe` stands for.
        unlabelled: photos without labels, from which networks with teachers learn too.
    """

    recipe: Recipe
    manifest: Manifest
    cache: Path
    start: Path
    teachers: tuple[Path, ...] = ()
    unlabelled: UnlabelledRecord | None = None
    start_size: int = 0

    def __call__(
        self, model: TrainedModel, config: FinetuneConfig, folder: Path, prepare: Prepare | None = None
    ) -> TrainedModel:
        """Train `model` in `folder`, going on with what is there; `prepare` changes the network before training.

        Raises:
            UserError: a key of `config` is wrong, or a teacher is missing or knows other classes.
            LeansortError: the network, as a pass has changed it, cannot be exported.
        """
        job = self._job(model, config)
        network = model.network()
        threads = self.recipe.train.threads or 1
        given = teachers.load(self._files(config), model.labels, hints=config.hints > 0, threads=threads)
        resume = begun(folder, job)
        if not resume:  # what a pass has made of it, before it is trained
            export_check.require_exact(model, "onnx", np.asarray(job.val.pixels[:_PICTURES]))
        say(f"  training on for {config.epochs} epochs{', going on' if resume else ''}")
        network = prepare(network) if prepare else network
        display = ProgressDisplay(job.config.epochs)
        return train(job, folder, network=network, teachers=given, resume=resume, callbacks=[display])

    def _job(self, model: TrainedModel, finetune: FinetuneConfig) -> TrainingJob:
        recipe = self.recipe.model_copy(update={"preprocess": model.preprocess})
        lr = finetune.lr or recipe.train.lr / 4
        own = {
            "epochs": finetune.epochs,
            "lr": lr,
            "warmup": min(finetune.warmup, finetune.epochs / 2),
            **_WHOLE,
            **finetune.train,
        }
        config = _changed(recipe.train, TrainConfig, own, "finetune.train.")
        recipe = recipe.model_copy(update={"train": config})
        larger = max(model.preprocess.size, self.start_size if finetune.teachers else 0)
        shown = recipe.preprocess.model_copy(update={"size": larger})
        cached = recipe.model_copy(update={"preprocess": shown}).train_preprocess
        unlabelled = self.unlabelled if finetune.teachers else None
        more = load_unlabelled(unlabelled, cached, self.cache) if unlabelled else None
        augment = _changed(recipe.augment, AugmentConfig, finetune.augment, "finetune.augment.")
        objects = training_covers(augment, self.manifest, cached, self.cache)
        known = self._provenance(model, finetune) | objects.provenance
        return TrainingJob(
            spec=model.spec,
            preprocess=model.preprocess,
            labels=model.labels,
            train=load_crops(self.manifest, "train", cached, self.cache),
            val=load_crops(self.manifest, "val", model.preprocess, self.cache),
            config=config,
            augment=augment,
            distill=recipe.distill.model_copy(
                update={
                    "teachers": tuple(map(Path, finetune.teachers)),
                    "weight": finetune.weight,
                    "temperature": finetune.temperature,
                    "hints": finetune.hints,
                }
            ),
            seeds=Seeds(recipe.seed).child("compress"),
            provenance=known | ({"unlabelled": more.digest, "unlabelled_photos": more.count} if more else {}),
            unlabelled=more.pixels if more else None,
            covers=objects.covers,
        )

    def _provenance(self, model: TrainedModel, finetune: FinetuneConfig) -> JsonObject:
        """The network's own, and the packs that its teachers come from."""
        packs = packs_behind(teachers=map(str, self._files(finetune)), known=model.provenance.get("packs"))
        own: JsonObject = {"seed": self.recipe.seed, "data": self.manifest.digest}
        return model.provenance | own | ({"packs": packs} if packs else {})

    def _files(self, finetune: FinetuneConfig) -> list[Path]:
        own = {START: (self.start,), RECIPE: self.teachers}
        return [path for name in finetune.teachers for path in own.get(name, (Path(name),))]


def begun(folder: Path, job: TrainingJob) -> bool:
    """Whether a training lies in `folder` that `job` can go on with; another one, of other widths perhaps, goes."""
    path = TrainingFolder(folder).checkpoint
    if path.exists() and checkpoint.identity(path) != job.identity:
        shutil.rmtree(folder)
    return path.exists()


def checked(recipe: Recipe, finetune: FinetuneConfig) -> None:
    """Refuse wrong keys before anything is started.

    Raises:
        UserError: naming them.
    """
    if finetune.hints and not finetune.teachers:
        raise UserError("finetune.hints: nobody gives any; name finetune.teachers, or set it to 0")
    for name in finetune.teachers if finetune.epochs else ():
        if name == RECIPE and not (recipe.distill.teachers or recipe.distill.teacher_recipes):
            raise UserError("finetune.teachers: recipe stands for the recipe's distill.teachers, and it names none")
        if name in (START, RECIPE) or timm_networks.is_timm(name) or is_pack(name):
            continue
        if not Path(name).exists():
            raise UserError(f"finetune.teachers: {name} is not there")
    _changed(recipe.train, TrainConfig, finetune.train, "finetune.train.")
    _changed(recipe.augment, AugmentConfig, finetune.augment, "finetune.augment.")


def _changed(section: BaseModel, kind: type[M], own: Mapping[str, object], where: str) -> M:
    try:
        return kind.model_validate({**section.model_dump(), **own})
    except ValidationError as error:
        raise UserError("; ".join(yaml_config.validation_faults(error, kind, where))) from None

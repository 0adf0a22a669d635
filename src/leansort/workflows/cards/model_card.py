"""`leansort card`: a network or bundle made fit to be passed on, with its recipe and model card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from leansort.compress.evaluation import engine_for, predict_classes
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.files.bundle_card import BundleCard, CardClass, CardFacts, CardScore, CardSeeds
from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.core.manifest import Manifest
from leansort.core.run_folder import ModelFolder
from leansort.core.text import yaml_config
from leansort.core.writing import atomic_io
from leansort.data.loading.crops import Crops
from leansort.measure.accuracy.metrics import Ints, macro_f1_interval, macro_f1_present, per_class
from leansort.measure.confidence import MeanInterval, mean_interval
from leansort.report import model_card_page as cards
from leansort.workflows.cards.card_latency import card_latency, describe_machine
from leansort.workflows.cards.release_source import ReleaseSource, source_of_bundle, source_of_training
from leansort.workflows.training.train import load_crops

SECONDS = 3.0


class CardResult(TypedResult):
    """A model's folder that was written.

    Attributes:
        macro_f1: on the val crops.
        parameters: weights of the network.
        bytes: of all files in the folder.
        folder: the folder.
    """

    macro_f1: float
    parameters: int
    bytes: int
    folder: Path


@dataclass(frozen=True)
class CardSettings:
    """What a card is made of, beside the model.

    Attributes:
        name: of the model; the folder's name where empty.
        notes: paragraphs that stand at the end.
        facts: a YAML file with the keys of `CardFacts`, which go before the recipe's `card` section.
        also: networks or bundles of the same recipe with other seeds; the card tells how all of them score.
        engine: that bundles are scored and timed on; what suits them where empty.
        seconds: least time for each latency of a bundle, 0 times nothing; None is `SECONDS`, and none for a network.
    """

    name: str = ""
    notes: Sequence[str] = ()
    facts: Path | None = None
    also: Sequence[Path] = ()
    engine: str = ""
    seconds: float | None = None


def write_model_card(run: Path, manifest: Manifest, out: Path, settings: CardSettings | None = None) -> CardResult:
    """Write a model's folder: its files, `recipe.json` and the card, `README.md`.

    What the card tells is also in the bundle itself, or beside a network in a file of its own, for programs.

    Args:
        run: folder of a training or of a compression's step, whose files are `model.safetensors` and `spec.json`; or a
            bundle that lies below one, whose file is `model.leansort`. Where it is one of several seeds, the card tells
            their spread.
        manifest: whose val crops it is scored on.
        out: the folder to make.
        settings: what else there is to tell.

    Raises:
        UserError: `run` is no training, no recipe belongs to the bundle, its labels are not the manifest's, an option
            has no effect on a network, a model of another seed has another recipe, or `out` holds something.
        IntegrityError: the bundle is damaged.
    """
    settings = settings or CardSettings()
    passed = _source(run)
    _require_effect(passed, settings)
    facts = _stated(passed, settings.facts)
    others = [_other_seed(path, passed) for path in settings.also]
    passed.artifact.labels.require_same(manifest.labels, "the model", "the manifest")
    with atomic_io.scratch() as folder:
        val = load_crops(manifest, "val", passed.preprocess, folder)
        score = _score(passed, val, manifest.digest, settings.engine)
        seeds = _seeds(passed, others, score, val, settings.engine)
    card = BundleCard(
        **{name: getattr(facts, name) for name in CardFacts.model_fields},
        title=passed.recipe.title or passed.recipe.name,
        teachers=tuple(str(teacher) for teacher in passed.recipe.distill.teachers),
        score=score,
        seeds=CardSeeds(**asdict(seeds)) if seeds else None,
        reproduce=f"leansort {passed.command} seed={passed.recipe.seed} --data FOLDER",
        notes=tuple(settings.notes),
    )
    if isinstance(passed.artifact, Bundle):
        photos = [manifest.path(row) for row in manifest.split("val")]
        seconds = SECONDS if settings.seconds is None else settings.seconds
        timed = card_latency(passed.artifact, photos, engine=settings.engine, seconds=seconds)
        card = card.model_copy(update={"latency": timed})
    return _written(passed, card, settings.name or out.name, out)


def _source(run: Path) -> ReleaseSource:
    return source_of_bundle(run) if run.suffix == ".leansort" else source_of_training(run)


def _require_effect(passed: ReleaseSource, settings: CardSettings) -> None:
    """Refuse what only bundles have."""
    if isinstance(passed.artifact, Bundle):
        return
    for option, value in (("--engine", settings.engine or None), ("--seconds", settings.seconds)):
        if value is not None:
            raise UserError(f"card: {option} has no effect on a network, which PyTorch runs; name a bundle")


def _stated(passed: ReleaseSource, path: Path | None) -> CardFacts:
    """What the recipe states, or else an earlier card, and a file in its place where that says something.

    Raises:
        UserError: the file is wrong, in all places.
    """
    facts, earlier = passed.recipe.card, passed.earlier_card
    if facts == CardFacts() and earlier:
        facts = CardFacts(**{name: getattr(earlier, name) for name in CardFacts.model_fields})
    if path is None:
        return facts
    tree = yaml_config.read_yaml(path, "facts", "data, data_licence, limits")
    try:
        more = CardFacts.model_validate(tree)
    except ValidationError as error:
        raise UserError(f"facts: {path}: {'; '.join(yaml_config.validation_faults(error, CardFacts))}") from None
    return facts.model_copy(update={name: getattr(more, name) for name in more.model_fields_set})


def _other_seed(path: Path, passed: ReleaseSource) -> ReleaseSource:
    """A model of the same recipe with another seed.

    Raises:
        UserError: it is none.
    """
    other, ours = _source(path), passed.recipe
    if type(other.artifact) is not type(passed.artifact):
        raise UserError(f"card: --also {path}: need the same kind of file, networks or bundles")
    if _without_path(other.recipe.model_copy(update={"seed": ours.seed, "card": ours.card}).to_json()) != _without_path(
        ours.to_json()
    ):
        raise UserError(f"card: --also {path} was made by another recipe, and not by this one with another seed")
    if other.recipe.seed == ours.seed:
        raise UserError(f"card: --also {path} has the same seed, {ours.seed}")
    return other


def _predictions(source: ReleaseSource, val: Crops, engine: str) -> tuple[Ints, Ints]:
    return np.asarray(val.labels, np.int64), predict_classes(source.artifact, val, engine)


def _score(passed: ReleaseSource, val: Crops, data: str, engine: str) -> CardScore:
    names = passed.artifact.labels.names
    truth, predicted = _predictions(passed, val, engine)
    f1 = macro_f1_interval(truth, predicted, len(names))
    rows = per_class(truth, predicted, names)
    return CardScore(
        split="val",
        crops=len(truth),
        data=data,
        engine=engine_for(passed.artifact, engine) if isinstance(passed.artifact, Bundle) else "torch",
        machine=describe_machine(),
        macro_f1=f1.value,
        low=f1.low,
        high=f1.high,
        classes=tuple(
            CardClass(name=row.name, precision=row.precision, recall=row.recall, f1=row.f1, crops=row.support)
            for row in rows
        ),
    )


def _seeds(
    passed: ReleaseSource, others: Sequence[ReleaseSource], score: CardScore, val: Crops, engine: str
) -> MeanInterval | None:
    """How the recipe scores with several seeds: as its folder tells, or as the other models are scored now."""
    if not others:
        return passed.seeds
    classes = len(passed.artifact.labels)
    return mean_interval(
        [score.macro_f1, *(macro_f1_present(*_predictions(other, val, engine), classes) for other in others)]
    )


def _written(passed: ReleaseSource, card: BundleCard, name: str, out: Path) -> CardResult:
    released = passed.with_card(card, name)
    target = ModelFolder(atomic_io.new_folder(out, "card"))
    released.save(target)
    if not isinstance(released.artifact, Bundle):
        target.card_facts.write(card.model_dump(mode="json"))
    target.recipe.write(_without_path(passed.recipe_tree))
    facts = released.facts
    target.card.write(cards.text(name, facts, card))
    size = sum(file.stat().st_size for file in out.iterdir())
    macro_f1 = card.score.macro_f1 if card.score else 0.0
    return CardResult(macro_f1=macro_f1, parameters=facts.parameters, bytes=size, folder=out)


def _without_path(recipe: JsonObject) -> JsonObject:
    """The recipe without where its photos lay on the machine that trained."""
    data = recipe["data"]
    return {**recipe, "data": {**data, "path": "photos"}} if isinstance(data, dict) and "path" in data else recipe

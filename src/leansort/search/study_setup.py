"""Beginning a study, or opening the one that is there: what two workers must agree in."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict

from leansort.core.errors import UserError
from leansort.core.files import json_documents
from leansort.core.files.typed_result import JsonObject
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.search.objectives import Objectives
from leansort.search.search_config import SearchConfig
from leansort.search.spaces import samplers, space_parser
from leansort.search.spaces.space import Scalar
from leansort.search.trials.trial_attributes import TrialAttributes

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.storages import BaseStorage

VERSION = 2  # of what is kept with a study and its trials
_QUEUED = "queued"  # set once all trials of a grid wait in the study


class StudyDefinition(BaseModel):
    """What a study was made with. It lies in Optuna's user attributes under the names of the fields.

    Attributes:
        version: of what is kept with a study and its trials; 1 where it is missing.
        search: what the study searches.
        recipe: the recipe that candidates start from, resolved.
        labels: names of the classes, in order.
        digest: of the search, of the data's manifest and of the recipe.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    version: int = 1
    digest: tuple[str, str, str]
    recipe: JsonObject
    labels: tuple[str, ...]
    search: SearchConfig

    @property
    def data(self) -> str:
        """Digest of the manifest that the study's trials are trained on."""
        return self.digest[1]

    def to_json(self) -> JsonObject:
        """As plain data."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, tree: object, where: str) -> Self:
        """The inverse.

        Args:
            tree: the user attributes of a study; what is not of leansort is passed over.
            where: names the study in the error.

        Raises:
            IntegrityError: an attribute is missing or not what was written.
        """
        return json_documents.validate(tree, cls, where)


def create(
    storage: BaseStorage,
    config: SearchConfig,
    recipe: JsonObject,
    labels: Sequence[str],
    data: str,
    objectives: Objectives,
) -> None:
    """Make a study, or open the one that is there.

    Args:
        storage: where it is kept.
        config: what it searches.
        recipe: the tree that candidates start from.
        labels: names of the classes.
        data: digest of the manifest.
        objectives: what is wanted.

    Raises:
        UserError: there is one of the same name that searches for something else, or in other data, or that another
            version of leansort began.
    """
    import optuna

    definition = StudyDefinition(
        version=VERSION,
        digest=(config.digest, data, recipe_digest(recipe)),
        recipe=recipe,
        labels=tuple(labels),
        search=config,
    )
    _require_same(storage, config.name, definition)
    node = space_parser.parse_space(config.space)
    grid = samplers.grid(node, Seeds(config.seed)) if config.sampler.kind == "grid" else []
    study = optuna.create_study(
        study_name=config.name, storage=storage, directions=objectives.directions, load_if_exists=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names are new in Optuna, and only for people
        study.set_metric_names(list(objectives.names))
    for key, value in definition.to_json().items():  # `search` last: a study that has it is whole
        study.set_user_attr(key, value)
    for params in config.start:  # a study that is gone on with may be given more
        _enqueue(study, params)
    if grid and not study.user_attrs.get(_QUEUED):
        for params in grid:
            _enqueue(study, params)
        study.set_user_attr(_QUEUED, True)


def _enqueue(study: OptunaStudy, params: dict[str, Scalar]) -> None:
    study.enqueue_trial(params, user_attrs=TrialAttributes(queued=params).to_json(), skip_if_exists=True)


def _require_same(storage: BaseStorage, name: str, definition: StudyDefinition) -> None:
    import optuna

    if name not in optuna.get_all_study_names(storage):
        return
    study = optuna.load_study(study_name=name, storage=storage)
    attributes = study.user_attrs
    if not attributes and not study.get_trials(deepcopy=False):  # its maker was killed before it could write anything
        return
    if list(attributes.get("digest", [])) != list(definition.digest):
        raise UserError(
            f"tune: study {name!r} is there, of another search, recipe or other data; give this one a name of its own"
        )
    require_version(attributes.get("version", 1), name)


def require_version(version: object, name: str) -> None:
    """Refuse to work on a study whose trials have attributes of another version.

    Raises:
        UserError: saying what can still be done with it.
    """
    if version != VERSION:
        raise UserError(
            f"tune: study {name!r} was begun by another version of leansort; its report can be read, but no worker can "
            "go on with it; give the new search a name of its own"
        )


def recipe_digest(recipe: JsonObject) -> str:
    """Digest of the recipe that candidates start from, wherever its photos lie."""
    data = recipe["data"]
    apart = {key: value for key, value in data.items() if key != "path"} if isinstance(data, dict) else data
    return atomic_io.digest({**recipe, "data": apart})


def require(storage: BaseStorage, name: str) -> StudyDefinition:
    """What a study was made with.

    Raises:
        UserError: there is no such study.
        IntegrityError: its definition was changed.
    """
    import optuna

    names = optuna.get_all_study_names(storage)
    if name not in names:
        raise UserError(f"tune: no study {name!r}, there are: {', '.join(names) or 'none'}")
    attributes = optuna.load_study(study_name=name, storage=storage).user_attrs
    if "search" not in attributes:
        raise UserError(f"tune: study {name!r} is none of leansort's, or is being made this moment")
    return StudyDefinition.from_json(attributes, f"tune: study {name!r}")

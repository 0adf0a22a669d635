"""Beginning a study, or finding the one that is there: what two workers must agree in."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from leansort.core.errors import UserError
from leansort.core.files import atomic_io, json_documents
from leansort.core.seeds import Seeds
from leansort.search import samplers, space_parser
from leansort.search.objectives import Objectives
from leansort.search.search_config import SearchConfig


class _Founded(TypedDict):
    """What is kept with a study; the space, which people may change, is checked by `parsing`."""

    __pydantic_config__ = json_documents.OPEN  # type: ignore[misc]

    search: SearchConfig
    recipe: dict[str, Any]
    labels: list[str]
    digest: Annotated[list[str], Field(min_length=3, max_length=3)]


def create(
    storage: Any, config: SearchConfig, recipe: dict[str, Any], labels: Sequence[str], data: str, objectives: Objectives
) -> None:
    """Make a study, or find the one that is there.

    Args:
        storage: where it is kept.
        config: what it searches.
        recipe: the tree that candidates start from.
        labels: names of the classes.
        data: digest of the manifest.
        objectives: what is wanted.

    Raises:
        UserError: there is one of the same name that searches for something else, or in other data.
    """
    import optuna

    _require_same(storage, config.name, [config.digest, data, recipe_digest(recipe)])
    node = space_parser.parse_space(config.space)
    grid = samplers.grid(node, Seeds(config.seed)) if config.sampler.kind == "grid" else []
    study = optuna.create_study(
        study_name=config.name, storage=storage, directions=objectives.directions, load_if_exists=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names are new in Optuna, and only for people
        study.set_metric_names(list(objectives.names))
    study.set_user_attr("digest", [config.digest, data, recipe_digest(recipe)])
    study.set_user_attr("recipe", recipe)
    study.set_user_attr("labels", list(labels))
    study.set_user_attr("search", config.model_dump(mode="json"))
    for params in config.start:  # a study that is gone on with may be given more
        study.enqueue_trial(params, skip_if_exists=True)
    if grid and not study.user_attrs.get("queued"):
        for params in grid:
            study.enqueue_trial(params, skip_if_exists=True)
        study.set_user_attr("queued", True)


def _require_same(storage: Any, name: str, digest: list[str]) -> None:
    import optuna

    names = [
        all_study_summary.study_name
        for all_study_summary in optuna.get_all_study_summaries(storage, include_best_trial=False)
    ]
    if name not in names:
        return
    study = optuna.load_study(study_name=name, storage=storage)
    there = study.user_attrs.get("digest", [] if study.get_trials(deepcopy=False) else digest)
    if there != digest:
        raise UserError(
            f"tune: study {name!r} is there, of another search, recipe or other data; give this one a name of its own"
        )


def recipe_digest(recipe: dict[str, Any]) -> str:
    """Of the recipe that candidates start from, wherever its photos lie."""
    return atomic_io.digest({**recipe, "data": {key: value for key, value in recipe["data"].items() if key != "path"}})


def require(storage: Any, name: str) -> dict[str, Any]:
    """What a study was made with: `search`, `recipe`, `labels` and `digest`.

    Raises:
        UserError: there is no such study.
    """
    import optuna

    names = [
        all_study_summary.study_name
        for all_study_summary in optuna.get_all_study_summaries(storage, include_best_trial=False)
    ]
    if name not in names:
        raise UserError(f"tune: no study {name!r}, there are: {', '.join(names) or 'none'}")
    made: dict[str, Any] = optuna.load_study(study_name=name, storage=storage).user_attrs
    if "search" not in made:
        raise UserError(f"tune: study {name!r} is none of leansort's, or is being made this moment")
    return {**made, **json_documents.validate(made, _Founded, f"tune: study {name!r}")}

"""A search's own file: what is open, what is wanted, and how it is looked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue, SkipValidation, ValidationError, field_validator

from leansort.contest.formulas import Baselines
from leansort.core.errors import UserError
from leansort.core.strict_model import StrictModel
from leansort.core.text import yaml_config
from leansort.core.text.packaged_configs import RECIPE, SEARCH, find_config
from leansort.core.writing import atomic_io
from leansort.measure.robustness.stress_setting import StressSetting
from leansort.search.objectives import F1, STRESSED, Objectives
from leansort.search.pareto_pruner import HalvingConfig
from leansort.search.spaces import space as spaces
from leansort.search.spaces import space_parser


class SamplerConfig(StrictModel):
    """What proposes candidates.

    Attributes:
        kind: `tpe` (tree-structured Parzen estimators, arXiv:2304.11127), `nsga2`, `nsga3` (evolution), `gp` (Gaussian
            processes), `random`, or `grid`, which tries every combination once, in a drawn order.
        startup: candidates that tpe and gp draw at random first.
        population: of each generation of nsga2 and nsga3.
    """

    kind: Literal["tpe", "nsga2", "nsga3", "gp", "random", "grid"] = "tpe"
    startup: int = Field(default=10, ge=1, le=10_000)
    population: int = Field(default=20, ge=2, le=10_000)


class SearchConfig(StrictModel):
    """A search.

    Attributes:
        name: of the study.
        recipe: the recipe that candidates start from; a path beside this file, or the name of a recipe of the package.
        space: recipe keys that are open; see `search.spaces.space`.
        objectives: what is to be as good as can be: macro_f1, stressed_macro_f1, a cost, a contest score, or several.
        constraints: the worst that is allowed, by name: of macro_f1 and stressed_macro_f1 the least, of all others the
            most; they go before the limits of the recipe's target.
        stress: measures every candidate that is trained to its end under stress; None does so only where
            stressed_macro_f1 is an objective or a constraint, with all as it is by default.
        sampler: what proposes candidates.
        halving: when a trial that is behind is stopped.
        trials: candidates to look at.
        minutes: to stop after; None: only after `trials`.
        start: candidates to look at first, each some parameters by name; the others are drawn.
        seconds: least time of each latency.
        seed: of the sampler.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    recipe: Path
    space: dict[str, Annotated[JsonValue, SkipValidation]]  # `space_parser` says better what is wrong
    objectives: tuple[str, ...] = (F1, "label_p50_ms")
    constraints: dict[str, float] = Field(default_factory=dict)
    stress: StressSetting | None = None
    sampler: SamplerConfig = SamplerConfig()
    halving: HalvingConfig = HalvingConfig()
    trials: int = Field(default=100, ge=1, le=1_000_000)
    minutes: float | None = Field(default=None, gt=0)
    start: tuple[dict[str, spaces.Scalar], ...] = ()
    seconds: float = Field(default=0.3, gt=0, le=60)
    seed: int = Field(default=0, ge=0)

    @field_validator("constraints")
    @classmethod
    def _positive(cls, given: dict[str, float]) -> dict[str, float]:
        if any(not 0 < limit < math.inf for limit in given.values()):
            raise ValueError("limits are numbers over 0")
        return given

    @property
    def digest(self) -> str:
        """Of all that makes two trials comparable; how many there are to be may change."""
        apart = {"recipe", "trials", "minutes", "start", "sampler", "halving"}  # the recipe by its content
        apart |= set() if self.stress else {"stress"}  # studies of before have none
        return atomic_io.digest(self.model_dump(mode="json", exclude=apart))

    @property
    def stress_setting(self) -> StressSetting | None:
        """The stress that candidates are measured under; None where there is none."""
        asked = STRESSED in (*self.objectives, *self.constraints)
        return self.stress or (StressSetting() if asked else None)

    def wanted(self, baselines: Baselines) -> Objectives:
        """The objectives and limits.

        Raises:
            UserError: one is none, or trials would be stopped by less than what is wanted of them.
        """
        wanted = Objectives(self.objectives, self.constraints, baselines)
        if wanted.needs_stress and self.halving.rungs:
            raise UserError(
                f"halving.rungs: got {self.halving.rungs}, need 0 with {STRESSED}: halving stops trials by their "
                "macro-F1 on clean crops, and would stop those that keep more under stress"
            )
        return wanted


def load(path: str | Path, changes: Mapping[str, JsonValue] | None = None) -> SearchConfig:
    """Read a search's file.

    Args:
        path: the YAML file, or the name of a search of the package.
        changes: replace keys of it.

    Raises:
        UserError: unreadable, or wrong in any place; the message lists every fault.
    """
    path = find_config(path, SEARCH)
    tree = yaml_config.read_yaml(path, "search", "name, recipe, space") | dict(changes or {})
    try:
        config = SearchConfig.model_validate(tree)
    except ValidationError as error:
        raise UserError(
            f"search {path}: " + "; ".join(yaml_config.validation_faults(error, SearchConfig, kind="search"))
        ) from None
    try:
        known = spaces.parameters(space_parser.parse_space(config.space))
        for number, given in enumerate(config.start, 1):
            spaces.require_known(given, known, f"start.{number}")
        config.wanted(Baselines())
        recipe = find_config(config.recipe, RECIPE, beside=path.parent)
    except UserError as error:
        raise UserError(f"search {path}: {error}") from None
    return config.model_copy(update={"recipe": recipe})

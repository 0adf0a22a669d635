"""What the recipes that may be tried cost, before any is trained: by that their order is found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from leansort.core.errors import LeansortError, one_line
from leansort.core.files.typed_result import TypedResult
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.provenance import host
from leansort.core.run_folder import SolveFolder
from leansort.data.loading.encoded_photos import encoded_val
from leansort.measure.timing.machine import LoadWatch
from leansort.recipe.schema import Recipe
from leansort.search.objectives import F1, Objectives
from leansort.search.search_config import SearchConfig
from leansort.workflows.solving.candidate_recipes import CandidateRecipe, with_teachers
from leansort.workflows.solving.epoch_budget import OVERHEAD_S, training_seconds
from leansort.workflows.solving.solve_settings import SolveSettings
from leansort.workflows.stages.stage_graph import StageGraph
from leansort.workflows.training.built_network import build_network
from leansort.workflows.tuning.cost_evaluator import CostEvaluator

NOISE = 1.25  # times a latency limit: what is beyond it before training may still turn out to be within
SECONDS = 0.3  # least time of each latency
STEPS = 2  # timed optimizer steps


@dataclass(frozen=True)
class CandidatePrice:
    """What a recipe costs.

    Attributes:
        name: of the recipe.
        costs: of its untrained network, by the names of `search.objectives`; those that were needed.
        pretrained: whether it begins with pretrained weights.
        beyond: what of the goal's budget it cannot keep, in words; empty where it may meet the goal.
        excess: how far beyond the budget it is, as a fraction of the limits, summed.
        step_seconds: of one optimizer step.
        seconds: that its trainings take with all their epochs, roughly.
        hindrance: why it cannot be tried; empty where it can.
    """

    name: str
    costs: dict[str, float]
    pretrained: bool
    beyond: str
    excess: float
    step_seconds: float
    seconds: float
    hindrance: str = ""


class SolvePlan(TypedResult):
    """The recipes that may be tried, the one that is tried first at the front.

    Attributes:
        candidates: all of them.
        warning: where other work kept this machine busy while it took their times, else empty.
    """

    candidates: tuple[CandidatePrice, ...]
    warning: str = ""

    @property
    def hindrances(self) -> str:
        """Why recipes cannot be tried, each reason once with the recipes that have it."""
        names: dict[str, list[str]] = {}
        for item in self.candidates:
            if item.hindrance:
                names.setdefault(item.hindrance, []).append(item.name)
        return "; ".join(f"{', '.join(having)}: {why}" for why, having in names.items())

    def doubt(self, tried: Sequence[str] = ()) -> str:
        """Which recipes may only seem too slow, since the machine was busy; empty where none does.

        Args:
            tried: names of those that were tried all the same.
        """
        slow = [item.name for item in self.candidates if "_ms" in item.beyond and item.name not in tried]
        if not self.warning or not slow:
            return ""
        return f"{', '.join(slow)} may only seem too slow: {self.warning}"

    def __getitem__(self, name: str) -> CandidatePrice:
        """Return a recipe's price by its name."""
        return next(item for item in self.candidates if item.name == name)


def price_candidates(
    candidates: Sequence[CandidateRecipe],
    settings: SolveSettings,
    manifest: Manifest,
    folder: SolveFolder,
    stages: StageGraph,
) -> SolvePlan:
    """Price all recipes and put them in the order in which they may meet the goal, as the stage `price`.

    Those within the budget come first: of these the ones that begin with pretrained weights, and then the larger ones,
    as the accuracy is what is left to be won. Of those beyond it the nearest comes first.

    Args:
        candidates: the recipes.
        settings: with the goal.
        manifest: the data.
        folder: of the solve.
        stages: of the solve.
    """

    def price() -> None:
        watch = LoadWatch()
        prices = [_price(item, settings, manifest, folder) for item in candidates]
        warning = "" if settings.goal.address else watch.warning()
        plan = SolvePlan(candidates=tuple(sorted(prices, key=_order)), warning=warning)
        folder.plan.write(plan)
        if doubt := plan.doubt():
            say(f"price: warning: {doubt}")
        able = [item.name for item in prices if not item.hindrance and not item.beyond]
        stages.note("price", f"{len(able)} of {len(prices)} recipes may meet the goal")

    rests_on = [
        [[item.recipe.digest, item.hindrance] for item in candidates],
        _budget(settings), manifest.digest, settings.goal.device, host(),
    ]  # fmt: skip
    stages.do("price", rests_on, [folder.plan.path], price)
    return folder.plan.read(SolvePlan, "solve")


def step_seconds(recipe: Recipe, classes: int) -> float:
    """Measure one optimizer step of a recipe: the median of a few, on crops of noise."""
    torch.set_num_threads(recipe.train.threads or torch.get_num_threads())
    network, size = build_network(recipe, classes).network.train(), recipe.preprocess.size
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    x_bchw = torch.randn(recipe.train.batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    labels_b = torch.zeros(recipe.train.batch, dtype=torch.long)
    taken = []
    for _ in range(1 + STEPS):  # the first one also prepares
        began = time.perf_counter()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x_bchw), labels_b).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        taken.append(time.perf_counter() - began)
    return min(taken[1:])


def _price(
    candidate: CandidateRecipe, settings: SolveSettings, manifest: Manifest, folder: SolveFolder
) -> CandidatePrice:
    name, pretrained = candidate.name, candidate.recipe.arch.pretrained is not None
    places = [Path(f"teacher-{at}") for at in range(len(candidate.teachers))]  # they stand for what is trained later
    recipe = with_teachers(candidate.recipe, places) if places else candidate.recipe
    if candidate.hindrance:
        say(f"price: {name}: cannot be tried: {candidate.hindrance}")
        return CandidatePrice(name, {}, pretrained, "", 0.0, 0.0, 0.0, candidate.hindrance)
    limits = _budget(settings)
    try:
        costs = _costs(recipe, limits, manifest, folder)
        step = step_seconds(recipe, len(manifest.labels))
    except LeansortError as error:
        say(f"price: {name}: cannot be tried: {error}")
        return CandidatePrice(name, {}, pretrained, "", 0.0, 0.0, 0.0, one_line(error))
    over = {key: costs[key] / limit - 1 for key, limit in limits.items() if key in costs}
    broken = {key: value for key, value in over.items() if value > (NOISE - 1 if key.endswith("_ms") else 0.0)}
    beyond = ", ".join(f"{key} {costs[key]:.3g}, at most {limits[key]:g}" for key in broken)
    seconds = OVERHEAD_S + training_seconds(recipe, step, len(manifest.split("train")))
    told = ", ".join(f"{key} {value:.3g}" for key, value in costs.items())
    say(f"price: {name}: {told}; about {seconds / 60:.1f} min of training" + (f"; beyond {beyond}" if beyond else ""))
    return CandidatePrice(name, costs, pretrained, beyond, sum(broken.values()), step, seconds)


def _budget(settings: SolveSettings) -> dict[str, float]:
    """The limits of a goal that are known before training."""
    return {name: limit for name, limit in settings.goal.limits.items() if name != F1}


def _costs(recipe: Recipe, limits: dict[str, float], manifest: Manifest, folder: SolveFolder) -> dict[str, float]:
    """Of a recipe's network, all that has a limit; its size and multiply-adds in any case."""
    far = {
        name: 1e6 * limit for name, limit in {"size_mb": 1.0, **limits}.items()
    }  # all are to be known, broken or not
    search = SearchConfig(name="solve", recipe=folder.path, space={}, constraints=far, seconds=SECONDS)
    evaluator = CostEvaluator(
        search,
        recipe.target,
        Objectives((F1,), far),
        manifest.labels,
        encoded_val(manifest, recipe.seed),
        manifest.digest,
        folder.pricing,
    )
    known = evaluator.costs(evaluator.candidate(recipe)).values
    return {name: value for name, value in known.items() if name in ("macs", "parameters", *far)}


def _order(price: CandidatePrice) -> tuple[bool, bool, float, bool, float]:
    macs = price.costs.get("macs", 0.0)
    return bool(price.hindrance), bool(price.beyond), price.excess, not price.pretrained, -macs

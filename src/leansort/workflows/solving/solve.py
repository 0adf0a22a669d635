"""`leansort solve`: photos and a goal in, the bundle that meets it out, or a plain word on what is in the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from leansort.arch import trained_model
from leansort.core.errors import UserError, one_line
from leansort.core.files.typed_result import JsonObject
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.process.distributed import is_distributed
from leansort.core.run_folder import SolveFolder
from leansort.core.writing import atomic_io
from leansort.measure.device import device_timing
from leansort.recipe.schema import Recipe
from leansort.workflows.data.unknown_photos import require_unknown_folder
from leansort.workflows.solving import candidate_work, epoch_budget, goal_search
from leansort.workflows.solving.candidate_pricing import SolvePlan, price_candidates
from leansort.workflows.solving.candidate_recipes import (
    CandidateRecipe,
    data_recipe,
    missing_pack,
    read_candidates,
    with_teachers,
)
from leansort.workflows.solving.candidate_work import CandidateOutcome, SolveGround
from leansort.workflows.solving.clean_data import clean_data
from leansort.workflows.solving.solve_delivery import deliver
from leansort.workflows.solving.solve_result import SolveResult
from leansort.workflows.solving.solve_settings import SolveSettings
from leansort.workflows.stages.stage_graph import PlannedStage, StageGraph, open_stages
from leansort.workflows.training.doubt.label_doubt import doubt
from leansort.workflows.training.quick.probe_curve import probe_curve
from leansort.workflows.training.quick.probe_network import DEFAULT as STAND_IN
from leansort.workflows.training.quick.quick_probe import probe

LOOK = ("doubt", "probe")
RESERVE = 0.1  # of the hours, for what follows the training
PLAN = (
    PlannedStage("import"),
    PlannedStage("check", ("import",)),
    PlannedStage("doubt", ("check",)),
    PlannedStage("probe", ("check",)),
    PlannedStage("price", ("check",)),
)


def solve(settings: SolveSettings, out: Path, recipes: Sequence[CandidateRecipe] = ()) -> SolveResult:
    """Find a bundle that meets a goal; what an earlier call did in `out` is not done again.

    Args:
        settings: the goal, the data, and what may be tried.
        out: folder of the solve; see `core.run_folder.SolveFolder`.
        recipes: tried before those of the settings.

    Raises:
        UserError: the data cannot be used, a recipe is wrong, `out` holds something else, or nothing fits into the
            hours.
    """
    if is_distributed():
        raise UserError("solve: exports, times and scores in one process; start leansort train by torchrun")
    require_unknown_folder(settings.unknown, "solve: --unknown")
    candidates = [*recipes, *(item for item in read_candidates(settings) if item.name not in _names(recipes))]
    if settings.goal.address:
        device_timing.device_status(settings.goal.address)  # whether it answers, before hours are spent
    folder = _opened(settings, out)
    with open_stages(folder, "solve", PLAN) as stages:
        manifest = clean_data(settings, folder, stages)
        _look_at_data(settings, folder, stages, manifest)
        for note in (note for item in candidates for note in item.notes):
            say(f"solve: {note}")
        plan = price_candidates(candidates, settings, manifest, folder, stages)
        ground = SolveGround(manifest, folder, stages, settings.goal)
        job = _Solve(settings, ground, {item.name: item for item in candidates}, plan)
        job.try_recipes()
        job.search()
        return deliver(ground, settings, plan, job.outcomes, job.recipes, job.teacher_macro_f1)


class _Solve:
    """The trials of a solve.

    Attributes:
        outcomes: of the candidates that were tried, in order.
        recipes: as they were tried, by name.
        teacher_macro_f1: on val, of the best teacher that was trained; None where there is none.
    """

    def __init__(
        self, settings: SolveSettings, ground: SolveGround, candidates: dict[str, CandidateRecipe], plan: SolvePlan
    ) -> None:
        self.settings, self.ground, self.candidates, self.plan = settings, ground, candidates, plan
        self.outcomes: list[CandidateOutcome] = []
        self.recipes: dict[str, Recipe] = {}
        self.teachers: dict[str, Path] = {}  # by the digest of their recipes
        self.teacher_macro_f1: float | None = None
        self.waits_for: tuple[str, ...] = ("price",)

    @property
    def solved(self) -> bool:
        """Whether one that was tried meets the goal."""
        return any(item.met for item in self.outcomes)

    def left(self) -> float | None:
        """Seconds that are left for training; None where there is no limit."""
        hours = self.settings.goal.hours
        return None if hours is None else (1 - RESERVE) * 3600 * hours - self.ground.stages.seconds

    def try_recipes(self) -> None:
        """Try the recipes in their order until one meets the goal.

        Raises:
            UserError: none can be tried, or none fits into the hours.
        """
        able = [item for item in self.plan.candidates if not item.hindrance]
        if not able:
            raise UserError(f"solve: no recipe can be tried: {self.plan.hindrances}")
        wanted = [item for item in able if not item.beyond] or able[:1]  # the nearest, for an honest answer
        for price in self.plan.candidates:
            candidate_work.plan_candidate(self.ground, price.name, ("price",))
            if price not in wanted:
                candidate_work.skip_candidate(self.ground, price.name, price.hindrance or f"beyond {price.beyond}")
        for price in wanted:
            if self.solved:
                candidate_work.skip_candidate(self.ground, price.name, "another one meets the goal")
            else:
                self._try(self.candidates[price.name], price.seconds)
        if not self.outcomes:
            shortest = min(wanted, key=lambda price: price.seconds)
            hours = epoch_budget.SHORTEST * shortest.seconds / 3600 / (1 - RESERVE)
            raise UserError(
                f"solve: no recipe fits into {self.settings.goal.hours:g} h: {shortest.name} needs about "
                f"{max(hours, 0.001):.2g} h more for the shortest training that tells anything; give more --hours"
            )

    def _try(self, candidate: CandidateRecipe, seconds: float) -> None:
        """Try one recipe, for as many of its epochs as there is time for."""
        folder = self.ground.folder.candidate(candidate.name)
        wanted = seconds + sum(self._teacher_seconds(teacher, seconds, candidate) for teacher in candidate.teachers)
        left = self.left()
        fraction = candidate_work.kept_fraction(self._taught(candidate), folder)
        if fraction is None:
            least = epoch_budget.WORTHWHILE if self.outcomes else epoch_budget.SHORTEST
            fraction = 1.0 if left is None else epoch_budget.fitting_fraction(wanted, left, least)
        if not fraction:
            why = f"does not fit: needs about {wanted / 60:.1f} min, {max(0.0, left or 0.0) / 60:.1f} are left"
            candidate_work.skip_candidate(self.ground, candidate.name, why)
            return
        if fraction < 1:
            say(f"{candidate.name}: {100 * fraction:.0f} % of its epochs, to fit into the hours")
        self._train_teachers(candidate, fraction)
        self._finish(candidate.name, self._taught(candidate), fraction)

    def _finish(self, name: str, recipe: Recipe, fraction: float) -> None:
        outcome = candidate_work.try_candidate(self.ground, name, recipe, fraction)
        self.outcomes.append(outcome)
        self.recipes[name] = recipe

    def _taught(self, candidate: CandidateRecipe) -> Recipe:
        folders = [self._teacher_place(teacher) for teacher in candidate.teachers]
        return with_teachers(candidate.recipe, folders) if folders else candidate.recipe

    def _teacher_place(self, teacher: Recipe) -> Path:
        return self.ground.folder.teacher(f"{teacher.name}-{teacher.digest[:6]}").path

    def _teacher_seconds(self, teacher: Recipe, seconds: float, candidate: CandidateRecipe) -> float:
        """Roughly what a teacher's training takes, by the student's: 0 where it is trained already."""
        if teacher.digest in self.teachers:
            return 0.0
        student = candidate.recipe
        pixels = (teacher.preprocess.size / student.preprocess.size) ** 2
        epochs = max(1.0, epoch_budget.total_epochs(student))
        return seconds * pixels * teacher.train.epochs / epochs

    def _train_teachers(self, candidate: CandidateRecipe, fraction: float) -> None:
        for teacher in candidate.teachers:
            place = self._teacher_place(teacher)
            stage = f"teacher {place.name.removeprefix('teacher-')}"
            self.ground.stages.plan([PlannedStage(stage, ("price",))])
            candidate_work.plan_candidate(self.ground, candidate.name, (stage,))
            if teacher.digest not in self.teachers:
                short = epoch_budget.change_epochs(teacher, lambda count: round(fraction * count))
                candidate_work.train_teacher(self.ground, short, stage, place.name.removeprefix("teacher-"))
                self.teachers[teacher.digest] = place
                scored = float(trained_model.load(place).provenance["val_macro_f1"])
                self.teacher_macro_f1 = max(scored, self.teacher_macro_f1 or 0.0)

    def search(self) -> None:
        """Search for a network of the goal's budget where no recipe meets the goal, and try the winner."""
        stages, name = self.ground.stages, goal_search.NAME
        tried = tuple(candidate_work.stage_names(item.name)[-1] for item in self.outcomes)
        stages.plan([PlannedStage(goal_search.STAGE, tried)])
        why, left = self._against_search(), self.left()
        if why:
            stages.skip(goal_search.STAGE, why)
            return
        winner = goal_search.search_network(self.ground, self.settings, list(self.teachers.values()), left)
        if winner is None:
            return
        candidate_work.plan_candidate(self.ground, name, (goal_search.STAGE,))
        kept = candidate_work.kept_fraction(winner, self.ground.folder.candidate(name))
        now = self.left()
        wanted = goal_search.winner_seconds(winner, self.ground.manifest)
        fraction = kept or (1.0 if now is None else epoch_budget.fitting_fraction(wanted, now))
        if fraction:
            self._finish(name, winner, fraction)
        else:
            candidate_work.skip_candidate(self.ground, name, f"does not fit: needs about {wanted / 60:.1f} min")

    def _against_search(self) -> str:
        """Why nothing is searched; empty where something is."""
        left = self.left()
        if self.solved:
            return "a recipe meets the goal"
        if not self.settings.trials:
            return "--trials 0"
        if self.ground.stages[goal_search.STAGE].state != "done" and left is not None and left < goal_search.LEAST_S:
            return f"does not fit: {max(0.0, left) / 60:.1f} min are left"
        return ""


def _look_at_data(settings: SolveSettings, folder: SolveFolder, stages: StageGraph, manifest: Manifest) -> None:
    """Rank doubtful labels, and say by a linear probe what the data can give; both need pretrained weights."""
    recipe = data_recipe(settings)
    if why := missing_pack(STAND_IN):
        say(f"solve: no pretrained weights are at hand, so networks are trained from scratch: {why}")
        for stage in LOOK:
            stages.skip(stage, f"no pretrained weights: {one_line(why)}")
        return
    data, cache, place = folder.without_leaks.manifest, folder.cache, folder.look

    def rank() -> None:
        result = doubt(recipe, place.path, manifest=data, cache=cache)
        stages.note("doubt", f"{result.flagged} labels count as another class; {result.page}")

    def look() -> None:
        result = probe(recipe, place.path, manifest=data, cache=cache)
        folder.curve.write(probe_curve(recipe, place.path, data, cache))
        stages.note("probe", f"linear probe, val macro-F1 {result.score.val_macro_f1}")

    works: dict[str, tuple[Callable[[], None], list[Path]]] = {
        "doubt": (rank, [place.doubt.path]),
        "probe": (look, [place.training.probe.path, folder.curve.path]),
    }
    for stage, (work, outputs) in works.items():
        try:
            stages.do(stage, [manifest.digest, recipe.preprocess.model_dump(mode="json")], outputs, work)
        except UserError as error:  # what it looks at says something of the goal, and the goal does without
            stages.skip(stage, one_line(error))


def _names(recipes: Sequence[CandidateRecipe]) -> set[str]:
    return {item.name for item in recipes}


def _opened(settings: SolveSettings, out: Path) -> SolveFolder:
    """Open the folder of a solve, new or as an earlier call on the same data left it.

    Raises:
        UserError: it holds something else.
    """
    folder = SolveFolder(out.resolve())  # paths of teachers decide what is trained: the same from anywhere
    if folder.recipe.exists() and folder.stages.exists():
        if folder.recipe.read(JsonObject, "solve").get("data") != data_recipe(settings).to_json()["data"]:
            raise UserError(f"solve: {out} was begun with other photos; name another folder with --out")
    else:
        atomic_io.new_folder(out, "solve")
    folder.recipe.write(data_recipe(settings).to_json())
    return folder

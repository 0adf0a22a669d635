"""The end of a solve: the best bundle by val is scored, put under stress, explained and reported."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from leansort.contest.score_result import ScoreResult
from leansort.core import bundle as bundles
from leansort.core.process.console import say
from leansort.core.run_folder import RunFolder
from leansort.measure.corruptions.kinds import BACKGROUND, KINDS
from leansort.measure.robustness.stress_result import StressResult
from leansort.recipe.schema import Recipe
from leansort.recipe.target import engine_with_threads
from leansort.search.objectives import F1
from leansort.workflows.deploy.bench import BenchResult
from leansort.workflows.deploy.run_report import read_evidence, write_page
from leansort.workflows.finishing.finish import finish
from leansort.workflows.finishing.run_result import RunResult
from leansort.workflows.robustness.stress import StressSettings, stress
from leansort.workflows.solving import solve_advice
from leansort.workflows.solving.candidate_pricing import SolvePlan
from leansort.workflows.solving.candidate_recipes import TEACHER_SIZE, with_limits
from leansort.workflows.solving.candidate_work import CandidateOutcome, SolveGround, read_calibration, stage_names
from leansort.workflows.solving.solve_paragraph import solve_paragraph
from leansort.workflows.solving.solve_result import Advice, SolveResult, StressFigures
from leansort.workflows.solving.solve_settings import SolveSettings
from leansort.workflows.stages.stage_graph import PlannedStage
from leansort.workflows.training.doubt.doubt_result import DoubtResult
from leansort.workflows.training.quick.probe_curve import ProbeCurve
from leansort.workflows.training.quick.probe_result import ProbeResult

LEVEL, CROPS = 3, 60  # of the stress test, a light one
STRESS = StressSettings(kinds=tuple(name for name in KINDS if name != BACKGROUND), levels=(LEVEL,), crops=CROPS)


def choose_outcome(outcomes: Sequence[CandidateOutcome]) -> CandidateOutcome:
    """The one that meets the goal, else the one that misses it by least on val; of equal ones the more accurate."""
    return min(outcomes, key=lambda item: (not item.met, item.miss, -item.macro_f1.value))


def deliver(
    ground: SolveGround,
    settings: SolveSettings,
    plan: SolvePlan,
    outcomes: Sequence[CandidateOutcome],
    recipes: Mapping[str, Recipe],
    teacher: float | None,
) -> SolveResult:
    """Finish a solve: choose by val, judge by test, and tell it.

    Args:
        ground: of the solve.
        settings: of the solve.
        plan: what all recipes cost.
        outcomes: of those that were tried, at least one.
        recipes: as they were tried, by name.
        teacher: macro-F1 on val of the best teacher; None where there is none.
    """
    chosen = choose_outcome(outcomes)
    folder, stages, place = ground.folder, ground.stages, ground.folder.candidate(chosen.name)
    recipe = with_limits(recipes[chosen.name], settings.goal)
    place.recipe.write(recipe.to_json())
    last = tuple(stage_names(item.name)[-1] for item in outcomes)
    stages.plan([PlannedStage("bench", (*last, "search")), PlannedStage("score", ("bench",))])
    stages.plan([PlannedStage("stress", (*last, "search")), PlannedStage("report", ("score", "stress"))])
    _stress(ground, recipe, place, settings)
    result = finish(recipe, ground.manifest, place, stages, read_calibration(place))
    shutil.copyfile(place.bundle, folder.bundle)
    stressed = _stress_figures(ground)
    advice = _advice(ground, recipe, chosen, outcomes, plan, result, teacher)
    goal = tuple(item for item in result.limits if item.name in settings.goal.limits)
    doubt = plan.doubt([item.name for item in outcomes])
    paragraph = solve_paragraph(result, goal, chosen.name, advice, stressed, doubt)
    scored, timed = place.score.read(ScoreResult, "solve"), place.bench.read(BenchResult, "solve")
    evidence = read_evidence(place, scored, timed, read_calibration(place))
    page = write_page(evidence, place, folder.report.path, conclusion=paragraph)
    look = folder.look
    probed = look.training.probe.read_if_there(ProbeResult, "solve")
    doubted = look.doubt.read_if_there(DoubtResult, "solve")
    known = dict(result)
    known |= {"bundle": folder.bundle, "report": page, "probe": probed.score if probed else None}
    solved = SolveResult.model_validate(
        {
            **known,
            "goal": settings.goal,
            "met": all(item.met for item in goal),
            "chosen": chosen.name,
            "paragraph": paragraph,
            "advice": tuple(advice),
            "candidates": tuple(outcomes),
            "prices": plan.candidates,
            "skipped": stages.skipped,
            "stressed": stressed,
            "curve": folder.curve.read_if_there(ProbeCurve, "solve"),
            "teacher_macro_f1": teacher,
            "doubtful_labels": doubted.flagged if doubted else None,
            "hours": stages.seconds / 3600,
        }
    )
    folder.solve.write(solved)
    return solved


def _stress(ground: SolveGround, recipe: Recipe, place: RunFolder, settings: SolveSettings) -> None:
    """A light stress test on val crops; left out by name where there is no time for it."""
    stages, folder, hours = ground.stages, ground.folder.stress, settings.goal.hours
    if hours is not None and stages.seconds > 3600 * hours and stages["stress"].state != "done":
        stages.skip("stress", f"does not fit: {hours:g} h are over")
        return
    bundle = bundles.load(place.bundle)
    engine = "" if recipe.target.device else engine_with_threads(bundle, recipe.target)

    def work() -> None:
        shutil.rmtree(folder.path, ignore_errors=True)  # one that was interrupted
        how = StressSettings(kinds=STRESS.kinds, levels=STRESS.levels, crops=CROPS, seed=settings.seed, engine=engine)
        stress([place.bundle], [place.path.name], place.manifest, folder.path, how)
        figures = _stress_figures(ground)
        assert figures is not None
        stages.note("stress", f"keeps {100 * figures.kept:.0f} % of its macro-F1 at level {LEVEL}")

    stages.do("stress", [bundle.digest, ground.manifest.digest, settings.seed], [folder.result.path], work)


def _stress_figures(ground: SolveGround) -> StressFigures | None:
    found = ground.folder.stress.result.read_if_there(StressResult, "solve")
    if found is None or ground.stages["stress"].state == "skipped":
        return None
    summary = found.bundles[0].summary
    return StressFigures(
        summary.level, found.crops, summary.macro_f1, summary.kept, summary.worst, summary.worst_macro_f1
    )


def _advice(
    ground: SolveGround,
    recipe: Recipe,
    chosen: CandidateOutcome,
    outcomes: Sequence[CandidateOutcome],
    plan: SolvePlan,
    result: RunResult,
    teacher: float | None,
) -> list[Advice]:
    """What would help, by what is missed; what concerns accuracy also where nothing is."""
    missed = {item.name for item in result.limits if not item.met}
    found: list[Advice | None] = []
    if any(name.endswith("_ms") for name in missed):
        bundle, target = bundles.load(ground.folder.bundle), recipe.target
        engine = engine_with_threads(bundle, target)
        found += [
            solve_advice.faster_engine(bundle, engine, target.threads, not target.device),
            solve_advice.smaller_work(result.latency_ms),
        ]
    found.append(solve_advice.smaller_recipe(result.limits, plan.candidates, outcomes))
    if F1 in missed or not missed:
        probed = ground.folder.look.training.probe.read_if_there(ProbeResult, "solve")
        part = ground.folder.candidate(chosen.name).score.read(ScoreResult, "solve").all
        curve = ground.folder.curve.read_if_there(ProbeCurve, "solve")
        found += [
            solve_advice.shortened_training(chosen),
            solve_advice.better_weights(chosen, probed.score if probed else None) if F1 in missed else None,
            solve_advice.larger_network(chosen, teacher, outcomes, TEACHER_SIZE) if F1 in missed else None,
            solve_advice.larger_input(curve) if F1 in missed else None,
            solve_advice.more_photos(part, ground.manifest, curve),
        ]
    told = [item for item in found if item]
    for item in told:
        say(f"advice: {item}")
    return told

"""`leansort ablate RECIPE VARIANTS`: what each ingredient of a recipe is worth, on equal seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from leansort.core.errors import UserError
from leansort.core.process.console import say
from leansort.core.run_folder import GroupFolder
from leansort.measure.confidence import MeanInterval, mean_interval
from leansort.measure.robustness.stressed_crops import StressFacts
from leansort.measure.robustness.stressed_score import StressedScore
from leansort.recipe.schema import Recipe
from leansort.report import markdown
from leansort.train.loop import TrainingInterrupted
from leansort.workflows.training.ablations.ablation_stress import AblationStress
from leansort.workflows.training.ablations.ablation_variants import BASE
from leansort.workflows.training.run_group import RunGroup, with_seed
from leansort.workflows.training.train import exportable
from leansort.workflows.training.training_results import AblationResult, TrainingResult, VariantResult, VariantStress

VariantRuns = dict[str, dict[int, TrainingResult]]
StressedRuns = dict[str, dict[int, StressedScore]]


def require_exportable(recipes: Mapping[str, Recipe]) -> None:
    """Refuse a network that cannot be built or exported, before data are read and hours are spent on other variants.

    Raises:
        UserError: there is no such network, it does not take the recipe's size, or its export fails or differs.
    """
    for name, recipe in recipes.items():
        try:
            exportable(recipe)
        except UserError as error:
            raise UserError(f"{name}: {error}") from None


def ablate(
    ground: RunGroup,
    recipes: Mapping[str, Recipe],
    overrides: Mapping[str, Sequence[str]],
    seeds: int,
    stress: AblationStress | None = None,
) -> AblationResult:
    """Train every variant with every seed; runs that are finished are left alone.

    All variants of a seed come before the next seed, so that what a stopped ablation has can be compared.
    `ablation.json` and `ablation.md` are written after every run.

    Args:
        ground: where, and on what.
        recipes: by variant, the base among them.
        overrides: what each takes from the base, for the table.
        seeds: number of seeds, from the base's on.
        stress: puts every network under stress once it is trained; None does not.

    Raises:
        UserError: a finished run has another recipe or other data, or was measured under other stress.
        Interrupted: stopped; the table so far is on standard error.
    """
    done: VariantRuns = {name: {} for name in recipes}
    kept: StressedRuns = {name: {} for name in recipes}
    facts = stress.facts if stress else None
    try:
        for seed in range(recipes[BASE].seed, recipes[BASE].seed + seeds):
            for name, recipe in recipes.items():
                trained = ground.trained(with_seed(recipe, seed), f"seed-{seed}/{name}")
                if stress:
                    kept[name][seed] = stress.score(recipe, trained)
                done[name][seed] = trained
                _write(ground, compare_variants(done, overrides, seeds, kept, facts))
    except TrainingInterrupted:
        for line in ablation_table(compare_variants(done, overrides, seeds, kept, facts)).splitlines():
            say(line)
        raise
    return compare_variants(done, overrides, seeds, kept, facts)


def compare_variants(
    done: VariantRuns,
    overrides: Mapping[str, Sequence[str]],
    seeds: int,
    stressed: StressedRuns | None = None,
    facts: StressFacts | None = None,
) -> AblationResult:
    """Every variant that has a run, with its difference to the base on the seeds that both have.

    Args:
        done: trainings by variant and seed.
        overrides: what each variant takes from the base.
        seeds: that were asked for.
        stressed: what the networks keep under stress, likewise.
        facts: what stress; None where there is none.
    """
    variants = []
    for name, runs in done.items():
        if runs:
            variant = _variant(name, runs, done[BASE], overrides[name])
            own = _stress(name, stressed[name], stressed[BASE]) if facts and stressed else None
            variants.append(variant.model_copy(update={"stress": own}))
    complete = all(len(runs) == seeds for runs in done.values())
    return AblationResult(complete=complete, variants=tuple(variants), stress=facts)


def _stress(name: str, scores: dict[int, StressedScore], base: dict[int, StressedScore]) -> VariantStress:
    means = {seed: score.macro_f1.value for seed, score in scores.items()}
    paired = [means[seed] - base[seed].macro_f1.value for seed in means if seed in base and name != BASE]
    difference = mean_interval(paired) if paired else None
    return VariantStress(
        scores=tuple(scores.values()),
        macro_f1=mean_interval(list(means.values())),
        difference=difference,
        verdict=difference.verdict if difference else "",
    )


def _variant(
    name: str, runs: dict[int, TrainingResult], base: dict[int, TrainingResult], overrides: Sequence[str]
) -> VariantResult:
    paired = [_score(runs[seed]) - _score(base[seed]) for seed in runs if seed in base and name != BASE]
    difference = mean_interval(paired) if paired else None
    return VariantResult(
        name=name,
        overrides=tuple(overrides),
        runs=tuple(runs.values()),
        val_macro_f1=mean_interval([_score(run) for run in runs.values()]),
        seconds=fmean(run.seconds for run in runs.values()),
        difference=difference,
        verdict=difference.verdict if difference else "",
    )


def _score(result: TrainingResult) -> float:
    assert result.val_macro_f1 is not None
    return result.val_macro_f1


def _write(ground: RunGroup, result: AblationResult) -> None:
    folder = GroupFolder(ground.out)
    folder.ablation.write(result)
    folder.ablation_table.write(ablation_table(result) + "\n")


def ablation_table(result: AblationResult) -> str:
    """A Markdown table that is as easily read as text; under stress, a second one by kind follows."""
    under_stress = ["under stress", "to the base under stress, 95 %", "verdict under stress"] if result.stress else []
    head = ["variant", "overrides", "seeds", "val macro-F1", "to the base, 95 %", "verdict", *under_stress, "seconds"]
    table = markdown.table(head, [_cells(variant) for variant in result.variants])
    return table if result.stress is None else f"{table}\n\n{_kinds_table(result, result.stress)}"


def _kinds_table(result: AblationResult, facts: StressFacts) -> str:
    """Macro-F1 by kind and variant, the mean of its seeds, and what was left out."""
    stressed = [(variant.name, variant.stress.scores) for variant in result.variants if variant.stress]
    rows = [
        [kind, *(f"{fmean(score.kinds[kind] for score in scores):.3f}" for _, scores in stressed)]
        for kind in facts.kinds
    ]
    lines = [
        f"Under stress: macro-F1 over {facts}.",
        "",
        markdown.table(["kind", *(name for name, _ in stressed)], rows),
    ]
    if facts.left_out:
        lines += ["", f"Left out {facts.left_out}."]
    elif facts.not_cut:
        count = len(facts.not_cut)
        lost = f"{count:,} crop{'s' * (count > 1)}, whose object could not be cut out, first {facts.not_cut[0].image}"
        lines += ["", f"Other grounds are measured without {lost}."]
    return "\n".join(lines)


def _cells(variant: VariantResult) -> list[str]:
    f1 = variant.val_macro_f1
    own = _mean(f1)
    difference = _difference(variant.difference) if variant.difference else ""
    return [
        variant.name,
        " ".join(variant.overrides),
        str(f1.n),
        own,
        difference,
        variant.verdict,
        *(_stress_cells(variant.stress) if variant.stress else []),
        f"{variant.seconds:.1f}",
    ]


def _stress_cells(stress: VariantStress) -> list[str]:
    difference = _difference(stress.difference) if stress.difference else ""
    return [_mean(stress.macro_f1), difference, stress.verdict]


def _mean(result: MeanInterval) -> str:
    return f"{result.mean:.4f}" + ("" if result.std is None else f" ± {result.std:.4f}")


def _difference(result: MeanInterval) -> str:
    between = "" if result.low is None else f" ({result.low:+.4f} to {result.high:+.4f})"
    return f"{result.mean:+.4f}{between}"

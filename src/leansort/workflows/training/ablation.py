"""`leansort ablate RECIPE VARIANTS`: what each ingredient of a recipe is worth, on equal seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from leansort.core.errors import UserError
from leansort.core.process.console import say
from leansort.core.run_folder import GroupFolder
from leansort.measure.confidence import MeanInterval, mean_interval
from leansort.recipe.schema import Recipe
from leansort.report import markdown
from leansort.train.loop import TrainingInterrupted
from leansort.workflows.training.ablation_variants import BASE
from leansort.workflows.training.run_group import RunGroup, with_seed
from leansort.workflows.training.train import exportable
from leansort.workflows.training.training_results import AblationResult, TrainingResult, VariantResult

VariantRuns = dict[str, dict[int, TrainingResult]]


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
    ground: RunGroup, recipes: Mapping[str, Recipe], overrides: Mapping[str, Sequence[str]], seeds: int
) -> AblationResult:
    """Train every variant with every seed; runs that are finished are left alone.

    All variants of a seed come before the next seed, so that what a stopped ablation has can be compared.
    `ablation.json` and `ablation.md` are written after every run.

    Args:
        ground: where, and on what.
        recipes: by variant, the base among them.
        overrides: what each takes from the base, for the table.
        seeds: number of seeds, from the base's on.

    Raises:
        UserError: a finished run has another recipe or other data.
        Interrupted: stopped; the table so far is on standard error.
    """
    done: VariantRuns = {name: {} for name in recipes}
    try:
        for seed in range(recipes[BASE].seed, recipes[BASE].seed + seeds):
            for name, recipe in recipes.items():
                done[name][seed] = ground.trained(with_seed(recipe, seed), f"seed-{seed}/{name}")
                _write(ground, compare_variants(done, overrides, seeds))
    except TrainingInterrupted:
        for line in ablation_table(compare_variants(done, overrides, seeds)).splitlines():
            say(line)
        raise
    return compare_variants(done, overrides, seeds)


def compare_variants(done: VariantRuns, overrides: Mapping[str, Sequence[str]], seeds: int) -> AblationResult:
    """Every variant that has a run, with its difference to the base on the seeds that both have."""
    variants = [_variant(name, runs, done[BASE], overrides[name]) for name, runs in done.items() if runs]
    return AblationResult(complete=all(len(runs) == seeds for runs in done.values()), variants=tuple(variants))


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
    """A Markdown table that is as easily read as text."""
    head = ["variant", "overrides", "seeds", "val macro-F1", "to the base, 95 %", "verdict", "seconds"]
    return markdown.table(head, [_cells(variant) for variant in result.variants])


def _cells(variant: VariantResult) -> list[str]:
    f1 = variant.val_macro_f1
    own = f"{f1.mean:.4f}" + ("" if f1.std is None else f" ± {f1.std:.4f}")
    difference = _difference(variant.difference) if variant.difference else ""
    return [
        variant.name,
        " ".join(variant.overrides),
        str(f1.n),
        own,
        difference,
        variant.verdict,
        f"{variant.seconds:.1f}",
    ]


def _difference(result: MeanInterval) -> str:
    between = "" if result.low is None else f" ({result.low:+.4f} to {result.high:+.4f})"
    return f"{result.mean:+.4f}{between}"

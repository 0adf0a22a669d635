"""`leansort train|ablate|leave-out`: one training, several, what each ingredient is worth, what is not known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from leansort import api
from leansort.cli.completion.offered_names import offer_ablations
from leansort.cli.options import Data, Json, Out, Overrides, RecipeFile, Resume, print_result
from leansort.core.errors import UserError

if TYPE_CHECKING:
    from leansort.measure.robustness.stress_setting import StressSetting

ManifestFile = Annotated[Path | None, typer.Option(help="Train on this manifest instead of importing recipe data.")]
Cache = Annotated[
    Path | None, typer.Option(help="Folder of decoded crops, as data cache makes it; OUT/cache by default.")
]
TrackerName = Annotated[str, typer.Option("--tracker", help="Also send each epoch to wandb or mlflow.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(ablate)
    app.command("leave-out")(leave_out)


def train(
    recipe: RecipeFile,
    overrides: Overrides = None,
    data: Data = None,
    manifest: ManifestFile = None,
    cache: Cache = None,
    out: Out = None,
    resume: Resume = False,
    seeds: Annotated[
        int | None, typer.Option(help="Number of seeds to train with, starting at the recipe's.", min=1)
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Number of folds of train and val for cross-validation.", min=2)
    ] = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="Then train on train and val together, for all epochs.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Fit a classifier on features of the pretrained network, in place of training."),
    ] = False,
    tracker: TrackerName = "",
    as_json: Json = False,
) -> None:
    """Train a network and keep its best epoch; or train it several times and say how far to trust the result.

    \b
    Example: leansort train sample train.epochs=3 --out runs/quick
    Example: leansort train trashnet --quick --data photos/ --out runs/trashnet
    Example: leansort train sample --seeds 3 --folds 5 --refit --out runs/sure
    """
    if quick:
        probe = api.train(
            recipe,
            overrides or [],
            data=data,
            manifest=manifest,
            cache=cache,
            out=out,
            resume=resume,
            seeds=seeds,
            folds=folds,
            refit=refit,
            quick=True,
            tracker=tracker,
        )
        from leansort.workflows.training.quick.probe_result import probe_text

        print_result(probe, as_json, probe_text(probe))
        return
    from leansort.recipe.load import load_recipe

    resolved = load_recipe(recipe, overrides or [], data)
    folder = out or Path("runs") / resolved.name
    _require(tracker)
    if seeds or folds or refit:
        from leansort.workflows.training import cross_validation, run_group

        ground = run_group.open_run_group(
            resolved, folder, manifest=manifest, cache=cache, resume=resume, tracker=tracker
        )
        result = cross_validation.train_repeatedly(ground, resolved, seeds=seeds, folds=folds, with_refit=refit)
        print_result(result, as_json, cross_validation.runs_table(result, folder))
        return
    from leansort.workflows.training.train import train_once

    results = train_once(resolved, folder, manifest=manifest, cache=cache, resume=resume, tracker=tracker)
    text = f"val macro-F1 {results.val_macro_f1:.4f} {results.macro_f1_classes.over} at epoch {results.epoch}"
    text += f": {results.folder}"
    if results.probe:
        from leansort.workflows.training.quick.probe_result import probe_line

        text += f"\n{probe_line(results.probe, results.val_macro_f1)}"
    print_result(results, as_json, text)


def ablate(
    recipe: RecipeFile,
    variants: Annotated[
        Path,
        typer.Argument(
            help="YAML file of variants, each a name and its list of overrides; or a name of the package.",
            autocompletion=offer_ablations,
        ),
    ],
    overrides: Overrides = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds of every variant, starting at the recipe's.", min=1)] = 3,
    data: Data = None,
    manifest: ManifestFile = None,
    cache: Cache = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results; runs/NAME-ablation by default.")
    ] = None,
    resume: Resume = False,
    tracker: TrackerName = "",
    stress: Annotated[
        bool, typer.Option("--stress", help="Also tell what each network keeps of its macro-F1 under stress.")
    ] = False,
    kinds: Annotated[str, typer.Option(help="With --stress: kinds of corruption, with commas; all by default.")] = "",
    level: Annotated[int | None, typer.Option(help="With --stress: level of each kind, 1 to 5; 3 by default.")] = None,
    crops: Annotated[
        int | None, typer.Option(help="With --stress: val crops that are taken; at most 100 by default.")
    ] = None,
    textures: Annotated[
        Path | None, typer.Option(help="With --stress: folder of photos of grounds, used beside drawn ones.")
    ] = None,
    annotations: Annotated[
        list[Path] | None, typer.Option(help="With --stress: COCO file whose polygons cut objects out; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a recipe and variants of it on the same seeds; say which ingredients help, and which help under stress.

    \b
    Example: leansort ablate trashnet trashnet --data photos/ --out runs/ablation
    Example: leansort ablate trashnet-robust trashnet-robust --stress --data photos/ --out runs/robust
    """
    given = {"kinds": kinds, "level": level, "crops": crops, "textures": textures, "annotations": annotations}
    setting = _stress_setting(stress, {name: value for name, value in given.items() if value not in (None, "", [])})
    from leansort.workflows.training.ablations import ablation_variants as files

    results, changes = files.resolve_variants(recipe, variants, overrides or [], data)
    _require(tracker)
    from leansort.workflows.data.stressed.stressed_val import require_enough_crops
    from leansort.workflows.training import run_group
    from leansort.workflows.training.ablations import ablation as ablations  # after the check: these load PyTorch
    from leansort.workflows.training.ablations import ablation_stress

    base = results[files.BASE]
    ablations.require_exportable(results)
    require_enough_crops(setting, manifest, ablation_stress.WHERE)
    folder = out or Path("runs") / f"{base.name}-ablation"
    ground = run_group.open_run_group(base, folder, manifest=manifest, cache=cache, resume=resume, tracker=tracker)
    ablation_stress.require_same_setting(ground, setting)
    under_stress = ablation_stress.AblationStress(ground, setting, results) if setting else None
    result = ablations.ablate(ground, results, changes, seeds, under_stress)
    print_result(result, as_json, ablations.ablation_table(result))


def _stress_setting(asked: bool, given: dict[str, object]) -> StressSetting | None:
    """The stress that options ask for; options without --stress, which would have no effect, are refused."""
    if not asked:
        if given:
            raise UserError(f"ablate: --{next(iter(given))} has no effect without --stress")
        return None
    from leansort.core.text import yaml_config
    from leansort.measure.robustness.stress_setting import StressSetting

    kinds = given.get("kinds", "")
    tree = given | {"kinds": [name.strip() for name in str(kinds).split(",") if name.strip()]}
    try:
        return StressSetting.model_validate(tree)
    except ValidationError as error:
        raise UserError("; ".join(yaml_config.validation_faults(error, StressSetting, "ablate: --"))) from None


def leave_out(
    recipe: RecipeFile,
    overrides: Overrides = None,
    data: Data = None,
    manifest: ManifestFile = None,
    cache: Cache = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results; runs/NAME-leave-out by default.")
    ] = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a recipe without each class in turn; say how well each score of novelty tells the class left out.

    \b
    Example: leansort leave-out trashnet-transfer train.epochs=3 --data photos/ --out runs/leave-out
    """
    result = api.leave_out(recipe, overrides or [], data=data, manifest=manifest, cache=cache, out=out, resume=resume)
    from leansort.workflows.leave_out.leave_out_result import leave_out_table

    print_result(result, as_json, leave_out_table(result))


def _require(tracker: str) -> None:
    """Refuse an unknown tracker, one whose file is wrong, and one that is not installed, before data are read."""
    if tracker:
        from leansort.train import trackers

        trackers.tracker_class(tracker)

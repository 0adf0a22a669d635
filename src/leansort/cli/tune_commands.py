"""`leansort tune`: search for the best network within a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from leansort.api.verbs import with_device
from leansort.cli.completion.offered_names import offer_searches
from leansort.cli.options import (
    Data,
    Device,
    Json,
    Overrides,
    Resume,
    TargetEngine,
    print_line,
    print_result,
)
from leansort.core.errors import UserError, did_you_mean
from leansort.core.text.packaged_configs import SEARCH, is_name

Storage = Annotated[
    str, typer.Option(help="Where the study is kept: postgresql://…, or a journal file; OUT/study.journal by default.")
]
StudyName = Annotated[str, typer.Option("--study", help="The study's name; the only one there by default.")]
Folder = Annotated[Path, typer.Argument(help="The study's folder.")]
ManifestFile = Annotated[Path | None, typer.Option(help="Use this manifest instead of importing recipe data.")]
Budget = Annotated[
    list[str] | None,
    typer.Option(
        "--budget", help="A further limit, e.g. label_p50_ms=1.2, size_mb=2, or macro_f1=0.83 as the minimum."
    ),
]


class _WithDefault(TyperGroup):
    """`leansort tune SPACE` stands for `leansort tune run SPACE`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            close = did_you_mean(args[0], self.commands)
            if close and not Path(args[0]).exists() and not is_name(args[0], SEARCH):
                raise UserError(f"tune: {args[0]!r} is neither a command nor a file{close}")
            args = ["run", *args]
        return super().resolve_command(ctx, args)


tune_app = typer.Typer(
    cls=_WithDefault,
    help="Search for the best network within a budget, measured on the target engine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@tune_app.command("run")
def run(
    space: Annotated[
        Path,
        typer.Argument(
            help="The search: a YAML file, or a name that `leansort recipes list` shows.", autocompletion=offer_searches
        ),
    ],
    overrides: Overrides = None,
    trials: Annotated[int | None, typer.Option(help="Candidates to look at, instead of the file's.", min=1)] = None,
    minutes: Annotated[float | None, typer.Option(help="Begin no further candidate after so long.", min=0.01)] = None,
    workers: Annotated[int, typer.Option(help="Processes of this machine that work on it.", min=1)] = 1,
    seed: Annotated[int | None, typer.Option(help="Of the sampler, instead of the file's.", min=0)] = None,
    warm: Annotated[
        list[Path] | None, typer.Option("--from", help="Folder of an earlier study, whose best are looked at first.")
    ] = None,
    storage: Storage = "",
    data: Data = None,
    manifest: ManifestFile = None,
    engine: TargetEngine = "",
    device: Device = "",
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the study; runs/NAME by default.")] = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Search: candidates are priced before they are trained, and stopped early where others beat them.

    `leansort tune SPACE` is short for it. Overrides change the recipe that candidates start from.

    \b
    Example: leansort tune contest --trials 40 --workers 2 --out runs/search
    Example: leansort tune trashnet --data photos/ --storage postgresql://me@host/studies
    """
    from leansort.search import search_config as configs

    given = {"trials": trials, "minutes": minutes, "seed": seed}
    config = configs.load(space, {key: value for key, value in given.items() if value is not None})
    from leansort.recipe.load import load_recipe

    recipe = load_recipe(config.recipe, with_device(overrides or (), device), data, engine)
    from leansort.workflows.tuning import best_trial
    from leansort.workflows.tuning import study_runner as searching

    where = searching.locate_study(out or Path("runs") / config.name, storage, config.name)
    config = best_trial.warm_start(config, warm or [])
    searching.tune(config, recipe, where, manifest=manifest, resume=resume, workers=workers)
    study_report = best_trial.write_study_report(where)
    print_result(study_report, as_json, best_trial.study_text(where.out))


@tune_app.command()
def worker(
    out: Folder,
    storage: Storage = "",
    study: StudyName = "",
    data: Data = None,
    manifest: ManifestFile = None,
    patience: Annotated[
        float | None, typer.Option(help="Seconds of silence after which a worker elsewhere counts as dead.", min=30)
    ] = None,
) -> None:
    """Join a study: on this machine by its folder, from others by its database; its trials are kept in OUT.

    \b
    Example: leansort tune worker runs/search
    Example: leansort tune worker runs/here --storage postgresql://me@host/studies --study trashnet --data photos/
    """
    from leansort.workflows.tuning import best_trial
    from leansort.workflows.tuning import study_runner as searching

    where = best_trial.find_study(out, storage, study)
    done = searching.join_study(where, manifest=manifest, data=data, patience=patience)
    print_line(f"{len(done)} trials done")


@tune_app.command()
def best(
    study_folder: Folder,
    overrides: Overrides = None,
    storage: Storage = "",
    study: StudyName = "",
    budget: Budget = None,
    trial: Annotated[int | None, typer.Option(help="Take this trial instead of the best.", min=0)] = None,
    seeds: Annotated[
        int, typer.Option(help="Train the winner with so many seeds; 0 only writes its recipe.", min=0)
    ] = 3,
    manifest: ManifestFile = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the winner; FOLDER/best by default.")] = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Write the complete recipe of the best network within a budget, and train it anew before any claim.

    Overrides change the winner's recipe, as where short trainings ranked what is worth a long one.

    \b
    Example: leansort tune best runs/search train.epochs=170 --budget label_p50_ms=1.2 --budget size_mb=2
    Example: leansort tune best runs/search --trial 17 --seeds 0 --out runs/again
    """
    from leansort.workflows.tuning import best_trial

    where = best_trial.find_study(study_folder, storage, study)
    result = best_trial.train_best_trial(
        where,
        best_trial.parse_limits(budget or []),
        trial,
        out or where.out / "best",
        overrides=overrides or [],
        seeds=seeds,
        manifest=manifest,
        resume=resume,
    )
    print_result(result, as_json, best_trial.best_text(result))


@tune_app.command()
def report(study_folder: Folder, storage: Storage = "", study: StudyName = "", as_json: Json = False) -> None:
    """Write a study's report anew: tune.html, tune.json and tune.md in its folder.

    \b
    Example: leansort tune report runs/search
    """
    from leansort.workflows.tuning import best_trial

    where = best_trial.find_study(study_folder, storage, study)
    study_report = best_trial.write_study_report(where)
    print_result(study_report, as_json, best_trial.study_text(where.out))

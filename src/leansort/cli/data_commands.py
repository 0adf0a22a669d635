"""`leansort data …`: draw, fetch, import, check, split, cache and look at data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort.cli.doubt_command import data_doubt
from leansort.cli.field.growth_commands import data_add, data_diff
from leansort.cli.import_commands import RATIOS, Method, data_import
from leansort.cli.options import Json, print_line, print_result
from leansort.core.errors import UserError
from leansort.core.locations.location import location

data_app = typer.Typer(
    help="Generate, download, import, check, split, cache and show data sets.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
ManifestArgument = Annotated[Path, typer.Argument(help="A manifest, or the folder that holds it.")]
Pictures = Annotated[Path, typer.Argument(help="A manifest, its folder, or a folder of class folders.")]


@data_app.command("sample")
def data_sample(
    out: Annotated[Path, typer.Option("--out", help="Folder for the scenes; must be new or empty.")],
    seed: Annotated[int, typer.Option(help="Seed; the same seed draws the same.", min=0)] = 0,
    train: Annotated[int | None, typer.Option(help="Number of scenes for training; 900 by default.", min=1)] = None,
    val: Annotated[int | None, typer.Option(help="Number of scenes for validation; 150 by default.", min=1)] = None,
    test: Annotated[int | None, typer.Option(help="Number of scenes for testing; 250 by default.", min=1)] = None,
    video: Annotated[
        bool, typer.Option("--video", help="Draw a belt as a video, and what is where in each frame.")
    ] = False,
    frames: Annotated[int | None, typer.Option(help="Frames of the video; 300 by default.", min=1)] = None,
    size: Annotated[str, typer.Option(help="Of the video in pixels, such as 1280x720; 640x360 by default.")] = "",
    blur: Annotated[
        int | None, typer.Option(help="Motion blur of the video in pixels; none by default.", min=0)
    ] = None,
    glare: Annotated[
        float | None, typer.Option(help="Whiteness of a lamp's reflection in the video; none by default.", min=0, max=1)
    ] = None,
    density: Annotated[
        float | None,
        typer.Option(help="Objects a second that pass in the video, such as 200; about 2 by default.", min=0.1),
    ] = None,
    crossing: Annotated[
        float | None,
        typer.Option(help="Seconds that an object takes through the video's picture; 2 by default.", min=0.1),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw a COCO data set of trash scenes, or a video of trash on a belt.

    \b
    Example: leansort data sample --out sample --seed 7
    Example: leansort data sample --video --out belt --frames 600 --blur 5 --glare 0.5
    Example: leansort data sample --video --out full --size 1280x720 --density 200
    """
    from leansort import api

    drawn = api.draw_sample(
        out,
        seed=seed,
        train=train,
        val=val,
        test=test,
        video=video,
        frames=frames,
        size=size,
        blur=blur,
        glare=glare,
        density=density,
        crossing=crossing,
    )
    text = f"{drawn.boxes} boxes in {sum(drawn.scenes.values())} scenes: {drawn.annotations}"
    if drawn.video:
        text = f"{drawn.objects} objects in {drawn.frames} frames: {drawn.video}, {drawn.annotations}"
    print_result(drawn, as_json, text)


@data_app.command("download")
def data_download(
    source: Annotated[str, typer.Argument(help="Kind of data set: taco.")],
    annotations: Annotated[Path, typer.Argument(help="Its annotation file, whose image records hold the URLs.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the photos.")],
    size: Annotated[str, typer.Option(help="original, or 640 for the small version where there is one.")] = "original",
    jobs: Annotated[int, typer.Option(help="Number of parallel downloads.", min=1, max=64)] = 8,
    retries: Annotated[int, typer.Option(help="Retries for each photo.", min=0)] = 5,
    timeout: Annotated[
        float, typer.Option(help="Seconds without progress after which an attempt is given up.", min=0.1)
    ] = 30.0,
    as_json: Json = False,
) -> None:
    """Fetch photos by the URLs in their annotations; run again to go on. Exit code 1 if any could not be had.

    \b
    Example: leansort data download taco annotations.json --out taco --size 640
    """
    from leansort.core.errors import not_one_of
    from leansort.workflows.data.import_data import download_taco

    if source != "taco":
        raise not_one_of("data download", source, ["taco"])
    if size not in ("original", "640"):
        raise not_one_of("--size", size, ["original", "640"])
    done = download_taco(annotations, out, size=size, jobs=jobs, retries=retries, timeout_s=timeout)
    lines = [*done.failed, f"{out}: {done.done} fetched, {done.already} there already, {len(done.failed)} failed"]
    print_result(done, as_json, "\n".join(lines))
    if done.failed:
        raise typer.Exit(1)


data_app.command("import")(data_import)


@data_app.command("split")
def data_split(
    manifest: ManifestArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder for the new manifest.")],
    by: Method = "class",
    ratios: Annotated[str | None, typer.Option(help=f"Shares of train, val and test; {RATIOS} by default.")] = None,
    near_duplicates: Annotated[
        bool, typer.Option("--near-duplicates", help="Keep near-duplicates in one split.")
    ] = False,
    folds: Annotated[int | None, typer.Option(help="Number of folds; with --fold.", min=2)] = None,
    fold: Annotated[int | None, typer.Option(help="The fold that becomes val, from 0.", min=0)] = None,
    train_list: Annotated[Path | None, typer.Option(help="File with the names for train, one per line.")] = None,
    val_list: Annotated[Path | None, typer.Option(help="File with the names for val, one per line.")] = None,
    test_list: Annotated[Path | None, typer.Option(help="File with the names for test, one per line.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Older manifest whose groups keep their splits.")] = None,
    seed: Annotated[int, typer.Option(help="Seed; the same seed gives the same split.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Split the crops of a manifest anew: crops of one photo always stay together.

    \b
    Example: leansort data split sample-crops --out split5 --folds 5 --fold 0
    """
    from leansort.core.run_folder import DataFolder
    from leansort.workflows.data.split import parse_fractions as shares
    from leansort.workflows.data.split import split_manifest

    lists = {"train": train_list, "val": val_list, "test": test_list}
    given = {name: path for name, path in lists.items() if path is not None}
    if (folds is not None) + bool(given) + (keep is not None) > 1:
        raise UserError("data split: --folds, lists and --keep each decide alone; give one of them")
    if (folds is None) != (fold is None):
        raise UserError("data split: --folds and --fold go together, e.g. --folds 5 --fold 0")
    if ratios is not None and (folds is not None or given):
        raise UserError("data split: --ratios means nothing with --folds or lists, which decide the shares")
    done = split_manifest(
        manifest,
        out,
        config=shares(ratios or RATIOS, by),
        seed=seed,
        by_duplicates=near_duplicates,
        fold=None if folds is None or fold is None else (fold, folds),
        lists=given or None,
        keep=keep,
    )
    lines = [f"{name}: {sum(of.values())} crops  {of}" for name, of in done.splits.items()]
    lines.append(f"{done.groups} groups, {done.moved} crops changed sides: {DataFolder(out).manifest}")
    print_result(done, as_json, "\n".join(lines))


@data_app.command("check")
def data_check(
    path: Pictures,
    html: Annotated[Path | None, typer.Option(help="Also write a page with the images.")] = None,
    radius: Annotated[
        int | None,
        typer.Option(help="Maximum Hamming distance between the hashes of near-duplicates, in bits.", min=0, max=20),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 1 if there is leakage between splits or an unusable image.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find unreadable and unusual files, duplicates within and across splits, and doubtful labels.

    \b
    Example: leansort data check sample-crops --html check.html --strict
    """
    from leansort.core.writing import atomic_io
    from leansort.workflows.data.check import check_data, page, summarize_check, table

    path = location(path)
    checked, root = check_data(path, radius)
    if html:
        atomic_io.write_text(html, page(checked, root, f"Check of {path.resolve().name}"))
    print_result(summarize_check(checked), as_json, table(checked) + (f"\npage: {html}" if html else ""))
    if strict and (checked.leaks or checked.unusable):
        raise typer.Exit(1)


data_app.command("doubt")(data_doubt)
data_app.command("add")(data_add)
data_app.command("diff")(data_diff)


@data_app.command("show")
def data_show(
    path: Pictures,
    out: Annotated[Path, typer.Option("--out", help="The contact sheet, .png or .html.")],
    split: Annotated[str | None, typer.Option(help="Only train, val or test.")] = None,
    per_class: Annotated[int, typer.Option(help="Crops of each class and split.", min=1)] = 12,
    recipe: Annotated[
        Path | None, typer.Option(help="Recipe (file or name) whose preprocessing and augmentation are used.")
    ] = None,
    augmented: Annotated[bool, typer.Option("--augmented", help="Show training crops with augmentation.")] = False,
    seed: Annotated[int, typer.Option(help="Seed that chooses the crops.", min=0)] = 0,
) -> None:
    """Write a contact sheet of crops, as the robot sees them or as training varies them.

    \b
    Example: leansort data show sample-crops --out sheet.png
    """
    from leansort.recipe.load import load_recipe
    from leansort.workflows.data.contact_sheet import write_contact_sheet

    resolved = load_recipe(recipe) if recipe else None
    made = write_contact_sheet(
        path, out, split=split, per_class=per_class, seed=seed, recipe=resolved, augmented=augmented
    )
    print_line(str(made))


@data_app.command("cache")
def data_cache(
    manifest: ManifestArgument,
    recipe: Annotated[Path, typer.Option(help="Recipe (file or name) whose preprocessing is used.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the cache.")],
    as_json: Json = False,
) -> None:
    """Decode every crop once; a training that is given the same folder starts at once.

    \b
    Example: leansort data cache sample-crops --recipe sample --out cache
    """
    from leansort.core import manifest as manifests
    from leansort.recipe.load import load_recipe
    from leansort.workflows.data.cache import build_cache

    built = build_cache(load_recipe(recipe), manifests.load(manifest), out)
    lines = [f"{split}: {of.crops:,} crops, {of.bytes / 1e6:,.1f} MB" for split, of in built.splits.items()]
    print_result(built, as_json, "\n".join([*lines, str(out)]))

"""What pretrained weights are worth by the number of photos: a recipe on 50, 150 and 500 of them, with and without.

The subsets are drawn from the train split, in proportion to its classes and at least one photo of each; those of a seed
lie in one another. Val stays whole. Few photos make few steps, so epochs (and with them `freeze` and `warmup`) grow
until there are `--steps` optimizer steps. Without weights the recipe is changed by `--scratch`. Finished runs are left
alone, so the same command goes on with what was stopped:

    python -m benchmarks.data_size --data FOLDER --out runs/data-size train.threads=1 train.workers=1
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.recorded_runs import processor
from leansort.core.errors import LeansortError, UserError
from leansort.core.manifest import Manifest, Row
from leansort.core.run_folder import GroupFolder
from leansort.core.seeds import Seeds
from leansort.core.text.columns import align_columns
from leansort.core.writing import atomic_io
from leansort.measure.confidence import mean_interval
from leansort.recipe.load import change_recipe, load_recipe
from leansort.recipe.schema import Recipe
from leansort.workflows.training.run_group import open_run_group, with_seed
from leansort.workflows.training.training_results import TrainingResult

PLAIN = ("arch.pretrained=null", "train.freeze=0", "train.freeze_norms=false", "train.layer_decay=1", "train.head_lr=1")
SCRATCH = ("train.lr=2.0e-3",)
Runs = dict[tuple[int, str], list[TrainingResult]]


def subset(manifest: Manifest, photos: int, seed: int) -> Manifest:
    """The manifest with so many train photos, in proportion to the classes; smaller subsets lie in larger ones.

    Raises:
        UserError: there are fewer, or fewer are asked for than there are classes.
    """
    by_class: dict[int, list[Row]] = defaultdict(list)
    for row in manifest.split("train"):
        by_class[row.label].append(row)
    whole = sum(len(rows) for rows in by_class.values())
    if not len(by_class) <= photos <= whole:
        raise UserError(f"--photos: got {photos}, need {len(by_class)} (a photo of each class) to {whole}")
    kept: set[str] = set()
    for label, count in shares({label: len(rows) for label, rows in by_class.items()}, photos).items():
        order = Seeds(seed).child(f"data-size/{label}").numpy().permutation(len(by_class[label]))
        kept |= {by_class[label][at].image for at in order[:count]}
    rows = tuple(row for row in manifest.rows if row.split != "train" or row.image in kept)
    return replace(manifest, rows=rows)


def shares(sizes: dict[int, int], total: int) -> dict[int, int]:
    """How many of each class; those that are rounded down most get what is left over, and each has one at least."""
    exact = {label: total * size / sum(sizes.values()) for label, size in sizes.items()}
    counts = {label: max(1, math.floor(value)) for label, value in exact.items()}
    while sum(counts.values()) != total:
        step = 1 if sum(counts.values()) < total else -1
        open_to = [label for label, count in counts.items() if (count < sizes[label] if step > 0 else count > 1)]
        label = max(open_to, key=lambda each: (step * (exact[each] - counts[each]), -each))
        counts[label] += step
    return counts


def lengthen(recipe: Recipe, photos: int, steps: int) -> Recipe:
    """The recipe with as many epochs as so many optimizer steps take, if it has fewer."""
    each = math.ceil(photos / (recipe.train.batch * recipe.train.accumulate))
    factor = max(1.0, steps / (each * recipe.train.epochs))
    longer = {
        "epochs": math.ceil(recipe.train.epochs * factor),
        "freeze": round(recipe.train.freeze * factor),
        "warmup": recipe.train.warmup * factor,
    }
    return change_recipe(recipe, [f"train.{name}={value}" for name, value in longer.items()])


def report(runs: Runs, out: Path) -> str:
    """Write what there is so far; return it as a table."""
    rows = [["photos", "weights", "runs", "val macro-F1", "each", "epochs", "seconds a run"]]
    for (photos, weights), results in runs.items():
        scores = [result.val_macro_f1 for result in results if result.val_macro_f1 is not None]
        over = mean_interval(scores)
        text = f"{over.mean:.4f}" + ("" if over.std is None else f" ± {over.std:.4f}")
        seconds = mean_interval([result.seconds for result in results]).mean
        each = " ".join(f"{score:.4f}" for score in scores)
        rows.append([str(photos), weights, str(len(scores)), text, each, str(results[-1].epochs), f"{seconds:.0f}"])
    kept = [
        {"photos": photos, "weights": weights, "runs": [result.model_dump(mode="json") for result in results]}
        for (photos, weights), results in runs.items()
    ]
    atomic_io.write_json(out / "data_size.json", {"results": kept, "host": processor()})
    return align_columns(rows, left=2)


def compare(recipe: Recipe, scratch: Sequence[str], out: Path, sizes: Sequence[int], seeds: int, steps: int) -> Runs:
    """Train every size with and without weights, seed by seed; print the table after every run."""
    group = open_run_group(recipe, out, resume=GroupFolder(out).recipe.exists())
    recipes = {"pretrained": recipe, "none": change_recipe(recipe, [*PLAIN, *scratch])}
    runs: Runs = {}
    for seed in range(recipe.seed, recipe.seed + seeds):
        for photos in sizes:
            part = subset(group.manifest, photos, seed)
            for weights, own in recipes.items():
                longer = with_seed(lengthen(own, photos, steps), seed)
                result = group.trained(longer, f"photos-{photos}/{weights}/seed-{seed}", part)
                runs.setdefault((photos, weights), []).append(result)
                print(report(runs, out), flush=True)
    return runs


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of photos; without it the recipe's own")
    parser.add_argument("--recipe", default="trashnet-transfer", help="file or name, with pretrained weights")
    parser.add_argument("--out", type=Path, required=True, help="folder of all runs, and of data_size.json")
    parser.add_argument("--photos", type=int, nargs="+", default=[50, 150, 500], help="train photos")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200, help="fewest optimizer steps of a run")
    parser.add_argument("--scratch", nargs="+", default=list(SCRATCH), metavar="KEY=VALUE", help="without weights")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="overrides", help="of all runs")
    given, more = parser.parse_known_args(arguments)
    try:
        if wrong := [text for text in more if text.startswith("-")]:
            raise UserError(f"unknown option {wrong[0]}; see --help")
        recipe = load_recipe(given.recipe, [*given.overrides, *more], given.data)
        if recipe.arch.pretrained is None:
            raise UserError(f"--recipe: {recipe.name} has no arch.pretrained, so there is nothing to compare")
        compare(recipe, given.scratch, given.out, given.photos, given.seeds, given.steps)
    except LeansortError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

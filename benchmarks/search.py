"""Claim: in equal time the search covers 1.3 times the hypervolume of the old procedure, in the contest's own space.

The old procedure: Optuna's multi-objective TPE, every trial trained to its last epoch and timed, nothing known of a
network before it is trained, whatever it costs. Ours: the search `contest`, priced before training, stopped at
rungs. Both draw from the same space, of small pictures, train the same recipe on the same drawn crops by the same loop,
and are timed by the same code; both run at the same time, each on one core, and pause while the other measures.

The budget is half a millisecond from encoded picture to label; hypervolume of (macro-F1, decode-to-label p50) counts
from macro-F1 0 and that budget. The old procedure knows no budgets, and trains what breaks this one to its end, too.
`--record` instead trains random networks of the space to their end, and writes the curves that a test replays.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.recorded_runs import processor
from leansort.core.run_folder import StudyFolder
from leansort.core.text import packaged_configs, yaml_config
from leansort.core.writing import atomic_io
from leansort.recipe.load import load_recipe
from leansort.report.charts import plots
from leansort.search import pareto
from leansort.search import storage as storages
from leansort.search.trials.trial_records import TrialRecord, read_records
from leansort.workflows.data.import_data import import_data

ROOT = Path(__file__).parent.parent
OUT = Path(__file__).parent / "out"
CURVES = ROOT / "tests" / "golden" / "search_curves.json"
GOAL, SEEDS, MINUTES = 1.3, 3, 10.0
START_S = 20  # until the first trial begins
BUDGET_MS = 0.5
RECORDED = 60
STYLE = (
    "svg { background: #fff; } text { font: 11px sans-serif; fill: #55625f; } .grid { stroke: #dde3e2; }"
    " polyline { fill: none; stroke-width: 2; } .ours { stroke: #0d6a5b; } .old { stroke: #999; }"
)
SMALL = [
    "data.train=80", "data.val=40", "data.test=4", "train.epochs=12", "train.workers=0", "train.threads=1",
    "train.warmup=1",
]  # fmt: skip
OLD = {"constraints": {}, "halving": {"rungs": 0}, "objectives": ["macro_f1", "parameters", "label_p50_ms"]}


def searches(folder: Path) -> dict[str, Path]:
    """Both searches' files: the contest's space with small pictures."""
    tree = yaml_config.read_yaml(packaged_configs.find_packaged("search/contest"), "search", "space")
    tree["space"]["preprocess.size"] = {"choice": [32, 48, 64]}
    tree["constraints"] = {"stride": 32, "label_p50_ms": BUDGET_MS}
    tree["trials"] = 1000
    result = {"ours": tree, "old": {**tree, **OLD}}
    for name, item in result.items():
        atomic_io.write_text(folder / f"{name}.yaml", yaml_config.to_yaml(item))
    return {name: folder / f"{name}.yaml" for name in result}


def ran(folder: Path, manifest: Path, seed: int, minutes: float) -> dict[str, list[TrialRecord]]:
    """Both searches at once; their trials."""
    started = []
    for name, path in searches(folder).items():
        command = [sys.executable, "-m", "leansort", "tune", str(path), *SMALL, "--manifest", str(manifest)]
        command += ["--minutes", str(minutes), "--seed", str(seed), "--out", str(folder / name)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(folder / "cache")}
        log = (folder / f"{name}.log").open("w")
        started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
    time.sleep(60 * minutes + START_S)
    for item in started:
        item.terminate()  # in the middle of a trial, mostly
    if any(entry.wait() not in (0, 130, -15) for entry in started):
        raise SystemExit((folder / "ours.log").read_text()[-2000:] + (folder / "old.log").read_text()[-2000:])
    return {
        name: read_records(storages.open_storage(str(StudyFolder(folder / name).journal)), "contest")
        for name in ("ours", "old")
    }


def volumes(records: list[TrialRecord], seconds: float) -> list[tuple[float, float]]:
    """(minutes, hypervolume) after each trial that ended in time."""
    ordered = sorted(
        (item for item in records if item.counts and item.ended_s <= seconds), key=lambda item: item.ended_s
    )
    points = [(-item.outcome.f1, item.outcome.costs["label_p50_ms"]) for item in ordered]
    return [
        (item.ended_s / 60, pareto.hypervolume(points[: at + 1], (0.0, BUDGET_MS))) for at, item in enumerate(ordered)
    ]


def record(folder: Path, manifest: Path) -> None:
    """Random networks of the space, each trained to its end: what early stopping is tested against."""
    path = searches(folder)["ours"]
    tree = yaml_config.read_yaml(path, "search", "space")
    tree |= {"sampler": {"kind": "random"}, "halving": {"rungs": 0}, "trials": RECORDED}
    atomic_io.write_text(path, yaml_config.to_yaml(tree))
    command = [sys.executable, "-m", "leansort", "tune", str(path), *SMALL, "--manifest", str(manifest)]
    subprocess.run([*command, "--workers", "2", "--out", str(folder / "all")], check=True, stdout=subprocess.DEVNULL)
    result = []
    for item in read_records(storages.open_storage(str(StudyFolder(folder / "all").journal)), "contest"):
        metrics = folder / "all" / "trials" / item.digest[:16] / "train" / "metrics.jsonl"
        if item.counts:
            f1 = [json.loads(line)["val_macro_f1"] for line in metrics.read_text().splitlines()]
            result.append({"ms": round(item.outcome.costs["label_p50_ms"], 4), "f1": [round(value, 4) for value in f1]})
    atomic_io.write_json(CURVES, {"origin": "python -m benchmarks.search --record", "trials": result})
    print(f"{len(result)} trials: {CURVES}")


def picture(rows: list[dict[str, Any]], minutes: float) -> str:
    """Hypervolume over time of both, a line for each seed."""
    lines = [(name, line) for row in rows for name, line in row["over_time"].items() if line]
    ys = plots.ticks(0.0, max(volume for _, line in lines for _, volume in line))
    xs = plots.ticks(0.0, minutes, 5)
    parts = [*(plots.grid(plots.up(y, ys[0], ys[-1]), plots.text_of(y, ys)) for y in ys)]
    parts += [plots.foot(plots.along(x, xs[0], xs[-1]), f"{x:g} min") for x in xs]
    for name, line in lines:
        steps = [(0.0, 0.0)]
        for at, volume in line:
            steps += [(at, steps[-1][1]), (at, volume)]
        steps.append((minutes, steps[-1][1]))
        places = " ".join(f"{plots.along(x, xs[0], xs[-1]):.1f},{plots.up(y, ys[0], ys[-1]):.1f}" for x, y in steps)
        parts.append(f'<polyline class="{name}" points="{places}"/>')
    legend = "hypervolume within the budget: leansort tune (green), old procedure (grey)"
    parts.append(f'<text class="axis" x="{plots.LEFT}" y="{plots.HEIGHT - 4}">{legend}</text>')
    box = f'viewBox="0 0 {plots.WIDTH} {plots.HEIGHT}" width="{2 * plots.WIDTH}" height="{2 * plots.HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}><style>{STYLE}</style>{"".join(parts)}</svg>\n'


def times(ratio: float | None) -> str:
    """A ratio for people; the old procedure may not have finished a single network within the budget."""
    return "the old reached nothing" if ratio is None else f"{ratio:.2f} times"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    storages.quiet()
    rows, ratios = list[dict[str, Any]](), list[float | None]()
    with tempfile.TemporaryDirectory() as scratch:
        manifest = Path(scratch) / "data"
        recipe = load_recipe("sample", SMALL)
        import_data(recipe.data, manifest, seed=recipe.seed)
        if given.record:
            record(Path(scratch), manifest)
            return
        for seed in range(given.seeds):
            folder = Path(scratch) / str(seed)
            folder.mkdir()
            both = ran(folder, manifest, seed, given.minutes)
            over_time = {name: volumes(records, 60 * given.minutes) for name, records in both.items()}
            last = {name: line[-1][1] if line else 0.0 for name, line in over_time.items()}
            ratios.append(last["ours"] / last["old"] if last["old"] else None)
            looked = {name: len(records) for name, records in both.items()}
            rows.append({"seed": seed, "hypervolume": last, "trials": looked, "over_time": over_time})
            print(
                f"seed {seed}: hypervolume {last['ours']:.3f} of {looked['ours']} trials, old {last['old']:.3f} of "
                f"{looked['old']}: {times(ratios[-1])}", flush=True,
            )  # fmt: skip
    sums = {name: sum(row["hypervolume"][name] for row in rows) for name in ("ours", "old")}
    whole = sums["ours"] / sums["old"] if sums["old"] else None
    print(f"ours over old, sums of all seeds: {times(whole)}, goal {GOAL}")
    tree = {
        "minutes": given.minutes,
        "ratios": ratios,
        "ratio": whole,
        "goal": GOAL,
        "seeds": rows,
        "host": processor(),
    }
    atomic_io.write_json(OUT / "search.json", tree)
    atomic_io.write_text(OUT / "search.svg", picture(rows, given.minutes))


if __name__ == "__main__":
    main()

"""Learning curves of finished or running trainings side by side: best val macro-F1 after equal seconds of training.

Reads `metrics.jsonl` of the runs that are named and trains nothing itself; the seconds are those of the epochs,
scoring of val included, so runs that are compared have to come from one machine and as many threads:

    python -m benchmarks.transfer_curve pretrained=runs/transfer scratch=runs/trashnet --out runs/curve
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.run_folder import RunFolder, TrainingFolder
from leansort.core.text.columns import align_columns
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import markup
from leansort.report.charts.plots import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH, along, foot, grid, text_of, ticks, up
from leansort.workflows.training.run_group import read_history

Curve = list[tuple[float, float]]
COLOURS = ("#1f6feb", "#d1570b", "#1a7f37", "#8250df", "#bf3989", "#57606a")
STYLE = "text{font:11px sans-serif;fill:#57606a}.grid{stroke:#d0d7de}.line{fill:none;stroke-width:2}"


def read_curve(folder: Path) -> Curve:
    """(seconds so far, val macro-F1) of each epoch of a run, or of the training in a run's folder."""
    inner = RunFolder(folder).training.path
    history = read_history(inner if TrainingFolder(inner).history.exists() else folder)
    return [
        (at, record["val_macro_f1"])
        for at, record in zip(itertools.accumulate(item["seconds"] for item in history), history, strict=True)
    ]


def best_until(curve: Curve, seconds: float) -> float | None:
    """The best score that a training had reached; None before its first."""
    return max((score for at, score in curve if at <= seconds), default=None)


def table(curves: dict[str, Curve]) -> str:
    """Best scores after seconds that double, one column a run."""
    longest = max(curve[-1][0] for curve in curves.values())
    marks = [float(mark) for mark in itertools.takewhile(lambda mark: mark < longest, (30 * 2**n for n in range(20)))]
    rows = [["seconds", *curves]]
    for mark in [*marks, longest]:
        scores = [best_until(curve, mark) for curve in curves.values()]
        rows.append([f"{mark:.0f}", *("-" if score is None else f"{score:.4f}" for score in scores)])
    return align_columns(rows, left=0)


def draw(curves: dict[str, Curve]) -> str:
    """The curves as one SVG picture; each ends where its training did."""
    points = [point for curve in curves.values() for point in curve]
    xs, ys = ticks(0.0, max(x for x, _ in points), 6), ticks(min(y for _, y in points), max(y for _, y in points))
    parts = [*(grid(up(y, ys[0], ys[-1]), text_of(y, ys)) for y in ys)]
    parts += [foot(along(x, xs[0], xs[-1]), f"{x:g}") for x in xs]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{HEIGHT - 4}" text-anchor="middle">seconds of training</text>')
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(f"{along(x, xs[0], xs[-1]):.1f},{up(y, ys[0], ys[-1]):.1f}" for x, y in curve)
        title = f"<title>{markup(name)}</title>"
        parts.append(f'<polyline class="line" stroke="{colour}" points="{line}">{title}</polyline>')
        place = f'x="{WIDTH - RIGHT - 6}" y="{HEIGHT - BOTTOM - 10 - 15 * (len(curves) - 1 - number)}"'
        parts.append(f'<text {place} text-anchor="end" style="fill:{colour}">{markup(name)}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"><style>{STYLE}</style>'
    return f"{head}<title>val macro-F1 by seconds of training</title>{''.join(parts)}</svg>\n"


def read_curves(named: Sequence[str]) -> dict[str, Curve]:
    """The curves by name.

    Raises:
        UserError: a name is given twice, or a folder holds no epochs.
    """
    curves: dict[str, Curve] = {}
    for text in named:
        name, equals, folder = text.rpartition("=")
        name = name if equals else Path(folder).name
        if name in curves:
            raise UserError(f"transfer_curve: two runs are called {name}; name them, as in first={folder}")
        curves[name] = read_curve(Path(folder))
        if not curves[name]:
            raise UserError(f"transfer_curve: {folder} has no finished epoch")
    return curves


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="[NAME=]FOLDER", help="run folders, or trainings in them")
    parser.add_argument("--out", type=Path, help="folder that gets transfer_curve.svg and transfer_curve.json")
    given = parser.parse_args(arguments)
    try:
        curves = read_curves(given.runs)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(curves))
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        atomic_io.write_text(given.out / "transfer_curve.svg", draw(curves))
        atomic_io.write_json(given.out / "transfer_curve.json", {name: list(curve) for name, curve in curves.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())

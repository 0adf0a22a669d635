"""Run benchmarks, one after the other, and tell what changed; each writes `out/NAME.json`.

    python -m benchmarks.run_all                      all, against the last recorded run on this kind of processor
    python -m benchmarks.run_all frames cascade       these
    python -m benchmarks.run_all --no-run --record    record what lies in `out`, and make docs/results/speed.md anew

Recorded runs lie in docs/results, one column a kind of processor; `python -m docs.speed` makes a page of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from benchmarks import recorded_runs
from benchmarks.recorded_runs import RESULTS
from leansort.core.errors import LeansortError
from leansort.core.text.text_files import read_json

HERE = Path(__file__).parent
HELPERS = {"run_all", "recorded_runs", "old_way", "old_submit", "pictures", "calibration_photos", "__init__"}
HELPERS |= {
    "data_size",
    "label_errors",
    "mining",
    "transfer_curve",
}  # of a user's photos and runs, which they are told of


def known() -> list[str]:
    """Return the names of the benchmarks that run by themselves."""
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in HELPERS)


def tell_changes(name: str, out: Path, results: Path, *, record: bool) -> str:
    """Compare a benchmark's result with the recorded run on the same kind of processor.

    Args:
        name: of the benchmark.
        out: folder with its JSON.
        results: folder of the recorded runs.
        record: whether the result takes that run's place.

    Returns:
        Lines for a person.
    """
    path = out / f"{name}.json"
    if not path.is_file():
        return f"{name}: wrote no result"
    tree = cast(dict[str, Any], read_json(path, "benchmarks"))
    try:
        kind, column = recorded_runs.kind_of(tree.get("host", {})), recorded_runs.column_of(tree)
    except LeansortError as error:
        return f"{name}: {error}"
    before = recorded_runs.read_columns(name, results).get(kind)
    lines = [f"{name} on {kind}:"]
    if before is None:
        lines.append("  no run is recorded on this kind of processor")
    else:
        lines += [f"  {line}" for line in recorded_runs.changes(before, column)] or ["  nothing changed notably"]
    if column.left_out:
        lines.append(f"  {column.left_out:,} figures beyond the first {recorded_runs.MOST_FIGURES} are not compared")
    if record:
        lines.append(f"  recorded in {recorded_runs.record(name, tree, results)}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="benchmarks; all by default", metavar="NAME")
    parser.add_argument("--record", action="store_true", help="let the results take the recorded runs' place")
    parser.add_argument("--no-run", action="store_true", help="take what lies in benchmarks/out")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(known())):
        parser.error(f"no benchmark {unknown[0]!r}; allowed: {', '.join(known())}")
    names = given.names or [name for name in known() if not given.no_run or (HERE / "out" / f"{name}.json").is_file()]
    if not given.no_run:
        for name in names:
            print(f"== {name}", flush=True)
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=HERE.parent, check=False)
    print("== what changed")
    for name in names:
        print(tell_changes(name, HERE / "out", RESULTS, record=given.record))
    if given.record:
        subprocess.run([sys.executable, "-m", "docs.speed"], cwd=HERE.parent, check=True)


if __name__ == "__main__":
    main()

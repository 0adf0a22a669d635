"""Make docs/results/speed.md of the recorded runs: one row a figure, one column a kind of processor.

python -m docs.speed
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.recorded_runs import RESULTS, Column, read_columns

PAGE = RESULTS / "speed.md"
# What the page shows of each benchmark: title, and path within its figures; all others are in the JSON files.
SHOWN: dict[str, dict[str, str]] = {
    "decode_to_label": {
        "decode to label over Pillow and PyTorch, float (times)": "reached.float",
        "the same in int8 (times)": "reached.int8",
    },
    "cpp": {
        "photo to label in C++ (ms)": "ms.c++",
        "in Python (ms)": "ms.python",
        "C++ of Python's time": "ratio",
    },
    "frames": {"NV12 frame of the time of its JPEG": "ratios.NV12"},
    "cascade": {"cascade of its large graph's mean time": "ratio"},
    "overhead": {"overhead of predict (fraction)": "over"},
    "footprint": {
        "plain install (MB)": "mb",
        "JPEG to pixels by OpenCV (ms)": "ms.opencv",
        "by Pillow (ms)": "ms.pillow",
    },
    "submit": {"submit over a reference program, int8 by OpenVINO (times)": "rows.leansort, int8 by openvino.ratio"},
    "soak": {"p99 over p50 of a long run": "tail"},
}
HEAD = """\
# Speed by processor

Made by `python -m docs.speed` from the recorded runs beside this page; `python -m benchmarks.run_all --record` measures
and records. A column is a kind of processor: its name, cores and vector units, which decide how fast int8 is. A cell
says what was measured there and whether the benchmark's claim holds; all figures of a run are in `NAME.json`.
"""


def page(folder: Path = RESULTS) -> str:
    """Return the page's text."""
    files = sorted(path.stem for path in folder.glob("*.json"))
    columns = {name: read_columns(name, folder) for name in files}
    kinds = sorted({kind for recorded in columns.values() for kind in recorded})
    if not kinds:
        return f"{HEAD}\nNo run is recorded yet.\n"
    lines = [f"| benchmark | figure | {' | '.join(kinds)} |", "|---" * (2 + len(kinds)) + "|"]
    for name in files:
        for title, path in SHOWN.get(name, {}).items():
            cells = [_cell(columns[name].get(kind), path) for kind in kinds]
            lines.append(f"| `{name}` | {title} | {' | '.join(cells)} |")
        verdicts = [_verdict(columns[name].get(kind)) for kind in kinds]
        if any(verdicts):
            lines.append(f"| `{name}` | its claim | {' | '.join(verdicts)} |")
    return f"{HEAD}\n" + "\n".join(lines) + "\n"


def _cell(column: Column | None, path: str) -> str:
    if column is None or path not in column.figures:
        return ""
    return f"{column.figures[path]:.3g}"


def _verdict(column: Column | None) -> str:
    return "" if column is None or column.holds is None else "holds" if column.holds else "**missed**"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)

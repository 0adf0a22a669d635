"""A whole run on photos and classes with hostile names: each photo is sorted and scored, and no name gets out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from leansort.core.writing.escaping import printable_lines
from tests.conftest import Cli, draw

CLASSES = ("=SUM(A1)", "<script>alert(1)<", "Pla|stic`x`")
RECIPE = """\
name: tiny
title: "<script>alert(1)</script> \\x1b[2J | `x`"
data: {{source: folder, path: {path}}}
preprocess: {{size: 32}}
arch: {{base: tiny_s, width: 0.25, dropout: 0.1}}
train: {{epochs: 1, batch: 16, lr: 2.0e-3, warmup: 0, workers: 0, threads: 1}}
bench: {{seconds: 0.1, queries: 20, starts: 1}}
"""


@pytest.mark.slow
def test_a_run_on_hostile_names(cli: Cli, tmp_path: Path) -> None:
    for split, count in (("train", 8), ("val", 4)):
        for kind, name in enumerate(CLASSES):
            for at in range(count):
                file = tmp_path / "photos" / split / name / f"{split}{kind}\x1b[2J{at}\n\u202e.jpg"
                draw(file, kind, 100 * kind + at + 50 * (split == "val"))
    (tmp_path / "r.yaml").write_text(RECIPE.format(path=tmp_path / "photos"))
    run, bundle = tmp_path / "run", tmp_path / "run" / "model.leansort"
    done = [cli("run", tmp_path / "r.yaml", "--out", run)]
    done += [cli("card", run / "train", "--manifest", run, "--out", tmp_path / "card")]
    done += [cli("data", "check", run, "--html", tmp_path / "check.html")]
    done += [cli("predict", bundle, tmp_path / "photos" / "val")]
    done += [cli("score", bundle, "--ground-truth", tmp_path / "photos" / "val")]
    assert [item.stderr for item in done if item.returncode] == []
    assert [text for item in done for text in (item.stdout, item.stderr) if printable_lines(text) != text] == []
    assert len(done[3].stdout.splitlines()) == 12
    lists = json.loads((run / "score.json").read_text())["lists"]
    assert sum(lists[half]["crops"] for half in lists if half != "all") == lists["all"]["crops"] == 12
    for page in (run / "report.html", tmp_path / "check.html", tmp_path / "card" / "README.md"):
        text = page.read_text()
        assert printable_lines(text) == text
        assert "<script>" not in text.replace("\\<script>", "")
    rows = cli("predict", bundle, tmp_path / "photos" / "val", "--format", "csv").stdout
    read = list(csv.DictReader(io.StringIO(rows, newline="")))
    assert {Path(row["image"]) for row in read} == set((tmp_path / "photos" / "val").rglob("*.jpg"))

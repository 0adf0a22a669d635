"""`leansort cascade`, and what every other command makes of the bundle that it writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from tests.conftest import Cli
from tests.support.graphs import LABELS, SIZE, colour_bundle, ending, meta, node

PHOTOS, HARD = 60, 24  # of photos, those of which the small graph is neither sure nor right


def odd_one_out() -> Bundle:
    """The large graph: the class is the channel that differs most from the mean of all."""
    graph = ending(
        node("ReduceMean", "colour channels", "mean", keepdims=1),
        node("Sub", "colour mean", "difference"),
        node("Abs", "difference", "logits"),
        constants={"channels": np.array([1])},
    )
    return Bundle(meta(name="odd", macs=100), {"graph.onnx": graph.SerializeToString()})


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """Both bundles, labelled photos, and the cascade; treat as read-only."""
    root = tmp_path_factory.mktemp("cascade")
    colour_bundle(name="colour").save(root / "small.leansort")
    odd_one_out().save(root / "large.leansort")
    rows = []
    for number in range(PHOTOS):
        hard = number < HARD
        pixels = np.full((SIZE, SIZE, 3), 100 if hard else 10, np.uint8)
        pixels[..., number % 3] = 97 if hard else 150
        Image.fromarray(pixels).save(root / f"{number:02d}.png")
        rows.append(f"{number:02d}.png,{LABELS.names[number % 3]}")
    (root / "truth.csv").write_text("\n".join(["image,label", *rows]) + "\n")
    done = cli(
        "cascade", "small.leansort", "large.leansort", "--manifest", "truth.csv", "--out", "c.leansort", cwd=root
    )
    assert done.returncode == 0, done.stderr
    assert "the small graph answers 60.0% of 60 photos" in done.stdout
    assert "1.0000 with 60.0% answered by the small graph" in done.stdout
    return root


def test_the_bundle_says_what_it_came_to(ground: Path) -> None:
    made = bundles.load(ground / "c.leansort")
    assert made.meta.cascade is not None
    fit = made.meta.cascade.fit
    assert fit is not None
    assert (fit.photos, fit.second_macro_f1, fit.crossfitted_macro_f1) == (60, 1.0, 1.0)
    assert 0.5 < fit.first_macro_f1 < 0.8
    assert made.meta.macs == 2 + 40  # four of ten photos need the large graph's 100
    assert made.meta.reference is not None  # a watch can tell drift by it
    assert made.meta.name == "colour + odd"


def test_predict_score_and_submit_run_it(ground: Path, cli: Cli, tmp_path: Path) -> None:
    photos = [str(path) for path in sorted(ground.glob("*.png"))]
    done = cli("predict", ground / "c.leansort", *photos, "--format", "csv", "--batch", "7")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [row["graph"] for row in rows] == ["second"] * HARD + ["first"] * (PHOTOS - HARD)
    assert [row["label"] for row in rows] == [LABELS.names[number % 3] for number in range(PHOTOS)]
    done = cli("score", ground / "c.leansort", "--ground-truth", ground / "truth.csv", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"]
    assert "1.0" in done.stdout
    done = cli("submit", ground / "c.leansort", *photos, "--out", tmp_path / "o.csv", "--predictions", tmp_path / "p")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "p").read_text().splitlines()]
    assert {line["prediction"]["graph"] if "prediction" in line else line["graph"] for line in lines} == {
        "first",
        "second",
    }


def test_bench_and_stress_run_it(ground: Path, cli: Cli, tmp_path: Path) -> None:
    quick = ("--seconds", "0.1", "--queries", "20", "--starts", "0")
    done = cli("bench", "c.leansort", "--baseline", "large.leansort", "--images", ".", *quick, "--json", cwd=ground)
    assert done.returncode == 0, done.stderr
    figures = {item["name"]: item for item in json.loads(done.stdout)["measurements"]}
    label = figures["c: decode to label"]
    assert 0 < label["percentiles"]["p50"] <= label["percentiles"]["p99"]
    assert label["mean"] > 0
    assert "c: decode to label, over large" in figures
    settings = ("--kinds", "blur", "--levels", "3", "--out", tmp_path / "stress")
    done = cli("stress", ground / "c.leansort", "--data", ground / "truth.csv", *settings)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "c.leansort", "--format", "cpp", "--out", "x"), "a cascade of two graphs, which C++ does not run"),
        (("cascade", "c.leansort", "large.leansort", "--manifest", "truth.csv", "--out", "x"), "is a cascade itself"),
        (
            (
                "cascade",
                "small.leansort",
                "large.leansort",
                "--manifest",
                "truth.csv",
                "--decode",
                "twice",
                "--out",
                "x",
            ),
            "decode: got 'twice', allowed: again, once",
        ),
        (
            (
                "cascade",
                "large.leansort",
                "small.leansort",
                "--manifest",
                "truth.csv",
                "--decode",
                "again",
                "--out",
                "x",
            ),
            "decode again: has no effect, both graphs take the same 16 px",
        ),
    ],
)
def test_what_cannot_be_is_one_line(ground: Path, cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    done = cli(*arguments, cwd=ground)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (ground / "x").exists()


def test_photos_that_cannot_be_read_are_counted_and_named(ground: Path, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no photo")
    rows = (ground / "truth.csv").read_text().splitlines()
    absolute = [rows[0], *(f"{ground}/{row}" for row in rows[1:]), f"{tmp_path}/broken.png,a"]
    (tmp_path / "truth.csv").write_text("\n".join(absolute) + "\n")
    bundle = [ground / "small.leansort", ground / "large.leansort"]
    done = cli("cascade", *bundle, "--manifest", tmp_path / "truth.csv", "--out", tmp_path / "c.leansort")
    assert done.returncode == 0, done.stderr
    assert "1 of 61 photos cannot be read and are left out" in done.stderr
    assert "broken.png" in done.stderr

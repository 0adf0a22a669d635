"""Costs through the command line, and the file of the page on robots."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leansort.contest.contest_classes import CONTEST_CLASSES
from leansort.core.bundle import load
from leansort.core.text.yaml_config import parse_yaml
from leansort.runtime.decisions.cost_file import load_costs
from tests.conftest import ROOT, Cli
from tests.support.graphs import LABELS, SIZE, colour_bundle


def test_the_file_of_the_page_is_one_of_the_drawn_data() -> None:
    [text] = re.findall(r"```yaml\n(costs:.*?)```", (ROOT / "docs" / "robot.md").read_text(), re.S)
    meta = load(ROOT / "src/leansort/models/trashnet-lean/model.leansort").meta
    costs = load_costs(parse_yaml(text, "page"), meta.model_copy(update={"labels": CONTEST_CLASSES}))
    assert costs.costs_cd[CONTEST_CLASSES.index("Plastic"), CONTEST_CLASSES.index("Paper")] == 10
    assert costs.unknown is not None


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose logits are colours, and photos of three colours by class; treat as read-only."""
    root = tmp_path_factory.mktemp("costs")
    colour_bundle().save(root / "m.leansort")
    for number in range(6):
        pixels = np.full((SIZE, SIZE, 3), 10, np.uint8)
        pixels[..., number % 3] = 150 + number
        (root / "crops" / LABELS.names[number % 3]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / "crops" / LABELS.names[number % 3] / f"{number}.png")
    return root


def test_predict_and_score_by_costs(cli: Cli, ground: Path, tmp_path: Path) -> None:
    costs = tmp_path / "costs.yaml"
    costs.write_text("costs: {a: {a: 2, b: 1.5}}\nreject: 1.75\n")
    done = cli("predict", ground / "m.leansort", ground / "crops", "--format", "csv", "--costs", costs)
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head == "image,label,probability,accepted,error,known,novelty,cost,p_a,p_b,p_c"
    assert [row.split(",")[1] for row in rows] == ["c", "c", "b", "b", "c", "c"]
    assert [row.split(",")[7] for row in rows][2:] == ["0.000000"] * 4
    done = cli("score", ground / "m.leansort", "--ground-truth", ground / "crops", "--costs", costs, "--json")
    assert done.returncode == 0, done.stderr
    rules = {rule["rule"]: rule["cost"]["value"] for rule in json.loads(done.stdout)["costs"]["rules"]}
    assert rules["least expected cost"] == pytest.approx(1 / 3)
    assert rules["most probable class"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("costs: {}", "reject: missing"),
        ("reject: .inf", "need finite numbers"),
        ("costs: {aa: {b: 2}}\nreject: 1", "did you mean 'a'?"),
        ("[1, 2]", "need keys such as"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(text: str, told: str, cli: Cli, ground: Path, tmp_path: Path) -> None:
    (tmp_path / "costs.yaml").write_text(text)
    done = cli("predict", ground / "m.leansort", ground / "crops", "--costs", tmp_path / "costs.yaml")
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""

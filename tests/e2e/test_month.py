"""A quick month on a belt, by the example that people copy: alarms in time, shares corrected, macro-F1 back."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Cli
from tests.e2e.test_docs import commands

SCRIPT = ROOT / "examples" / "month_on_a_belt.py"
PAGE = "docs/tutorial-month.md"


def month(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def alarms_come_after_the_changes_and_not_before(told: Any) -> None:
    plan, days = told["plan"], told["days"]
    assert [day["day"] for day in days if day["day"] < plan["mix"] and day["alarms"]] == []
    of_lamp = [
        day["day"]
        for day in days
        for alarm in day["alarms"]
        if alarm.split()[0] == "red" and alarm.split()[1] in ("brightness", "warmth", "tint")
    ]
    assert plan["lamp"] <= of_lamp[0] <= plan["lamp"] + 1
    assert [day["day"] for day in days if day["retrained"]] == [of_lamp[0] + plan["labelling"]]
    after = [day for day in days if day["bundle"] == 2]
    assert after
    assert all(day["level"] != "red" for day in after)


def corrected_shares_follow_the_mix_while_classes_look_as_they_did(told: Any) -> None:
    """Of a network that is wrong once in twenty times little is left to correct: counted shares may be as near."""
    plan, days = told["plan"], told["days"]
    mixed = [day for day in days if plan["mix"] <= day["day"] < plan["lamp"]]
    assert mixed
    for day in mixed:
        assert max(abs(a - b) for a, b in zip(day["corrected"], day["true"], strict=True)) < 0.05
        assert max(abs(a - b) for a, b in zip(day["by_confusion"], day["true"], strict=True)) < 0.05
    at = mixed[-1]["classes"].index("Plastic")
    assert mixed[-1]["corrected"][at] > days[0]["corrected"][at] + 0.1


def macro_f1_falls_under_the_lamp_and_rises_by_the_retraining(told: Any) -> None:
    phases = told["phases"]
    assert phases["lamp"]["f1"] < phases["usual"]["f1"]
    assert phases["after"]["f1"] > phases["lamp"]["f1"]


def what_was_missed_is_said_and_the_month_is_drawn(folder: Path, text: str, told: Any) -> None:
    missed = [line.removeprefix("MISSED: ") for line in text.splitlines() if line.startswith("MISSED: ")]
    assert missed == told["missed"]
    assert ("Nothing was missed." in text) == (not missed)
    assert sum(line[:3].strip().isdigit() for line in text.splitlines()) == len(told["days"])
    drawn = ET.parse(folder / "month.svg").getroot()
    circles = drawn.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == len(told["days"])


def the_commands_of_the_tutorial_run_as_written(folder: Path, cli: Cli) -> None:
    listed = commands(PAGE)
    assert len(listed) >= 8
    assert f"python {SCRIPT.relative_to(ROOT)} --quick --out month" in (ROOT / PAGE).read_text()
    for arguments in listed:
        done = cli(*arguments, cwd=folder)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"


@pytest.mark.slow
def test_a_quick_month_goes_as_the_tutorial_says(tmp_path: Path, cli: Cli) -> None:
    """One test, since the month takes minutes, and tests that share it would be given to several workers."""
    done = month("--quick", "--out", "month", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "month" / "month.json").read_text())
    alarms_come_after_the_changes_and_not_before(told)
    corrected_shares_follow_the_mix_while_classes_look_as_they_did(told)
    macro_f1_falls_under_the_lamp_and_rises_by_the_retraining(told)
    what_was_missed_is_said_and_the_month_is_drawn(tmp_path / "month", done.stdout, told)
    the_commands_of_the_tutorial_run_as_written(tmp_path, cli)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--days", "3"], "--days: got 3, allowed: 10 to 99"),
        (["--photos-per-day", "many"], "invalid int value: 'many'"),
        (["--seed", "-1"], "--seed: got -1, allowed: 0 to"),
        (["--out", "full"], "--out: full is there already"),
        (["--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], says: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    done = month(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["full"]

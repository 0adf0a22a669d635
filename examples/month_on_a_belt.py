"""A simulated month on a belt: drift told, class shares corrected, photos mined and added, the network retrained.

    python month_on_a_belt.py --out month

Everything is drawn, so that the truth of every photo is known, which at a real belt it is not. The script draws scenes
of trash, trains a small network on them, and lets it sort for a month. First another mix of trash comes; then the lamp
ages, so that photos get darker and yellower. Nobody tells the classifier. `leansort.watch` has to notice, photos are
mined for labels and added, the network is trained on from its old weights, and the month goes on with the new bundle.

It prints a line for each day and what was missed, and writes `month.svg` and `month.json`. Of leansort it uses what a
user has: the functions that are the commands, and three modules for what only a simulation needs (which crop shows
what, and other light). docs/tutorial-month.md goes through it step by step.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import PIL.Image

import leansort
from leansort.core import manifest as manifests
from leansort.measure.corruptions.light import cast_colour, darken

MIX = {"Metal": 0.08, "Paper": 0.10, "Paperpack": 0.06, "Plastic": 0.42, "Plasticbag": 0.28, "Styrofoam": 0.06}
MORE = "Plastic"  # the class that comes more often from some day on
STOPS, CAST = 3.5, 1.8  # the aged lamp: stops of exposure less, and how far the gains of the channels lie apart
YELLOW = 31  # seeds the direction of the cast, the same for all photos: red gains, blue loses
RETRAIN_ON = ("brightness", "warmth", "tint")  # what the lamp changes; a new mix of classes asks for no new network
POINTS = 3  # percentage points that corrected class shares may be off
LOST = 10  # points of macro-F1 that the lamp has to cost, or else there was nothing to mend


@dataclass(frozen=True)
class Plan:
    """The calendar and the sizes; days count from 1.

    Attributes:
        days: of the month.
        photos: that pass a day.
        seed: of all that is drawn.
        mix: first day with another mix of classes.
        lamp: first day with an ageing lamp.
        aged: first day on which it ages no more.
        labelling: days from the red alarm until the labels are there.
        mined: photos that are mined, labelled and trained on.
        fair: photos that are drawn by chance and labelled, to choose, calibrate and watch by.
        overrides: of the recipe `sample`, for the network that the month begins with.
        retraining: of the same, in addition, for the network that is trained on.
    """

    days: int
    photos: int
    seed: int
    mix: int
    lamp: int
    aged: int
    labelling: int
    mined: int
    fair: int
    overrides: tuple[str, ...]
    retraining: tuple[str, ...]


def make_plan(days: int, photos: int, seed: int, *, quick: bool) -> Plan:
    """Spread the month's events over its days; `quick` draws and trains less."""
    lamp = 1 + math.ceil(days * 0.4)
    network = ("arch.base=efficientnet_lite0", "arch.pretrained=pack:efficientnet_lite0", "arch.width=1.0")
    small = ("data.train=300", "data.val=100", "preprocess.size=64", "train.epochs=3", "train.batch=32")
    full = ("data.train=500", "data.val=150", "preprocess.size=64", "train.epochs=5", "train.batch=32")
    return Plan(
        days=days,
        photos=photos,
        seed=seed,
        mix=1 + days // 5,
        lamp=lamp,
        aged=lamp + max(1, days // 10),
        labelling=max(2, days // 6),
        mined=80 if quick else 200,
        fair=60 if quick else 150,
        overrides=(f"seed={seed}", "data.test=1", "train.lr=1.5e-3", *network, *(small if quick else full)),
        retraining=(f"train.epochs={2 if quick else 4}", "train.lr=1.0e-3"),
    )


@dataclass
class Day:
    """What one day came to; class shares are those of the latest photos, by the watch's window."""

    day: int
    bundle: int  # which network sorted, from 1
    lamp: float  # 0 as new, 1 aged
    f1: float
    f1_low: float
    f1_high: float
    level: str
    alarms: list[str]
    classes: list[str]
    true: list[float]
    counted: list[float]
    corrected: list[float]
    by_confusion: list[float]
    retrained: str = ""

    def error(self, shares: Sequence[float]) -> float:
        """By how many percentage points the share of any class is off at most."""
        return 100 * max(abs(a - b) for a, b in zip(shares, self.true, strict=True))

    @property
    def at(self) -> int:
        """Number of the class that comes more often."""
        return self.classes.index(MORE)


class Belt:
    """Drawn photos that come day by day, each with the truth that only a simulation knows."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self._chance = np.random.default_rng(plan.seed)
        self.truth: dict[str, str] = {}  # label by name of the photo
        self._pool: dict[str, list[Path]] = {name: [] for name in MIX}
        self._drawn = 0

    def mix_of(self, day: int, usual: dict[str, float]) -> dict[str, float]:
        """Class shares that are drawn from: the usual ones, and from some day on others."""
        return MIX if day >= self.plan.mix else usual

    def lamp_of(self, day: int) -> float:
        """How aged the lamp is, 0 to 1."""
        return min(1.0, max(0.0, (day - self.plan.lamp + 1) / (self.plan.aged - self.plan.lamp + 1)))

    def deliver(self, day: int, usual: dict[str, float], folder: Path) -> list[Path]:
        """Write the photos of a day into a folder, in the order in which they come."""
        mix = self.mix_of(day, usual)
        kinds = self._chance.choice(list(mix), self.plan.photos, p=np.array([*mix.values()]) / sum(mix.values()))
        lamp, photos = self.lamp_of(day), []
        folder.mkdir(parents=True)
        for number, kind in enumerate(kinds.tolist(), 1):
            crop = self._take(kind)
            photo = folder / f"d{day:02d}-{number:03d}{crop.suffix if lamp == 0 else '.png'}"
            shutil.copyfile(crop, photo) if lamp == 0 else light_photo(crop, photo, lamp)
            self.truth[photo.name] = kind
            photos.append(photo)
        return photos

    def _take(self, kind: str) -> Path:
        """The next crop of a class; more scenes are drawn where none is left."""
        while not self._pool[kind]:
            self._drawn += 1
            scenes = self.folder / f"scenes-{self._drawn}"
            leansort.draw_sample(scenes, seed=self.plan.seed + 1000 + self._drawn, train=100, val=1, test=1)
            leansort.import_data("coco", scenes / "annotations.json", out=scenes / "cut")
            drawn = manifests.load(scenes / "cut")
            for at in self._chance.permutation(len(drawn.rows)).tolist():
                row = drawn.rows[at]
                self._pool[drawn.labels.names[row.label]].append(drawn.path(row))
        return self._pool[kind].pop()


def light_photo(crop: Path, photo: Path, lamp: float) -> None:
    """Write a photo of what a crop shows, under a lamp that is aged so far."""
    with PIL.Image.open(crop) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    dark = darken(pixels, STOPS * lamp, np.random.default_rng(0))
    PIL.Image.fromarray(cast_colour(dark, CAST * lamp, np.random.default_rng(YELLOW))).save(photo)


def write_truth(path: Path, photos: Iterable[Path], belt: Belt, split: str = "") -> None:
    """Write photos with their true labels as a list that `score`, `export --reference` and `data add` read."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        rows = csv.writer(file)
        if new:
            rows.writerow(["image", "label", *(["split"] if split else [])])
        for photo in photos:
            name = os.path.relpath(photo, path.parent)
            rows.writerow([name, belt.truth[photo.name], *([split] if split else [])])


@dataclass
class Month:
    """The month as it goes: the bundle that sorts, the manifest it was trained on, and what has come since."""

    plan: Plan
    out: Path
    belt: Belt
    model: Path  # folder of the trained network
    manifest: Path
    bundle: Path
    number: int = 1  # of the bundle
    days: list[Day] = field(default_factory=list)
    came: list[Path] = field(default_factory=list)  # photos, in the order in which they came
    alarmed: int = 0  # day of the red alarm that new labels were ordered on; 0 of none
    verdict: str = ""
    corrected_guesses: str = ""


def begin(plan: Plan, out: Path) -> Month:
    """Draw the data, train, and export: what `leansort train sample` and `leansort export` do."""
    trained = leansort.train("sample", plan.overrides, out=out / "first")
    bundle = out / "first" / "model.leansort"
    leansort.export(trained.folder, manifest=out / "first", out=bundle)
    return Month(plan, out, Belt(plan, out / "belt"), Path(trained.folder), out / "first", bundle)


def live(month: Month) -> None:
    """Let the days pass."""
    known = manifests.load(month.manifest)
    usual = dict(zip(known.labels.names, map(float, known.counts("train")), strict=True))
    print(HEADER)
    for day in range(1, month.plan.days + 1):
        today = sort_day(month, day, usual)
        month.days.append(today)
        if not month.alarmed and any(is_reason(alarm) for alarm in today.alarms):
            month.alarmed = day
        elif month.alarmed and day == month.alarmed + month.plan.labelling and day < month.plan.days:
            today.retrained = retrain(month)
        print(table_line(today), flush=True)


def is_reason(alarm: str) -> bool:
    """Whether an alarm asks for a new network."""
    level, statistic = alarm.split()[:2]
    return level == "red" and statistic in RETRAIN_ON


def sort_day(month: Month, day: int, usual: dict[str, float]) -> Day:
    """Let a day's photos pass, watch them, and look with the simulation's eye whether they were sorted right."""
    folder, truth = month.belt.folder / f"bundle-{month.number}", month.belt.folder / f"day-{day:02d}.csv"
    photos = month.belt.deliver(day, usual, folder / f"day-{day:02d}")
    write_truth(truth, photos, month.belt)
    month.came += photos
    before = sum(len(other.alarms) for other in month.days if other.bundle == month.number)
    watched = leansort.watch(
        month.bundle, folder, out=month.out / f"watch-{month.number}", window=4 * month.plan.photos
    )
    scored = leansort.score(month.bundle, ground_truth=truth).all.macro_f1
    latest = [month.belt.truth[photo.name] for photo in month.came[-watched.status.window :]]
    shares = watched.status.shares
    return Day(
        day=day,
        bundle=month.number,
        lamp=month.belt.lamp_of(day),
        f1=scored.value,
        f1_low=scored.low,
        f1_high=scored.high,
        level=watched.status.level,
        alarms=[f"{item.level} {item.statistic} {item.change}" for item in watched.alarms[before:]],
        classes=[share.name for share in shares],
        true=[latest.count(share.name) / len(latest) for share in shares],
        counted=[share.counted for share in shares],
        corrected=[share.corrected for share in shares],
        by_confusion=[share.by_confusion for share in shares],
    )


def retrain(month: Month) -> str:
    """Label photos that came since the alarm, add them, train on from the old weights, and take the new bundle."""
    plan, labelling = month.plan, month.out / "labelling"
    recent = month.came[(month.alarmed - 1) * plan.photos :]
    # Drawn by chance from the latest, and first: what mining has left would be no fair sample.
    latest = [photo for photo in recent if month.belt.lamp_of(int(photo.name[1:3])) == 1.0] or recent
    most = min(plan.fair, len(latest) // 2)  # the others are there to be mined
    fair = set(np.random.default_rng(plan.seed).permutation(len(latest))[:most].tolist())
    chosen = [photo for at, photo in enumerate(latest) if at in fair]
    rest = [photo for photo in recent if photo not in chosen]
    place_photos(labelling / "since-alarm", rest)
    mined = leansort.mine(month.bundle, labelling / "since-alarm", out=labelling / "mined", keep=plan.mined)
    place_photos(labelling / "fair", chosen)
    # Here a person labels. We know the truth.
    write_truth(
        labelling / "labels.csv", [labelling / "mined" / "photos" / name for name in mined.photos], month.belt, "train"
    )
    write_truth(labelling / "labels.csv", sorted((labelling / "fair").iterdir()), month.belt, "val")
    write_truth(labelling / "fair.csv", sorted((labelling / "fair").iterdir()), month.belt)
    with mined.guesses.open(newline="") as file:
        wrong = sum(row["label"] != month.belt.truth[Path(row["image"]).name] for row in csv.DictReader(file))
    month.corrected_guesses = f"{wrong} of {len(mined.photos)}"
    grown, second = month.out / "grown", month.out / "second"
    leansort.add_data(month.manifest, labelling / "labels.csv", out=grown)
    weights = f"arch.pretrained={month.model / 'model.safetensors'}"
    trained = leansort.train("sample", [*plan.overrides, weights, *plan.retraining], manifest=grown, out=second)
    bundle = second / "model.leansort"
    leansort.export(trained.folder, manifest=grown, out=bundle, reference=labelling / "fair.csv")
    month.verdict = leansort.compare(month.bundle, bundle, labelling / "fair.csv", seconds=0).verdict
    month.model, month.manifest, month.bundle = Path(trained.folder), grown, bundle
    month.number += 1
    return f"{len(mined.photos)} mined and {len(chosen)} fair photos labelled, retrained"


def place_photos(folder: Path, photos: Iterable[Path]) -> None:
    """Copy photos into a folder of their own."""
    folder.mkdir(parents=True)
    for photo in photos:
        shutil.copyfile(photo, folder / photo.name)


HEADER = (
    "     lamp  macro-F1 (95 %)      watch   share of Plastic, %              largest error, points\n"
    "day        on the truth                 true counted  by EM by matrix    counted  by EM by matrix"
)


def table_line(day: Day) -> str:
    """A day as one line, and a line for each event."""
    shares = [100 * values[day.at] for values in (day.true, day.counted, day.corrected, day.by_confusion)]
    errors = [day.error(values) for values in (day.counted, day.corrected, day.by_confusion)]
    line = f"{day.day:3d}  {day.lamp:4.2f}  {day.f1:.3f} ({day.f1_low:.3f} – {day.f1_high:.3f})  {day.level:6}"
    line += "{:7.1f} {:7.1f} {:6.1f} {:9.1f}    ".format(*shares) + "{:7.1f} {:6.1f} {:9.1f}".format(*errors)
    return "\n".join(
        [line, *(f"     ! {alarm}" for alarm in day.alarms), *([f"     + {day.retrained}"] * bool(day.retrained))]
    )


@dataclass(frozen=True)
class Phase:
    """Days that belong together, with the macro-F1 of all their photos."""

    name: str
    days: tuple[Day, ...]
    f1: float
    low: float
    high: float

    def error(self, which: str) -> float:
        """Mean over the days of how far the worst class share was off, in percentage points."""
        return float(np.mean([day.error(getattr(day, which)) for day in self.days]))


def phases_of(month: Month) -> dict[str, Phase]:
    """Before anything changes, the other mix, the aged lamp, and after the retraining; those that there are."""
    plan, made = month.plan, {}
    spans = {
        "usual": [day for day in month.days if day.day < plan.mix],
        "mix": [day for day in month.days if plan.mix <= day.day < plan.lamp],
        "lamp": [day for day in month.days if day.lamp == 1 and day.bundle == 1],
        "after": [day for day in month.days if day.bundle == 2],
    }
    bundles = {"after": month.bundle}
    for name, days in spans.items():
        if days:
            truth = month.belt.folder / f"phase-{name}.csv"
            named = {day.day for day in days}
            write_truth(truth, [photo for photo in month.came if int(photo.name[1:3]) in named], month.belt)
            bundle = bundles.get(name, month.out / "first" / "model.leansort")
            f1 = leansort.score(bundle, ground_truth=truth).all.macro_f1
            made[name] = Phase(name, tuple(days), f1.value, f1.low, f1.high)
    return made


def find_missed(plan: Plan, phases: dict[str, Phase], days: Sequence[Day]) -> list[str]:
    """What should have happened and did not, a line each."""
    missed = []
    reds = [(day, alarm) for day in days for alarm in day.alarms if alarm.startswith("red")]
    early = [day.day for day in days if day.day < plan.mix and day.alarms]
    if early:
        missed.append(f"false alarm on day {early[0]}, before anything changed")
    if not any(day.day >= plan.mix and alarm.split()[1] == "classes" and MORE in alarm for day, alarm in reds):
        missed.append("no red alarm told the other mix of classes")
    if not any(day.day >= plan.lamp and is_reason(alarm) for day, alarm in reds):
        missed.append("no red alarm told the aged lamp")
    if "lamp" in phases and phases["usual"].f1 - phases["lamp"].f1 < LOST / 100:
        missed.append(f"the lamp cost less than {LOST} points of macro-F1")
    for name in ("mix", "after"):
        if name in phases and (error := phases[name].days[-1].error(phases[name].days[-1].corrected)) > POINTS:
            missed.append(f"corrected shares are off by {error:.1f} points on day {phases[name].days[-1].day}")
    if "after" not in phases:
        missed.append("nothing was retrained")
    elif phases["after"].high < phases["usual"].f1:
        missed.append(
            f"macro-F1 is not back: {phases['after'].f1:.3f} ({phases['after'].low:.3f} – {phases['after'].high:.3f}) "
            f"after the retraining, {phases['usual'].f1:.3f} before"
        )
    if any(day.bundle == 2 and day.level == "red" for day in days):
        missed.append("the watch of the new bundle is red")
    return missed


def tell(month: Month, phases: dict[str, Phase], missed: Sequence[str]) -> str:
    """The month in a paragraph, and what was missed."""
    plan, parts = month.plan, []
    titles = {
        "usual": "as val",
        "mix": "with the other mix",
        "lamp": "under the aged lamp",
        "after": "after the retraining",
    }
    for name, phase in phases.items():
        parts.append(f"{phase.f1:.3f} ({phase.low:.3f} – {phase.high:.3f}) {titles[name]}")
    lines = [f"Macro-F1 was {', '.join(parts)}."]
    lines += [f"The mix changed on day {plan.mix}, the lamp began to age on day {plan.lamp}."]
    reds = [day for day in month.days if any(alarm.startswith("red") for alarm in day.alarms)]
    if reds:
        lines += [
            f"The first red alarm came on day {reds[0].day}"
            + f", the one for the lamp on day {month.alarmed}." * bool(month.alarmed)
        ]
    for name in ("mix", "lamp", "after"):
        if name in phases:
            errors = [phases[name].error(which) for which in ("counted", "corrected", "by_confusion")]
            text = "{:.1f} counted, {:.1f} by EM, {:.1f} by the confusion matrix".format(*errors)
            lines += [f"The worst class share was off by {text} points on an average day {titles[name]}."]
    if month.verdict:
        lines += [f"Of the mined guesses {month.corrected_guesses} were wrong; on the fair photos, {month.verdict}."]
    lines = [" ".join(lines)]
    return "\n".join([*lines, *(f"MISSED: {line}" for line in missed)] if missed else [*lines, "Nothing was missed."])


WIDTH, LEFT, RIGHT, PANEL, TOP = 900, 60, 20, 180, 70
LINES = {"true": "#222222", "counted": "#c0392b", "corrected": "#1a7f5a", "by_confusion": "#2b6cb0"}
NAMES = {
    "true": "true",
    "counted": "counted",
    "corrected": "corrected by EM",
    "by_confusion": "corrected by the matrix",
}
STYLE = (
    "text{font:12px sans-serif;fill:#333}.small{font-size:11px;fill:#666}.title{font-size:13px;font-weight:bold}"
    ".grid{stroke:#e4e4e4}.line{fill:none;stroke-width:2}"
)


class Panel:
    """One drawing above the others, with the days along it."""

    def __init__(self, number: int, days: int, low: float, high: float, title: str) -> None:
        self.top, self.low, self.high, self.days = TOP + number * (PANEL + 55), low, high, days
        self.parts = [f'<text class="title" x="{LEFT}" y="{self.top - 10}">{title}</text>']

    def x(self, day: float) -> float:
        """Where a day stands."""
        return LEFT + (day - 0.5) * (WIDTH - LEFT - RIGHT) / self.days

    def y(self, value: float) -> float:
        """Where a value stands; one beyond the axis stands at its end."""
        part = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.top + PANEL * (1 - part)

    def axis(self, values: Sequence[float], form: str) -> None:
        """Lines across with their values, and every fifth day below."""
        for value in values:
            y = self.y(value)
            self.parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
            self.parts.append(
                f'<text class="small" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:{form}}</text>'
            )
        for day in [1, *range(5, self.days + 1, 5)]:
            text = f'x="{self.x(day):.1f}" y="{self.top + PANEL + 16}" text-anchor="middle">{day}</text>'
            self.parts.append(f'<text class="small" {text}')

    def line(self, points: Sequence[tuple[float, float]], colour: str, dash: str = "") -> None:
        """Connect values day by day."""
        placed = " ".join(f"{self.x(day):.1f},{self.y(value):.1f}" for day, value in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline class="line" stroke="{colour}"{dashes} points="{placed}"/>')

    def key(self, entries: dict[str, str]) -> None:
        """Say what the colours are, at the right of the title."""
        x = WIDTH - RIGHT - sum(7 * len(name) + 34 for name in entries)
        for name, colour in entries.items():
            y = self.top - 14
            self.parts.append(f'<path d="M{x} {y}h18" stroke="{colour}" stroke-width="3"/>')
            self.parts.append(f'<text class="small" x="{x + 23}" y="{y + 4}">{name}</text>')
            x += 7 * len(name) + 34


def draw_month(month: Month, phases: dict[str, Phase]) -> str:
    """Draw the month as one SVG: macro-F1 with alarms, the share of one class, and how far shares are off."""
    days, plan = month.days, month.plan
    low = math.floor(10 * min(day.f1_low for day in days)) / 10
    scores = Panel(0, plan.days, low, 1.0, "macro-F1 of each day on the truth, 95 % interval")
    scores.axis(np.arange(low, 1.01, 0.1).tolist(), ".1f")
    for day in days:
        x, lowest, highest = scores.x(day.day), scores.y(day.f1_low), scores.y(day.f1_high)
        scores.parts.append(f'<path d="M{x:.1f} {lowest:.1f}V{highest:.1f}" stroke="#9bb8d3" stroke-width="4"/>')
        scores.parts.append(f'<circle cx="{x:.1f}" cy="{scores.y(day.f1):.1f}" r="3.5" fill="#2b4a6f"/>')
        for level, colour, size in (("yellow", "#e6a700", 10), ("red", "#c0392b", 22)):
            told = [alarm for alarm in day.alarms if alarm.startswith(level)]
            if told:
                y = scores.y(low) - size
                mark = f'<path d="M{x - 6:.1f} {y}h12l-6 -10z" fill="{colour}"><title>{"; ".join(told)}</title></path>'
                scores.parts.append(mark)
    if "usual" in phases:
        scores.line([(0.5, phases["usual"].f1), (plan.days + 0.5, phases["usual"].f1)], "#888", "4 4")
    scores.key({"yellow alarm": "#e6a700", "red alarm": "#c0392b", "level before": "#888"})
    most = max(max(getattr(day, which)[day.at] for which in LINES) for day in days)
    share = Panel(1, plan.days, 0, math.ceil(10 * most) / 10, f"share of {MORE} among the latest photos")
    share.axis(np.arange(0, share.high + 0.01, 0.1).tolist(), ".0%")
    worst = max(day.error(getattr(day, which)) for day in days for which in LINES)
    off = Panel(2, plan.days, 0, 5 * math.ceil(worst / 5), "class that is off most, percentage points")
    off.axis(np.arange(0, off.high + 1, 5).tolist(), ".0f")
    off.line([(0.5, POINTS), (plan.days + 0.5, POINTS)], "#888", "4 4")
    for which, colour in LINES.items():
        share.line([(day.day, getattr(day, which)[day.at]) for day in days], colour)
        if which != "true":
            off.line([(day.day, day.error(getattr(day, which))) for day in days], colour)
    share.key({NAMES[which]: colour for which, colour in LINES.items()})
    off.key({f"{POINTS} points": "#888"})
    panels = [scores, share, off]
    height = off.top + PANEL + 40
    parts = [*_shades(panels[0], plan, height), *_retrainings(panels, days)]
    parts += [part for panel in panels for part in panel.parts]
    parts.append(f'<text class="small" x="{WIDTH - RIGHT}" y="{height - 8}" text-anchor="end">day</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
    return "\n".join(
        [head, f"<style>{STYLE}</style>", '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>\n"]
    )


def _shades(panel: Panel, plan: Plan, height: int) -> list[str]:
    """The other mix and the ageing lamp as coloured ground."""
    spans = [
        (plan.mix, plan.lamp, "#f2f7ec", "another mix of classes"),
        (plan.lamp, plan.days + 1, "#fbf3dc", "and an ageing lamp"),
    ]
    parts = []
    for begin_, end, colour, name in spans:
        left, right = panel.x(begin_ - 0.5), panel.x(end - 0.5)
        parts.append(f'<rect x="{left:.1f}" y="30" width="{right - left:.1f}" height="{height - 55}" fill="{colour}"/>')
        parts.append(f'<text class="small" x="{left + 4:.1f}" y="24">day {begin_}: {name}</text>')
    return parts


def _retrainings(panels: Sequence[Panel], days: Sequence[Day]) -> list[str]:
    """A line after each day on whose evening the network was trained on."""
    parts = []
    for x in (panels[0].x(day.day + 0.5) for day in days if day.retrained):
        for panel in panels:
            parts.append(f'<path d="M{x:.1f} {panel.top}v{PANEL}" stroke="#6b4fa0" stroke-width="2"/>')
        bottom = panels[0].top + PANEL - 8
        parts.append(f'<text class="small" x="{x + 5:.1f}" y="{bottom}" style="fill:#6b4fa0">retrained</text>')
    return parts


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        print(f"month: {message}", file=sys.stderr)
        sys.exit(2)


def parse(arguments: Sequence[str]) -> tuple[Plan, Path]:
    """Read the command line; a mistake ends with one line and exit code 2."""
    parser = OneLineParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, help="of the month, at least 10 (30; with --quick 12)")
    parser.add_argument("--photos-per-day", type=int, help="at least 20 (80; with --quick 60)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn, at least 0 (0)")
    parser.add_argument("--out", type=Path, default=Path("month"), help="new or empty folder for everything (month)")
    parser.add_argument("--quick", action="store_true", help="draw and train less, in a minute or two")
    given = parser.parse_args(arguments)
    days = (12 if given.quick else 30) if given.days is None else given.days
    photos = (60 if given.quick else 80) if given.photos_per_day is None else given.photos_per_day
    for name, value, least, most in (
        ("days", days, 10, 99),
        ("photos-per-day", photos, 20, 999),
        ("seed", given.seed, 0, 1 << 30),
    ):
        if not least <= value <= most:
            parser.error(f"--{name}: got {value}, allowed: {least} to {most}")
    if given.out.exists() and (not given.out.is_dir() or any(given.out.iterdir())):
        parser.error(f"--out: {given.out} is there already; name a new or empty folder")
    return make_plan(days, photos, given.seed, quick=given.quick), given.out


def main(arguments: Sequence[str]) -> int:
    """Live through the month, tell it, and draw it."""
    plan, out = parse(arguments)
    try:
        month = begin(plan, out)
        live(month)
        phases = phases_of(month)
    except leansort.LeansortError as error:
        print(f"month: {error}", file=sys.stderr)
        return 2 if isinstance(error, leansort.UserError) else 1
    missed = find_missed(plan, phases, month.days)
    print(f"\n{tell(month, phases, missed)}")
    (out / "month.svg").write_text(draw_month(month, phases))
    result = {"plan": asdict(plan), "days": [asdict(day) for day in month.days], "missed": missed}
    result["phases"] = {name: {"f1": item.f1, "low": item.low, "high": item.high} for name, item in phases.items()}
    (out / "month.json").write_text(json.dumps(result, indent=1))
    print(f"picture: {out / 'month.svg'}, figures: {out / 'month.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

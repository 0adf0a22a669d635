"""`leansort contest`: the formulas on labelled crops: what helps most here, how sure is a rank, what to choose."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from leansort.contest import score_bootstrap as bootstraps
from leansort.contest import submission_file
from leansort.contest.contest_result import Contestant, ContestResult, ListStanding, RankChange
from leansort.contest.formula_worth import EDITIONS, CliffDistance, Edition, cliff_height, score_of, worth_in
from leansort.contest.formulas import MACS_CLIFF_F1, Baselines
from leansort.contest.score_bootstrap import PRIVATE, PUBLIC, Choice
from leansort.contest.submission_file import Submission
from leansort.core import bundle as bundles
from leansort.core.errors import UserError
from leansort.core.process.console import say
from leansort.core.text.name_lists import read_names, write_names
from leansort.core.writing.escaping import printable
from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.ground_truth import GroundTruth, read_ground_truth
from leansort.measure.accuracy.metrics import Floats, Ints
from leansort.workflows.contest.answers import is_bundle, predicted_classes, respelled_answers, respelled_names
from leansort.workflows.contest.timed_submission import submit_in_process

WHAT = "contest"
LEFT_OUT = "left out"  # crops that a resampled list of all has not


@dataclass(frozen=True)
class ContestSetting:
    """How a contest is simulated.

    Attributes:
        split: of the ground truth.
        public: file with the names of the public list; None resamples both lists from all crops.
        private: likewise of the private list.
        seconds: in place of the times that are stated or measured: none, one for all, or one each.
        margin: macro-F1 to keep above the step of the MACs edition.
        draws: number of resampled lists.
        seed: of the bootstrap.
        engine: that runs bundles; what suits each where empty.
        base: the contest's baselines.
    """

    split: str = "val"
    public: Path | None = None
    private: Path | None = None
    seconds: tuple[float, ...] = ()
    margin: float = 0.05
    draws: int = 2000
    seed: int = 0
    engine: str = ""
    base: Baselines = Baselines()  # noqa: RUF009  frozen


@dataclass(frozen=True)
class _Entry:
    """How a contestant does on each list as stated (macro-F1, score) and resampled."""

    name: str
    f1: float
    costs: Mapping[Edition, float]
    f1_draws: Mapping[str, Floats]
    score_draws: Mapping[tuple[Edition, str], Floats]
    stated: Mapping[tuple[Edition, str], tuple[float, float]]


def simulate(files: Sequence[Path], names: Sequence[str], truth_path: Path, setting: ContestSetting) -> ContestResult:
    """Simulate the contest for bundles and submission files.

    Bundles are run, each in a process of its own, start-up included in its time.

    Args:
        files: bundles and submission files.
        names: what they are called, as many.
        truth_path: a manifest, a folder of class folders, or a CSV `image,label`.
        setting: how it is simulated.

    Raises:
        UserError: files are the same, pictures have no answer, classes differ, or the setting does not fit.
        LeansortError: a bundle's process failed.
    """
    _require_setting(files, setting)
    truth = _ground_truth(files, truth_path, setting.split)
    submissions, notes = _submissions(files, names, truth, setting)
    truth = truth.among([label for item in submissions if item[1] for label in item[0].labels.values()])
    lists = _lists(truth, setting)
    entries = [
        _entry(name, item, truth, lists, setting, at)
        for at, (name, (item, _)) in enumerate(zip(names, submissions, strict=True))
    ]
    contestants = _contestants(entries, setting)
    choices, warnings, more = _choices(contestants, entries, setting)
    notes += [line for item, _ in submissions for line in respelled_answers(item.labels.values())]
    return ContestResult(
        split=setting.split,
        truth=truth.where,
        crops=len(truth.index),
        list_crops={name: item.shape[1] for name, item in lists.items() if name != "all"},
        lists_given=setting.public is not None,
        draws=setting.draws,
        seed=setting.seed,
        baselines=setting.base,
        contestants=contestants,
        changes=_changes(entries),
        choices=choices,
        warnings=warnings,
        notes=(*truth.notes, *notes, *more),
    )


def _require_setting(files: Sequence[Path], setting: ContestSetting) -> None:
    for a, b in combinations(files, 2):
        if a.exists() and b.exists() and a.samefile(b):
            raise UserError(f"{WHAT}: {b} is named twice")
    if (setting.public is None) != (setting.private is None):
        given, other = ("--public", "--private") if setting.private is None else ("--private", "--public")
        raise UserError(f"{WHAT}: {given} needs {other}, too; without both, lists are resampled from all crops")
    if len(setting.seconds) not in (0, 1, len(files)):
        raise UserError(f"{WHAT}: got {len(setting.seconds)} --seconds for {len(files)} files, need one, or one each")
    if setting.engine and not any(map(is_bundle, files)):
        raise UserError(f"{WHAT}: --engine has no effect, as no bundle is among the files")


def _ground_truth(files: Sequence[Path], path: Path, split: str) -> GroundTruth:
    opened = [(file, bundles.load(file)) for file in files if is_bundle(file)]
    truth = read_ground_truth(path, split, opened[0][1].labels if opened else None)
    for file, bundle in opened:
        bundle.labels.require_same(truth.labels, str(file), truth.where)
    return truth


def _submissions(
    files: Sequence[Path], names: Sequence[str], truth: GroundTruth, setting: ContestSetting
) -> tuple[list[tuple[Submission, bool]], list[str]]:
    """Each one's answers by the ground truth's names, whether they came from a file, and unreadable pictures."""
    result: list[tuple[Submission, bool]] = []
    notes: list[str] = []
    for file, name in zip(files, names, strict=True):
        if not is_bundle(file):
            given = submission_file.load(file, WHAT)
            result.append((Submission(respelled_names(given.labels, truth), given.seconds, given.macs), True))
            continue
        say(f"{WHAT}: {printable(name)} classifies {len(truth.files):,} crops")
        made, faults = _run(file, truth, setting.engine)
        notes += [f"{name}: {line}, counts as the first class" for line in faults]
        result.append((made, False))
    return result, notes


def _run(bundle: Path, truth: GroundTruth, engine: str) -> tuple[Submission, list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        names, out = Path(folder, "names.txt"), Path(folder, "submission.json")
        write_names(names, [str(path.absolute()) for path in truth.files.values()])
        faults = submit_in_process(bundle.absolute(), names, out, engine=engine)
        if len(faults) == len(truth.files):
            raise UserError(f"{WHAT}: {bundle} could read none of the {len(faults)} pictures, first {faults[0]}")
        given = submission_file.load(out, WHAT)
    return given, faults


def _lists(truth: GroundTruth, setting: ContestSetting) -> dict[str, Ints]:
    """Crops of the resampled lists by list, shape (draws, crops); `all` has those that choose."""
    everything = np.arange(len(truth.index))
    members = {PUBLIC: everything, PRIVATE: everything}
    sizes = {PUBLIC: (len(everything) + 1) // 2, PRIVATE: max(1, len(everything) // 2)}
    if setting.public is not None and setting.private is not None:
        at = {name: place for place, name in enumerate(truth.index)}
        files = {PUBLIC: setting.public, PRIVATE: setting.private}
        for name, path in files.items():
            listed = truth.only(
                read_names(path, f"{name} list", truth.index, truth.where), f"{WHAT}: {name} list {path}"
            )
            members[name] = np.array([at[image] for image in listed.index])
            sizes[name] = len(members[name])
        if both := len(set(members[PUBLIC].tolist()) & set(members[PRIVATE].tolist())):
            raise UserError(f"{WHAT}: {both} pictures are in both lists, {setting.public} and {setting.private}")
    lists = {"all": metrics.bootstrap_indices(len(everything), setting.draws, setting.seed)}
    for number, (name, of) in enumerate(members.items(), 1):
        rng_rows = metrics.bootstrap_indices(len(of), setting.draws, setting.seed + number)
        lists[name] = of[rng_rows[:, : sizes[name]]]
    return lists


def _entry(
    name: str, item: Submission, truth: GroundTruth, lists: Mapping[str, Ints], setting: ContestSetting, at: int
) -> _Entry:
    classes = len(truth.labels.names)
    t, p = np.array(list(truth.index.values())), predicted_classes(truth, item.labels, WHAT)
    f1 = bootstraps.contest_f1(t, p, classes)
    seconds = setting.seconds[at if len(setting.seconds) > 1 else 0] if setting.seconds else item.seconds
    costs: dict[Edition, float] = {"time": seconds, "macs": item.macs}
    f1_draws = {part: bootstraps.resampled_f1(t, p, classes, rows) for part, rows in lists.items()}
    f1_draws[LEFT_OUT] = bootstraps.left_out_f1(t, p, classes, lists["all"])
    of_list = dict.fromkeys(lists, f1)
    if setting.public is not None:
        members = {part: np.unique(rows) for part, rows in lists.items()}
        of_list = {part: bootstraps.contest_f1(t[rows], p[rows], classes) for part, rows in members.items()} | {
            "all": f1
        }
    score_draws = {
        (edition, part): bootstraps.scores_of(edition, values, costs[edition], setting.base)
        for edition in EDITIONS
        for part, values in f1_draws.items()
    }
    stated = {
        (edition, part): (value, score_of(edition, value, costs[edition], setting.base))
        for edition in EDITIONS
        for part, value in of_list.items()
    }
    return _Entry(name, f1, costs, f1_draws, score_draws, stated)


def _contestants(entries: Sequence[_Entry], setting: ContestSetting) -> tuple[Contestant, ...]:
    chances = {
        (edition, part): bootstraps.rank_chances(np.stack([item.score_draws[edition, part] for item in entries]))
        for edition in EDITIONS
        for part in (PUBLIC, PRIVATE)
    }
    return tuple(
        Contestant(
            name=item.name,
            f1=item.f1,
            seconds=item.costs["time"],
            macs=item.costs["macs"],
            worth=tuple(worth_in(edition, item.f1, item.costs[edition], setting.base) for edition in EDITIONS),
            cliff=_cliff(item, setting),
            standings=tuple(
                ListStanding(
                    edition=edition,
                    list=part,
                    f1=bootstraps.score_interval(item.stated[edition, part][0], item.f1_draws[part]),
                    score=bootstraps.score_interval(item.stated[edition, part][1], item.score_draws[edition, part]),
                    rank_chances=tuple(chances[edition, part][at].tolist()),
                )
                for edition in EDITIONS
                for part in (PUBLIC, PRIVATE)
            ),
        )
        for at, item in enumerate(entries)
    )


def _cliff(item: _Entry, setting: ContestSetting) -> CliffDistance:
    falls = [float((item.f1_draws[part] < MACS_CLIFF_F1).mean()) for part in (PUBLIC, PRIVATE)]
    return CliffDistance(MACS_CLIFF_F1, item.f1 - MACS_CLIFF_F1, setting.margin, cliff_height(setting.base), max(falls))


def _changes(entries: Sequence[_Entry]) -> tuple[RankChange, ...]:
    result = []
    for edition in EDITIONS:
        for i, j in combinations(range(len(entries)), 2):
            (a, b), (c, d) = ([entries[at].score_draws[edition, part] for at in (i, j)] for part in (PUBLIC, PRIVATE))
            result.append(
                RankChange(
                    edition=edition,
                    a=i,
                    b=j,
                    a_better_public=bootstraps.better_chance(a, b),
                    a_better_private=bootstraps.better_chance(c, d),
                    changed=bootstraps.change_chance(a, b, c, d),
                )
            )
    return tuple(result)


def _choices(
    contestants: Sequence[Contestant], entries: Sequence[_Entry], setting: ContestSetting
) -> tuple[tuple[Choice, ...], tuple[str, ...], tuple[str, ...]]:
    """The choices, warnings, and notes."""
    warnings = [line for item in contestants if (line := _near_the_cliff(item))]
    if len(entries) < 2:
        return (), tuple(warnings), ()
    if setting.split == "test":
        return (), tuple(warnings), ("nothing is chosen on the split 'test', which judges; choose with --split val",)
    choices = []
    for edition in EDITIONS:
        safe = [at for at, item in enumerate(contestants) if edition == "time" or not item.cliff.inside]
        if not safe:
            warnings.append("MACs edition: nothing is chosen, as all are inside the margin above the step")
            continue
        draws, left_out = (
            np.stack([item.score_draws[edition, part] for item in entries]) for part in ("all", LEFT_OUT)
        )
        choices.append(
            bootstraps.choose(edition, [item.stated[edition, "all"][1] for item in entries], draws, left_out, safe)
        )
    return tuple(choices), tuple(warnings), ()


def _near_the_cliff(item: Contestant) -> str:
    cliff = item.cliff
    if not cliff.inside:
        return ""
    where = f"{abs(cliff.distance):.4f} {'above' if cliff.distance >= 0 else 'below'} the step at {cliff.cliff:g}"
    return (
        f"MACs edition: {printable(item.name)}: macro-F1 {item.f1:.4f} is {where}, where the score jumps by "
        f"{cliff.height:.2f}; that is inside the margin of {cliff.margin:g}, so it is not chosen there"
    )

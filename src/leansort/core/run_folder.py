"""Every file of a results' folder, by name: the one module that knows what they are called.

A folder is an object, its files are attributes. JSON and text files are handles (`core.files.typed_files`) that read
and write them; the type is handed in where they are read, since this floor knows none of the types above it:

    folder = RunFolder(path)
    folder.score.write(result)                            # a `TypedResult`, or plain data
    result = folder.score.read(ScoreResult, "report")     # checked; one clear line where it is not what was written
    model = trained_model.load(folder.training.model)     # what has a format of its own is a plain path

What has a format and a reader of its own - manifest, bundle, network, checkpoint, journal - is a plain `Path`, to be
given to that reader. There is a class for each kind of folder; a folder within a folder is an attribute, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from leansort.core.files.typed_files import JsonFile, JsonLinesFile, TextFile

T = TypeVar("T")


class _Entry(Generic[T]):
    """An attribute of a folder: what `make` gives for the folder's path and the entry's name."""

    def __init__(self, make: Callable[[Path, str], T], name: str) -> None:
        self.make, self.name = make, name

    def __get__(self, folder: DataFolder, kind: type[DataFolder]) -> T:
        return self.make(folder.path, self.name)


def _path(folder: Path, name: str) -> Path:
    return folder / name


@dataclass(frozen=True)
class DataFolder:
    """A folder with data: what an import leaves, and what every run that imports its own data begins with.

    Attributes:
        path: the folder.
        manifest: one row a crop; see `core.manifest`.
        import_record: what an import read, counted and found wrong.
        inputs: the files that an import read, with sizes, times and hashes; see `data.inputs`.
        imported: where a recipe that names no path finds or draws its data.
        cache: folder of decoded crops.
    """

    path: Path

    manifest = _Entry(_path, "manifest.parquet")
    import_record = _Entry(JsonFile, "import.json")
    inputs = _Entry(_path, "inputs.parquet")
    imported = _Entry(_path, "data")
    cache = _Entry(_path, "cache")


class ModelFolder(DataFolder):
    """A folder that holds a network or a bundle: what `leansort card` makes, and part of every run.

    Attributes:
        recipe: the resolved recipe that the folder was made by.
        model: the network; see `arch.trained_model`.
        spec: the network's architecture.
        bundle: the one file that a robot needs; see `core.bundle`.
        card: the model card.
        card_facts: what the card of a network tells, for programs; a bundle has it in itself.
    """

    recipe = _Entry(JsonFile, "recipe.json")
    model = _Entry(_path, "model.safetensors")
    spec = _Entry(JsonFile, "spec.json")
    bundle = _Entry(_path, "model.leansort")
    card = _Entry(TextFile, "README.md")
    card_facts = _Entry(JsonFile, "card.json")

    def teacher(self, name: str) -> TrainingFolder:
        """Return the folder of the training of a teacher, by its recipe's name."""
        return TrainingFolder(self.path / f"teacher-{name}")


class AverageFolder(ModelFolder):
    """What `leansort average` makes.

    Attributes:
        result: each network's score, and the mean's.
    """

    result = _Entry(JsonFile, "average.json")


class StepFolder(ModelFolder):
    """One step of a compression, or a try of it.

    Attributes:
        key: digest of all that the step rests on; with another one it is begun anew.
        record: what became of the step; written last.
        cut_note: what a pass tells of its change.
        cut: folder of what a pass has made of the network, before it is fine-tuned.
        finetuning: folder of the training that follows the pass.
    """

    key = _Entry(JsonFile, "begun.json")
    record = _Entry(JsonFile, "step.json")
    cut_note = _Entry(JsonFile, "cut.json")
    cut = _Entry(_path, "cut")
    finetuning = _Entry(_path, "finetune")

    def attempt(self, strength: float) -> StepFolder:
        """Return the folder of a try at a strength from 0 to 1."""
        return StepFolder(self.path / f"try-{100 * strength:g}")


class CompressionFolder(ModelFolder):
    """What `leansort compress` makes.

    Attributes:
        start: the network that compression began with.
        result: all steps, their latencies and the calibration.
        table: the same as text.
        page: the same as a page.
        steps: holds a folder for each step.
    """

    start = _Entry(_path, "start.safetensors")
    result = _Entry(JsonFile, "compress.json")
    table = _Entry(TextFile, "compress.md")
    page = _Entry(TextFile, "compress.html")
    steps = _Entry(_path, "steps")

    def step(self, name: str) -> StepFolder:
        """Return the folder of a step, e.g. `1-prune`."""
        return StepFolder(self.steps / name)

    @classmethod
    def of_step(cls, folder: Path) -> CompressionFolder | None:
        """Return the compression that a folder is a step of; None where it is none."""
        steps = folder.resolve().parent
        compression = cls(steps.parent)
        return compression if compression.steps == steps else None


class TrainingFolder(ModelFolder):
    """One training: `run/train`, a run of a group, a trial's training, a fine-tuning of a compression.

    Attributes:
        checkpoint: where the training stands; see `train.checkpoint`.
        history: the record of each epoch.
        pretrained: how pretrained weights fitted, tensor by tensor.
        trackers: what trackers call the run, by tracker.
        tensorboard: folder of TensorBoard's events.
        result: what a finished run of a group came to; written last.
        probe: what a linear probe of the same data came to.
        unfinished: folder where a refit trains, whose best epoch means nothing.
        compression: folder of the compression of this training's network.
        teacher_outputs: folder of what teachers gave so far; gone once the training is done.
        unlabelled: the photos without labels that it learns from, and those that were left out.
        unlabelled_inputs: all photos of their folder, with sizes, times and hashes; see `data.inputs`.
        left_out: how well a class is told that the network was trained without.
        stressed: what the network keeps under stress.
    """

    checkpoint = _Entry(_path, "last.safetensors")
    history = _Entry(JsonLinesFile, "metrics.jsonl")
    pretrained = _Entry(JsonFile, "weights.json")
    trackers = _Entry(JsonFile, "tracked.json")
    tensorboard = _Entry(_path, "tensorboard")
    result = _Entry(JsonFile, "result.json")
    probe = _Entry(JsonFile, "probe.json")
    unfinished = _Entry(_path, "unfinished")
    teacher_outputs = _Entry(_path, "teacher-outputs")
    left_out = _Entry(JsonFile, "left-out.json")
    stressed = _Entry(JsonFile, "stressed.json")
    unlabelled = _Entry(JsonFile, "unlabelled.json")
    unlabelled_inputs = _Entry(_path, "unlabelled.parquet")

    def teacher_output(self, epoch: int, batch: int, rank: int) -> Path:
        """Return where a process writes what teachers gave up to a point of the training."""
        return self.teacher_outputs / f"{epoch:05d}-{batch:07d}-rank-{rank}.safetensors"

    def kept_teacher_outputs(self, rank: int) -> list[Path]:
        """Return what a process wrote so far, in the order of writing."""
        return sorted(self.teacher_outputs.glob(f"*-rank-{rank}.safetensors"))

    @property
    def compression(self) -> CompressionFolder:
        """Return the folder of this network's compression."""
        return CompressionFolder(self.path / "compress")


class RunFolder(ModelFolder):
    """A recipe's whole job, `leansort run`.

    Attributes:
        training: folder of the training.
        compression: folder of the compression.
        parity: how close the bundle comes to its network.
        calibration: temperature and threshold, and what they come to on val.
        bench: latencies, throughput and memory.
        score: macro-F1, the table of classes and the contest's scores.
        pictures: paths of the images that are scored, one a line.
        submission: the contest's submission file; see `contest.submission_file`.
        predictions: probabilities of the scored images, one JSON object a line; see `runtime.named_predictions`.
        report: the run's page.
        doubt: the most doubtful labels of the data.
        doubt_table: all labels, the most doubtful first.
        doubt_page: the most doubtful ones with their photos, to be decided.
        corrections: the same as a corrections file, to be filled in; see `data.importing.corrections`.
        unknown: how well photos of none of the classes are told, where that was scored.
        stages: the stages of the job and their states; see `workflows.stages`.
        stages_lock: held by the process that works on them.
    """

    stages = _Entry(JsonFile, "stages.json")
    stages_lock = _Entry(_path, ".stages.lock")
    parity = _Entry(JsonFile, "parity.json")
    calibration = _Entry(JsonFile, "calibration.json")
    bench = _Entry(JsonFile, "bench.json")
    score = _Entry(JsonFile, "score.json")
    pictures = _Entry(_path, "pictures.txt")
    submission = _Entry(_path, "output.csv")
    predictions = _Entry(_path, "predictions.jsonl")
    report = _Entry(TextFile, "report.html")
    doubt = _Entry(JsonFile, "doubt.json")
    doubt_table = _Entry(_path, "doubt.csv")
    doubt_page = _Entry(TextFile, "doubt.html")
    corrections = _Entry(_path, "corrections.csv")
    unknown = _Entry(JsonFile, "unknown.json")

    @property
    def training(self) -> TrainingFolder:
        """Return the folder of the training."""
        return TrainingFolder(self.path / "train")

    @property
    def compression(self) -> CompressionFolder:
        """Return the folder of the compression."""
        return CompressionFolder(self.path / "compress")

    def name_list(self, name: str) -> Path:
        """Return where the names of the images of the `public` or `private` list are, one a line."""
        return self.path / f"{name}.txt"


class SolveFolder(RunFolder):
    """A goal and what was done to meet it, `leansort solve`.

    Attributes:
        solve: what it came to; written last.
        plan: what the recipes that may be tried cost, and how long they take.
        check: what was found wrong with the data.
        without_leaks: the data without the training photos that other splits show, too.
        curve: what a linear probe makes of half of the photos and of all.
        look: folder of the doubtful labels and of the linear probe.
        stress: folder of the stress test of the chosen bundle.
        study: folder of the search.
        searched: folder of the search's winner.
        pricing: folder for networks that are not trained yet.
    """

    solve = _Entry(JsonFile, "solve.json")
    plan = _Entry(JsonFile, "plan.json")
    check = _Entry(JsonFile, "check.json")
    curve = _Entry(JsonFile, "curve.json")
    pricing = _Entry(_path, "pricing")

    @property
    def look(self) -> RunFolder:
        """Return the folder of what is looked at before anything is trained."""
        return RunFolder(self.path / "look")

    @property
    def without_leaks(self) -> DataFolder:
        """Return the folder of the data without leaks."""
        return DataFolder(self.path / "without-leaks")

    @property
    def stress(self) -> StressFolder:
        """Return the folder of the stress test."""
        return StressFolder(self.path / "stress")

    @property
    def study(self) -> StudyFolder:
        """Return the folder of the search."""
        return StudyFolder(self.path / "search")

    @property
    def searched(self) -> BestTrialFolder:
        """Return the folder of the search's winner."""
        return BestTrialFolder(self.path / "search-best")

    def candidate(self, name: str) -> CandidateFolder:
        """Return the folder of a recipe that is tried, by its name."""
        return CandidateFolder(self.path / "candidates" / name)


class CandidateFolder(RunFolder):
    """A recipe that is tried for a goal: a run on the data of the goal.

    Attributes:
        budget: the recipe as it is trained, and the fraction of its epochs that there is time for.
        judged: what val and the clock say of its bundle.
    """

    budget = _Entry(JsonFile, "budget.json")
    judged = _Entry(JsonFile, "judged.json")


class GroupFolder(ModelFolder):
    """Several trainings: seeds, folds, the variants of an ablation.

    Attributes:
        repeats: seeds and folds with mean and spread.
        ablation: variants and their difference to the base.
        ablation_table: the same as text.
        stress_setting: which stress an ablation's networks are measured under.
        leave_out: how well each class is told that a network was trained without.
        leave_out_table: the same as text.
    """

    leave_out = _Entry(JsonFile, "leave-out.json")
    leave_out_table = _Entry(TextFile, "leave-out.md")
    repeats = _Entry(JsonFile, "repeat.json")
    ablation = _Entry(JsonFile, "ablation.json")
    ablation_table = _Entry(TextFile, "ablation.md")
    stress_setting = _Entry(JsonFile, "ablation-stress.json")

    def training(self, name: str) -> TrainingFolder:
        """Return the folder of one training, by the run's name."""
        return TrainingFolder(self.path / name)


class BestTrialFolder(GroupFolder):
    """A search's winner, trained anew with several seeds, `leansort tune best`.

    Attributes:
        recipe_yaml: the winner's complete recipe, to be edited.
        architecture: its architecture.
        trial: the trial as the study has it.
        best: what each seed's bundle scores and costs.
    """

    recipe_yaml = _Entry(TextFile, "recipe.yaml")
    architecture = _Entry(JsonFile, "archspec.json")
    trial = _Entry(JsonFile, "trial.json")
    best = _Entry(JsonFile, "best.json")


class StressFolder(DataFolder):
    """A stress test, `leansort stress`.

    Attributes:
        result: the severity curves.
        page: the same with pictures.
    """

    result = _Entry(JsonFile, "stress.json")
    page = _Entry(TextFile, "stress.html")


class StudyFolder(DataFolder):
    """A search, `leansort tune`.

    Attributes:
        journal: the study, where no database holds it; see `search.storage`.
        result: all trials, and what mattered among them.
        table: the same as text.
        page: the same as a page.
        dry_run: folder for the timing of networks that are not trained yet.
    """

    journal = _Entry(_path, "study.journal")
    result = _Entry(JsonFile, "tune.json")
    table = _Entry(TextFile, "tune.md")
    page = _Entry(TextFile, "tune.html")
    dry_run = _Entry(_path, "dry-run")

    def trial(self, digest: str) -> RunFolder:
        """Return the folder of a trial, by its recipe's digest."""
        return RunFolder(self.path / "trials" / digest[:16])

    def worker_log(self, number: int) -> Path:
        """Return where a further worker of this machine writes what it does, by its number from 2."""
        return self.path / f"worker-{number}.log"


class WatchFolder(DataFolder):
    """What `leansort watch` keeps, and a `Classifier` that watches; see `runtime.drift.drift_journal`.

    Attributes:
        lock: held by the process that writes.
        photos: the prediction for each photo, one JSON object a line, as they came.
        alarms: each alarm, likewise.
        states: where the watch stood every so many photos, likewise.
        checkpoint: all that the watch knew at some photo, by what, and how far `photos` went then.
        page: the same as a page.
    """

    lock = _Entry(_path, ".watch.lock")
    photos = _Entry(_path, "photos.jsonl")
    alarms = _Entry(_path, "alarms.jsonl")
    states = _Entry(_path, "states.jsonl")
    checkpoint = _Entry(JsonFile, "watch.json")
    page = _Entry(TextFile, "watch.html")

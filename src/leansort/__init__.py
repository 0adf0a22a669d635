"""leansort: from labelled photos of trash to the smallest, fastest classifier that still sorts right.

    import leansort
    result = leansort.run("sample")              # the whole job: data, training, export, measurement, report
    leansort.predict(result.bundle, "photos/")   # what the bundle says of pictures

    from leansort import Classifier              # on the robot
    with Classifier.load("model.leansort") as classifier:  # or load(): the model that the package brings
        print(classifier.predict("photo.jpg").label)

The verbs are those of the command line, and take the same. Importing this package loads nothing else; names are fetched
at first use.
"""

import os
from typing import TYPE_CHECKING

from leansort.core.process import telemetry
from leansort.core.public_package import publish

# OpenCV allocates whatever a picture's header promises, up to this many pixels, and a PNG of 100 KB may promise
# gigabytes. It reads the limit once, as it is imported, so this stands before all of leansort that does.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))

telemetry.switch_off()  # before any library that would report is imported

if TYPE_CHECKING:
    from leansort.api import (
        add_data,
        average,
        bench,
        cascade,
        check_data,
        compare,
        compare_all,
        compress,
        contest,
        diff_data,
        doctor,
        doubt_labels,
        draw_sample,
        export,
        import_data,
        leave_out,
        load_recipe,
        mine,
        models,
        predict,
        report,
        run,
        score,
        solve,
        sort,
        split_data,
        status,
        stress,
        submit,
        train,
        tune,
        tune_best,
        watch,
    )
    from leansort.compress.pipeline.compress_result import CompressResult
    from leansort.contest.contest_result import ContestResult
    from leansort.contest.score_result import ScoreResult
    from leansort.core.bundle import Bundle
    from leansort.core.errors import (
        EngineError,
        IntegrityError,
        LeansortError,
        MachineError,
        MissingExtraError,
        UserError,
    )
    from leansort.core.pixels.camera_frames import Frame
    from leansort.core.process.console import silence_messages
    from leansort.measure.comparison.comparison_result import ComparisonResult
    from leansort.measure.comparison.multiple_comparison import MultipleComparisonResult
    from leansort.measure.robustness.stress_result import StressResult
    from leansort.recipe.schema import Recipe
    from leansort.runtime.drift.drift_status import DriftAlarm, DriftStatus
    from leansort.runtime.predictions import Predictions
    from leansort.runtime.predictor import Classifier, Prediction
    from leansort.runtime.sorting.sort_decision import SortDecision
    from leansort.search.study_result import StudyResult
    from leansort.workflows.averaging.average import AverageResult
    from leansort.workflows.cards.model_listing import ModelsResult
    from leansort.workflows.cascading.make_cascade import CascadeResult
    from leansort.workflows.contest.submit import SubmitResult
    from leansort.workflows.data.data_growth import AddResult, DiffResult
    from leansort.workflows.data.data_results import CheckResult, ImportResult, SampleResult, SplitResult
    from leansort.workflows.deploy.bench import BenchResult
    from leansort.workflows.deploy.cpp.export_cpp import CppExportResult
    from leansort.workflows.deploy.export import ExportResult
    from leansort.workflows.deploy.micro.export_micro import MicroExportResult
    from leansort.workflows.device.doctor import DoctorResult
    from leansort.workflows.field.belt_sorting import SortResult
    from leansort.workflows.field.drift_watching import WatchResult
    from leansort.workflows.field.photo_mining import MineResult
    from leansort.workflows.finishing.run_result import RunResult
    from leansort.workflows.leave_out.leave_out_result import LeaveOutResult
    from leansort.workflows.solving.solve_result import SolveResult
    from leansort.workflows.stages.stage_status import StatusResult
    from leansort.workflows.training.doubt.doubt_result import DoubtResult
    from leansort.workflows.training.quick.probe_result import ProbeResult
    from leansort.workflows.training.training_results import RepeatedResult, SingleTrainingResult
    from leansort.workflows.tuning.best_trial_result import BestTrialResult

__version__ = "0.1.0"
__all__ = [
    "AddResult",
    "AverageResult",
    "BenchResult",
    "BestTrialResult",
    "Bundle",
    "CascadeResult",
    "CheckResult",
    "Classifier",
    "ComparisonResult",
    "CompressResult",
    "ContestResult",
    "CppExportResult",
    "DiffResult",
    "DoctorResult",
    "DoubtResult",
    "DriftAlarm",
    "DriftStatus",
    "EngineError",
    "ExportResult",
    "Frame",
    "ImportResult",
    "IntegrityError",
    "LeansortError",
    "LeaveOutResult",
    "MachineError",
    "MicroExportResult",
    "MineResult",
    "MissingExtraError",
    "ModelsResult",
    "MultipleComparisonResult",
    "Prediction",
    "Predictions",
    "ProbeResult",
    "Recipe",
    "RepeatedResult",
    "RunResult",
    "SampleResult",
    "ScoreResult",
    "SingleTrainingResult",
    "SolveResult",
    "SortDecision",
    "SortResult",
    "SplitResult",
    "StatusResult",
    "StressResult",
    "StudyResult",
    "SubmitResult",
    "UserError",
    "WatchResult",
    "__version__",
    "add_data",
    "average",
    "bench",
    "cascade",
    "check_data",
    "compare",
    "compare_all",
    "compress",
    "contest",
    "diff_data",
    "doctor",
    "doubt_labels",
    "draw_sample",
    "export",
    "import_data",
    "leave_out",
    "load_recipe",
    "mine",
    "models",
    "predict",
    "report",
    "run",
    "score",
    "silence_messages",
    "solve",
    "sort",
    "split_data",
    "status",
    "stress",
    "submit",
    "train",
    "tune",
    "tune_best",
    "watch",
]

publish(
    __name__,
    {
        "leansort.api": (
            "add_data", "average", "bench", "cascade", "check_data", "compare", "compare_all", "compress", "contest",
            "diff_data", "doctor", "doubt_labels", "draw_sample", "export", "import_data", "leave_out", "load_recipe",
            "mine", "models", "predict", "report", "run", "score", "solve", "sort", "split_data", "status",
            "stress", "submit", "train", "tune", "tune_best", "watch",
        ),
        "leansort.compress.pipeline.compress_result": ("CompressResult",),
        "leansort.contest.contest_result": ("ContestResult",),
        "leansort.contest.score_result": ("ScoreResult",),
        "leansort.core.bundle": ("Bundle",),
        "leansort.core.errors": (
            "EngineError", "IntegrityError", "LeansortError", "MachineError", "MissingExtraError", "UserError",
        ),
        "leansort.core.pixels.camera_frames": ("Frame",),
        "leansort.core.process.console": ("silence_messages",),
        "leansort.measure.comparison.comparison_result": ("ComparisonResult",),
        "leansort.measure.comparison.multiple_comparison": ("MultipleComparisonResult",),
        "leansort.measure.robustness.stress_result": ("StressResult",),
        "leansort.recipe.schema": ("Recipe",),
        "leansort.runtime.drift.drift_watch": ("DriftAlarm", "DriftStatus",),
        "leansort.runtime.predictions": ("Predictions",),
        "leansort.runtime.predictor": ("Classifier", "Prediction",),
        "leansort.runtime.sorting.sort_decision": ("SortDecision",),
        "leansort.search.study_result": ("StudyResult",),
        "leansort.workflows.averaging.average": ("AverageResult",),
        "leansort.workflows.cascading.make_cascade": ("CascadeResult",),
        "leansort.workflows.cards.model_listing": ("ModelsResult",),
        "leansort.workflows.contest.submit": ("SubmitResult",),
        "leansort.workflows.data.data_growth": ("AddResult", "DiffResult",),
        "leansort.workflows.data.data_results": ("CheckResult", "ImportResult", "SampleResult", "SplitResult",),
        "leansort.workflows.deploy.bench": ("BenchResult",),
        "leansort.workflows.device.doctor": ("DoctorResult",),
        "leansort.workflows.deploy.export": ("ExportResult",),
        "leansort.workflows.field.belt_sorting": ("SortResult",),
        "leansort.workflows.deploy.cpp.export_cpp": ("CppExportResult",),
        "leansort.workflows.deploy.micro.export_micro": ("MicroExportResult",),
        "leansort.workflows.field.drift_watching": ("WatchResult",),
        "leansort.workflows.field.photo_mining": ("MineResult",),
        "leansort.workflows.leave_out.leave_out_result": ("LeaveOutResult",),
        "leansort.workflows.finishing.run_result": ("RunResult",),
        "leansort.workflows.solving.solve_result": ("SolveResult",),
        "leansort.workflows.stages.stage_status": ("StatusResult",),
        "leansort.workflows.training.doubt.doubt_result": ("DoubtResult",),
        "leansort.workflows.training.quick.probe_result": ("ProbeResult",),
        "leansort.workflows.training.training_results": ("RepeatedResult", "SingleTrainingResult",),
        "leansort.workflows.tuning.best_trial_result": ("BestTrialResult",),
    },
)  # fmt: skip

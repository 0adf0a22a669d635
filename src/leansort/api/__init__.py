"""The public Python functions: the verbs of the command line, with the same names for what they take.

They are `leansort`'s own attributes (`leansort.run`, `leansort.compare`), and are imported at first use; importing this
package loads no PyTorch. It may import every floor but the command line. Begin with `jobs`.
"""

from leansort.api.bundles import bench, export, predict
from leansort.api.cascades import cascade
from leansort.api.contests import contest
from leansort.api.datasets import check_data, doubt_labels, draw_sample, import_data, split_data
from leansort.api.field import add_data, diff_data, mine, sort, watch
from leansort.api.goals import solve, status
from leansort.api.jobs import load_recipe, report, run
from leansort.api.known_models import doctor, models
from leansort.api.networks import average, compress, train
from leansort.api.scores import compare, compare_all, score, stress, submit
from leansort.api.searches import leave_out, tune, tune_best

__all__ = [
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

"""What several teachers know together: val macro-F1 of each network, and of the mean of their probabilities.

The mean is what a student learns from (`distill.teachers: [A, B]`), each network looking at the crops at its own input
size. Trains nothing; the networks have to know the same classes, and none may have learned from the val crops:

    python -m benchmarks.teachers runs/lite1/train runs/lite2/train --manifest runs/lite1 --target 0.955
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.recorded_runs import processor
from leansort.arch import trained_model
from leansort.arch.trained_model import TrainedModel
from leansort.compress.evaluation import artifact_logits
from leansort.core import manifest as manifests
from leansort.core.errors import LeansortError, UserError
from leansort.core.manifest import Manifest
from leansort.core.text.columns import align_columns
from leansort.core.writing import atomic_io
from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.metrics import Interval
from leansort.runtime.predictor import softmax
from leansort.workflows.training.train import load_crops

OUT = Path(__file__).parent / "out" / "teachers.json"


def probabilities(model: TrainedModel, rows: Manifest, cache: Path) -> npt.NDArray[np.float32]:
    """Probabilities (n, classes) that a network gives the val crops.

    Raises:
        UserError: it knows other classes than the manifest.
    """
    if model.labels.names != rows.labels.names:
        raise UserError(f"teachers: got a network of {model.labels.names}, need the manifest's {rows.labels.names}")
    return softmax(artifact_logits(model, load_crops(rows, "val", model.preprocess, cache)))


def score(paths: Sequence[Path], rows: Manifest) -> dict[str, Interval]:
    """Val macro-F1 of each network, of the mean of all where there are several, and what the mean gains on the best."""
    truth, classes = np.array([row.label for row in rows.split("val")], np.int64), len(rows.labels)
    with tempfile.TemporaryDirectory() as cache:
        given = [probabilities(trained_model.load(path), rows, Path(cache)) for path in paths]
    answers = {str(path): each.argmax(1) for path, each in zip(paths, given, strict=True)}
    found = {name: metrics.macro_f1_interval(truth, each, classes) for name, each in answers.items()}
    wrong = [each != truth for each in answers.values()]
    told = ", ".join(f"{name} {int(each.sum())}" for name, each in zip(answers, wrong, strict=True))
    print(f"wrong of {len(truth)} val photos: {told}; all of them {int(np.all(wrong, axis=0).sum())}")
    if len(paths) > 1:
        best, mean = max(found, key=lambda name: found[name].value), np.mean(given, 0).argmax(1)
        found["mean of all"] = metrics.macro_f1_interval(truth, mean, classes)
        found[f"mean of all less {best}"] = metrics.paired_difference(truth, answers[best], mean, classes)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", type=Path, nargs="+", help="folders of trainings, or model.safetensors")
    parser.add_argument("--manifest", type=Path, required=True, help="whose val crops are classified")
    parser.add_argument("--target", type=float, default=0.955, help="macro-F1 that is asked for")
    given = parser.parse_args(arguments)
    try:
        found = score(given.networks, manifests.load(given.manifest))
    except LeansortError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(align_columns([["", "val macro-F1 (95 %)"], *([name, str(value)] for name, value in found.items())], left=2))
    reached = found.get("mean of all", next(iter(found.values()))).value
    print(f"{reached:.4f} of {given.target:g}: {'holds' if reached >= given.target else 'MISSED'}")
    tree = {name: {"value": item.value, "low": item.low, "high": item.high} for name, item in found.items()}
    OUT.parent.mkdir(exist_ok=True)
    atomic_io.write_json(OUT, {"results": tree, "target": given.target, "host": processor()})
    return 0


if __name__ == "__main__":
    sys.exit(main())

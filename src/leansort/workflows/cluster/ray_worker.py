"""What one process of a cluster does: loads the bundle once, and classifies the photos that it is given.

Nothing is raised to Ray, which would start the work anew: what ends the whole run is a row of its own, by name.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leansort.core import bundle as bundles
from leansort.core.errors import LeansortError
from leansort.core.locations.location import location
from leansort.core.preprocess import UnreadableImage
from leansort.core.provenance import versions
from leansort.core.writing import atomic_io
from leansort.runtime.decisions.costs import DecisionCosts
from leansort.runtime.predictor import Classifier, failed_prediction
from leansort.workflows.cluster.partitions import ClusterRow


@dataclass(frozen=True)
class WorkerTask:
    """What every worker is told.

    Attributes:
        bundle: bytes of the bundle's file.
        digest: of the bundle, as who sent it knows it.
        leansort: version of who sent it.
        engine: that runs it, with its settings.
        costs: by which it is decided; None leaves the bundle's threshold.
    """

    bundle: bytes
    digest: str
    leansort: str
    engine: str
    costs: DecisionCosts | None = None


class RayWorker:
    """Classifies batches of photos; one bundle is in memory for as long as the process lives."""

    def __init__(self, task: WorkerTask) -> None:
        here = versions().get("leansort", "")
        self.refused, self.classifier = refusal(platform.node(), here, task.leansort), None
        if not self.refused:
            with atomic_io.scratch() as folder:
                (folder / "model.leansort").write_bytes(task.bundle)
                bundle = bundles.load(folder / "model.leansort")
            if bundle.digest != task.digest:
                self.refused = f"worker {platform.node()} got bundle {bundle.digest}, need {task.digest}"
            else:
                self.classifier = Classifier.of(bundle, engine=task.engine, costs=task.costs)

    def __call__(self, batch: Mapping[str, npt.NDArray[np.object_]]) -> dict[str, npt.NDArray[np.str_]]:
        """Classify the photos of a batch.

        Args:
            batch: arrays `source` (path or address, with its secrets), `image` (as it is shown), `stamp`, and `known`
                (digest of what was classified before under this name).

        Returns:
            An array `row`, of JSON: a `ClusterRow`, `{"same": …}` where the bytes are those that are known, or
            `{"fatal": …}`.
        """
        items = zip(*(batch[name].tolist() for name in COLUMNS), strict=True)
        return {"row": np.array([self._row(*item) for item in items])}

    def _row(self, source: str, image: str, stamp: str, known: str) -> str:
        if self.classifier is None:
            return atomic_io.canonical_json({"fatal": self.refused})
        digest = ""
        try:
            data = atomic_io.read_file(location(source))
            digest = atomic_io.sha256(data)[:32]
            if digest == known:
                return atomic_io.canonical_json({"same": image, "stamp": stamp})
            made = self.classifier.predict(data)
        except UnreadableImage as error:
            made = failed_prediction(str(error))
        except OSError as error:
            made = failed_prediction(f"cannot be read ({error.strerror or error})")
        except LeansortError as error:
            return atomic_io.canonical_json({"fatal": str(error)})
        row = ClusterRow(
            image, digest, stamp, made.error, made.label, made.probability, made.accepted, made.probabilities,
            made.novelty, made.known, made.cost, made.graph,
        )  # fmt: skip
        return atomic_io.canonical_json(asdict(row))


COLUMNS = ("source", "image", "stamp", "known")


def refusal(host: str, version: str, need: str) -> str:
    """Why a machine must not work: it has another version of leansort than `need`, or none; empty where it may."""
    if version == need:
        return ""
    has = f"leansort {version}" if version else "no leansort"
    return f"worker {host} has {has}, need {need}: pip install 'leansort[ray]=={need}'"


def stamp_of(path: Path) -> str:
    """Return size and time of a local file, which tell whether it is another one; empty where it is not there."""
    try:
        told = path.stat()
    except OSError:
        return ""
    return f"{told.st_size} {told.st_mtime_ns}"

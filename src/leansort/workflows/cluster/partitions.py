"""What a run on a cluster leaves: Parquet partitions, and a manifest of which are whole.

A partition's name is the digest of what it holds, the photos' digests and the bundle's, and the manifest is written
after it; so a run that was killed leaves only whole predictions, and goes on with the others.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from pydantic import Field, TypeAdapter

from leansort.core.errors import IntegrityError, UserError
from leansort.core.files.typed_files import JsonFile
from leansort.core.files.typed_result import TypedResult
from leansort.core.writing import atomic_io
from leansort.runtime.predictor import Prediction


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """The prediction for one photo.

    Attributes:
        image: its path as it was given, without secrets.
        digest: SHA-256 of its bytes, first 32 hex digits; empty where they could not be read.
        stamp: size and time of the file, by which it is known again without being read.
        error: why there is no prediction; such a photo is tried again by the next run.
        label: as of `runtime.predictor.Prediction`, and so are the following.
        probability: of the label.
        accepted: whether it is.
        probabilities: of all classes.
        novelty: None where it is not told.
        known: likewise.
        cost: likewise.
        graph: which one of a cascade answered.
    """

    image: str
    digest: str
    stamp: str
    error: str
    label: str
    probability: float
    accepted: bool
    probabilities: tuple[float, ...]
    novelty: float | None = None
    known: bool | None = None
    cost: float | None = None
    graph: str = ""

    @property
    def prediction(self) -> Prediction:
        """The row as every other command has it."""
        return Prediction(
            self.label, self.probability, self.accepted, tuple(self.probabilities), self.error, self.novelty,
            self.known, self.cost, graph=self.graph,
        )  # fmt: skip


def row_of(tree: object) -> ClusterRow:
    """Return the row that plain data stand for.

    Raises:
        ValueError: they stand for none.
    """
    return _ROW.validate_python(tree)


_ROW = TypeAdapter(ClusterRow)


class PartitionEntry(TypedResult):
    """One partition that is whole.

    Attributes:
        file: its name in the folder.
        rows: number of photos.
        failed: number of them that have no prediction.
    """

    file: str
    rows: int
    failed: int


class PartitionManifest(TypedResult):
    """What a folder of partitions holds: `manifest.json`.

    Attributes:
        bundle: digest of the bundle.
        leansort: version that made the predictions.
        engine: that ran, with its settings.
        settings: digest of what else decides: costs.
        labels: the classes in the order of the probabilities.
        parts: in the order in which they were written; of a photo in two of them the later one counts.
    """

    bundle: str
    leansort: str
    engine: str
    settings: str
    labels: tuple[str, ...]
    parts: tuple[PartitionEntry, ...] = Field(default=())


class PartitionFolder:
    """A folder of partitions; the caller holds its lock.

    Args:
        folder: where they lie.
        begun: what the run is, without parts.

    Raises:
        UserError: the folder holds another bundle's or setting's predictions, or something else.
        IntegrityError: a partition is missing or was changed.
    """

    def __init__(self, folder: Path, begun: PartitionManifest) -> None:
        self.folder = folder
        self._file = JsonFile(folder, "manifest.json")
        kept = self._file.read_if_there(PartitionManifest, "predict --ray")
        if kept is not None and (difference := _difference(kept, begun)):
            raise UserError(f"--ray: {folder} holds predictions of another {difference}; name another folder")
        self.manifest = kept or begun
        self.rows: dict[str, ClusterRow] = {}
        for entry in self.manifest.parts:
            self.rows |= {row.image: row for row in self._read(entry)}

    def add(self, rows: Sequence[ClusterRow]) -> None:
        """Write rows as a partition, then into the manifest."""
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
        named = [[row.image, row.digest, row.stamp, row.error] for row in rows]
        name = f"part-{atomic_io.digest([self.manifest.bundle, self.manifest.settings, named])}.parquet"
        table = arrow.Table.from_pylist([asdict(row) for row in rows], schema=_schema(arrow))
        with atomic_io.replace_file(self.folder / name) as temporary:
            parquet.write_table(table, temporary)
        entry = PartitionEntry(file=name, rows=len(rows), failed=sum(bool(row.error) for row in rows))
        self.manifest = self.manifest.model_copy(update={"parts": (*self.manifest.parts, entry)})
        self._file.write(self.manifest)
        self.rows |= {row.image: row for row in rows}

    def _read(self, entry: PartitionEntry) -> list[ClusterRow]:
        parquet = importlib.import_module("pyarrow.parquet")
        try:
            listed = parquet.read_table(self.folder / Path(entry.file).name).to_pylist()
            rows = [row_of(tree) for tree in listed]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise IntegrityError(f"--ray: {self.folder / entry.file} is missing or damaged ({error})") from None
        if len(rows) != entry.rows:
            raise IntegrityError(f"--ray: {self.folder / entry.file} has {len(rows)} rows, not {entry.rows}")
        return rows


def _difference(kept: PartitionManifest, begun: PartitionManifest) -> str:
    for name in ("bundle", "leansort", "engine", "settings"):
        if getattr(kept, name) != getattr(begun, name):
            what = {"leansort": "version of leansort", "settings": "file of costs"}.get(name, name)
            return f"{what} ({getattr(kept, name) or 'none'}, now {getattr(begun, name) or 'none'})"
    return ""


def _schema(arrow: ModuleType) -> object:
    texts = [(name, arrow.string()) for name in ("image", "digest", "stamp", "error", "label", "graph")]
    numbers = [("probability", arrow.float64()), ("accepted", arrow.bool_())]
    more = [("novelty", arrow.float64()), ("known", arrow.bool_()), ("cost", arrow.float64())]
    return arrow.schema([*texts, *numbers, ("probabilities", arrow.list_(arrow.float64())), *more])

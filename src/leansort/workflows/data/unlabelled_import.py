"""Photos without labels for a distillation: found once for each training, decoded as train crops are, kept by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leansort.core.files.typed_result import TypedResult
from leansort.core.manifest import Manifest
from leansort.core.preprocess import Preprocess
from leansort.core.process.console import bar, say
from leansort.core.process.distributed import is_first_process
from leansort.core.run_folder import TrainingFolder
from leansort.core.writing import atomic_io
from leansort.data import inputs
from leansort.data.importing.items import PHOTO
from leansort.data.importing.unlabelled_photos import WHAT, UnlabelledPhotos, find_unlabelled_photos
from leansort.data.inputs import InputFiles
from leansort.data.loading.loader import Pixels
from leansort.workflows.data.cache import decoded_files
from leansort.workflows.data.data_results import IssueCount
from leansort.workflows.data.import_data import issue_counts
from leansort.workflows.data.resume_check import require_same_photos


class UnlabelledRecord(TypedResult):
    """Which photos without labels a training learns from.

    Attributes:
        folder: the folder, absolute.
        photos: path below the folder and SHA-256, first 32 hex digits, of each.
        left_out: the other files, by why.
    """

    folder: str
    photos: tuple[tuple[str, str], ...]
    left_out: dict[str, IssueCount]

    @property
    def digest(self) -> str:
        """Digest of the photos' contents, in order."""
        return atomic_io.digest([content for _, content in self.photos])


@dataclass(frozen=True)
class UnlabelledCrops:
    """Decoded photos without labels.

    Attributes:
        pixels: uint8 RGB (n, size, size, 3).
        digest: of the photos' contents.
        count: n.
    """

    pixels: Pixels
    digest: str
    count: int


def find_unlabelled(source: Path, manifest: Manifest, folder: TrainingFolder, *, resume: bool) -> UnlabelledRecord:
    """Find the photos without labels of a training, or take those that it began with.

    Args:
        source: folder of the photos.
        manifest: the labelled data.
        folder: of the training; gets the record.
        resume: whether a record that lies there counts.

    Raises:
        UserError: no photo can be used, or they are others than the training began with.
    """
    if resume and folder.unlabelled.exists():
        known = folder.unlabelled.read(UnlabelledRecord, "resume")
        require_same_photos(source, WHAT, folder.unlabelled_inputs, folder.path)
        return known
    with bar("looking at photos without labels") as advance:
        found = find_unlabelled_photos(source, manifest, advance)
    _tell(found)
    record = UnlabelledRecord(folder=str(source.absolute()), photos=found.photos, left_out=issue_counts(found.left_out))
    if is_first_process():
        hashes = {str(source.absolute() / name): content for name, content in found.photos}
        listed = inputs.describe_files(dict.fromkeys(found.listed, PHOTO), hashes)
        InputFiles(listed).save(folder.unlabelled_inputs)
        folder.unlabelled.write(record)
    return record


def load_unlabelled(record: UnlabelledRecord, preprocess: Preprocess, cache: Path) -> UnlabelledCrops:
    """Decode photos without labels as train crops are, or take them from the cache.

    Raises:
        LeansortError: a photo is gone or has changed, or the cache cannot be written.
    """
    files = [(Path(record.folder) / name, content) for name, content in record.photos]
    return UnlabelledCrops(decoded_files(files, preprocess, cache, "unlabelled"), record.digest, len(files))


def _tell(found: UnlabelledPhotos) -> None:
    for line in found.left_out.lines():
        say(f"found {line}")
    left_out = found.left_out.counts.total()
    say(f"unlabelled: {len(found.photos):,} photos of {found.folder}, {left_out:,} files left out")
    if found.class_folders:
        named = ", ".join(f"{name} {count:,}" for name, count in found.class_folders.items())
        say(f"unlabelled: folders are called as classes are ({named}); they are not taken as labels")

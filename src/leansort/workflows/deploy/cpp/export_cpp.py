"""`leansort export --format cpp`: a bundle in, a folder of C++ out, which a robot programmer builds without Python."""

from __future__ import annotations

from pathlib import Path

from leansort.core import bundle as bundles
from leansort.core.errors import UserError
from leansort.core.files.typed_result import TypedResult
from leansort.core.run_folder import ModelFolder
from leansort.export.cpp.cpp_folder import README, write_cpp_folder
from leansort.runtime.shipped_models import find_bundle

CPP = "cpp"  # the word that asks for it where a format is named


class CppExportResult(TypedResult):
    """A folder of C++ that was written.

    Attributes:
        folder: where it is.
        bundle: what was converted.
        digest: of the bundle.
        graph_format: `onnx` or `openvino`, as the bundle has it.
        files: paths within the folder, with their sizes in bytes.
        photos: golden photos that its test classifies.
        frames: golden frames that its test preprocesses.
    """

    folder: Path
    bundle: Path
    digest: str
    graph_format: str
    files: dict[str, int]
    photos: int
    frames: int

    def headline(self) -> dict[str, str]:
        """Return the folder with its size, what was converted, and what its test checks."""
        return {
            "folder": str(self.folder),
            "size": f"{sum(self.files.values()) / 1e6:.2f} MB in {len(self.files)} files",
            "bundle": f"{self.bundle}, digest {self.digest}, {self.graph_format}",
            "golden": f"{self.photos} photos, {self.frames} frames",
        }

    def summary(self) -> str:
        """Return one line about the folder, and where to go on reading."""
        size = f"{sum(self.files.values()) / 1e6:.2f} MB in {len(self.files)} files"
        return f"{self.folder}: C++ for {self.bundle} (digest {self.digest}), {size}; see {self.folder / README}"


def export_cpp(given: Path, out: Path) -> CppExportResult:
    """Convert a bundle to C++.

    Args:
        given: the bundle, a name that `leansort models` lists, or the folder of a run that holds a bundle.
        out: the folder to write, not there yet or empty.

    Raises:
        UserError: there is no bundle, the folder holds something, or C++ cannot do what the bundle asks for.
        IntegrityError: the bundle is damaged, or OpenVINO cannot run it.
        MissingExtraError: OpenVINO or OpenCV is not installed.
    """
    path = _bundle_of(given)
    bundle = bundles.load(path)
    written = write_cpp_folder(bundle, out, f"export: {path}")
    return CppExportResult(
        folder=out,
        bundle=path,
        digest=bundle.digest,
        graph_format=bundle.format,
        files=dict(written.files),
        photos=written.photos,
        frames=written.frames,
    )


def _bundle_of(given: Path) -> Path:
    folder = ModelFolder(given)
    if given.is_dir() and folder.bundle.is_file():
        return folder.bundle
    if given.is_dir() and folder.model.is_file():
        raise UserError(
            f"export: {given} holds a network and no bundle; make one first: "
            f"leansort export {given} --manifest … --out {folder.bundle}"
        )
    if given.is_dir():
        raise UserError(f"export: {given} holds no bundle ({folder.bundle.name})")
    return find_bundle(given)

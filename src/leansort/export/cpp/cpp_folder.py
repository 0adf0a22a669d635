"""A folder that a robot programmer builds without Python: see `project/README.md`, which becomes the folder's own."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from leansort.core import pixels
from leansort.core.bundle import Bundle
from leansort.core.errors import MissingExtraError
from leansort.core.writing import atomic_io, written_folder
from leansort.export.cpp.cpp_settings import require_convertible, settings_text
from leansort.runtime import openvino_library

PROJECT = Path(__file__).parent / "project"
README = "README.md"


@dataclass(frozen=True)
class CppFolder:
    """What was written.

    Attributes:
        files: paths within the folder, with their sizes in bytes.
        photos: golden photos that the C++ test classifies.
        frames: golden frames that it preprocesses.
    """

    files: Mapping[str, int]
    photos: int
    frames: int


def write_cpp_folder(bundle: Bundle, out: Path, name: str) -> CppFolder:
    """Write a bundle's graph, settings, golden vectors and the C++ files: all of them, or nothing.

    Args:
        bundle: of a format that OpenVINO reads.
        out: the folder, which must not hold anything yet.
        name: how the bundle was named; begins the line that refuses it.

    Raises:
        UserError: the folder is not empty, or the bundle asks for what the C++ runtime cannot do.
        MissingExtraError: OpenVINO or OpenCV, whose pixels are the golden ones, is not installed.
        IntegrityError: OpenVINO cannot run the graph.
    """
    atomic_io.require_free(out, "export: out")
    require_convertible(bundle, name)
    openvino_library.import_openvino()
    if pixels.default_backend() != "opencv":
        raise MissingExtraError("cv2", "opencv")
    from leansort.export.cpp.golden_vectors import golden_vectors  # draws by OpenCV

    golden = golden_vectors(bundle)
    files = {
        **_project_files(bundle),
        **{f"model/{file}": data for file, data in bundle.files.items()},
        "model/settings.txt": settings_text(bundle).encode(),
        **{f"golden/{file}": data for file, data in golden.files.items()},
    }
    written_folder.write(files, out, "export: out")
    return CppFolder({path: len(files[path]) for path in sorted(files)}, golden.photos, golden.frames)


def _project_files(bundle: Bundle) -> dict[str, bytes]:
    paths = sorted(path for path in PROJECT.rglob("*") if path.is_file())
    files = {path.relative_to(PROJECT).as_posix(): path.read_bytes() for path in paths}
    words = {
        "name": bundle.meta.name,
        "labels": ", ".join(bundle.meta.labels),
        "openvino": importlib.metadata.version("openvino"),
    }
    return files | {README: Template(files[README].decode()).substitute(words).encode()}

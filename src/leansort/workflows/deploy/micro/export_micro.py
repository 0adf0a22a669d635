"""`leansort export --format c`: an int8 bundle in LiteRT's format in, an array of C for microcontrollers out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from leansort.core import bundle as bundles
from leansort.core.errors import LeansortError
from leansort.core.files.typed_result import TypedResult
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.run_folder import RunFolder
from leansort.core.writing import atomic_io, written_folder
from leansort.export.micro import c_array, micro_interpreter
from leansort.runtime import engine as engines
from leansort.runtime.predictor import softmax
from leansort.runtime.shipped_models import find_bundle
from leansort.workflows.training.train import load_crops

CROPS = 200  # that are compared at most: the interpreter for microcontrollers takes a tenth of a second for each here
MAX_GAP = 0.1  # of a probability: it rounds every layer in another way than LiteRT's own


class MicroExportResult(TypedResult):
    """An array of C that was written.

    Attributes:
        folder: where it is.
        bundle: what was converted.
        digest: of the bundle.
        files: paths within the folder, with their sizes in bytes.
        graph_bytes: of the array: what is stored on the device.
        arena_bytes: of memory that it needs while it runs.
        operators: kinds of layers that the interpreter there must have.
        crops: val crops compared.
        agreement: fraction of them with the same label on both interpreters.
        gap: largest difference of any probability.
    """

    folder: Path
    bundle: Path
    digest: str
    files: dict[str, int]
    graph_bytes: int
    arena_bytes: int
    operators: list[str]
    crops: int
    agreement: float
    gap: float

    def headline(self) -> dict[str, str]:
        """Return the folder, what the device must hold, and how close it comes to LiteRT."""
        return {
            "folder": str(self.folder),
            "bundle": f"{self.bundle}, digest {self.digest}",
            "stored": f"{self.graph_bytes / 1e3:.0f} kB",
            "memory": f"{self.arena_bytes / 1e3:.0f} kB",
            "operators": ", ".join(self.operators),
            "labels that agree with LiteRT's": f"{self.agreement:.2%} of {self.crops:,} val crops",
        }

    def summary(self) -> str:
        """Return one line about the folder."""
        needs = f"{self.graph_bytes / 1e3:.0f} kB stored, {self.arena_bytes / 1e3:.0f} kB of memory"
        return f"{self.folder}: an array of C for {self.bundle} (digest {self.digest}), {needs}"


def export_micro(given: Path, manifest: Manifest, out: Path) -> MicroExportResult:
    """Convert a bundle to an array of C, if the interpreter for microcontrollers says on val crops what LiteRT says.

    Args:
        given: the bundle, or a name that `leansort models` lists.
        manifest: whose val crops prove it.
        out: the folder to write, not there yet or empty.

    Raises:
        UserError: there is no bundle, it is of another format or in float, its labels differ from the manifest's, or
            the folder holds something.
        MissingExtraError: LiteRT, or its interpreter for microcontrollers, is not installed.
        LeansortError: that cannot run the graph, or says something else; nothing is written.
    """
    atomic_io.require_free(out, "export: out")
    path = find_bundle(given)
    bundle = bundles.load(path)
    c_array.require_convertible(bundle, f"export: {path}")
    bundle.labels.require_same(manifest.labels, "the bundle", "the manifest")
    val = np.asarray(load_crops(manifest, "val", bundle.meta.preprocess, RunFolder(out.parent).cache).pixels)
    pixels = val[:: -(-len(val) // CROPS)]
    there = softmax(micro_interpreter.logits_of(bundle.graph, pixels, bundle.meta.name))
    here = softmax(engines.compute_logits(engines.load_engine(bundle), pixels))
    agreement, gap = float((there.argmax(1) == here.argmax(1)).mean()), float(np.abs(there - here).max())
    if not gap <= MAX_GAP:
        raise LeansortError(
            f"export: refused, LiteRT for Microcontrollers differs from LiteRT: labels agree on {agreement:.2%} of "
            f"{len(pixels)} val crops, largest probability gap {gap:.2g} (at most {MAX_GAP})"
        )
    say(f"export: parity holds on {len(pixels)} val crops (labels agree {agreement:.2%}, gap {gap:.1e})")
    arena = micro_interpreter.arena_bytes(bundle.graph, bundle.meta.name)
    files = c_array.array_files(bundle, arena)
    written_folder.write(files, out, "export: out")
    return MicroExportResult(
        folder=out,
        bundle=path,
        digest=bundle.digest,
        files={name: len(files[name]) for name in sorted(files)},
        graph_bytes=len(bundle.graph),
        arena_bytes=arena,
        operators=c_array.operators_of(bundle),
        crops=len(pixels),
        agreement=agreement,
        gap=gap,
    )

"""Results that others made beside a run: stress, unknown photos, doubtful labels, the search that it is a trial of.

Where a result was named it has to fit the run. One that merely lies there and does not is left out, and why is said.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from leansort.contest.score_result import ScoreResult, UnknownScore
from leansort.core.errors import UserError
from leansort.core.files.typed_files import JsonFile
from leansort.core.files.typed_result import TypedResult
from leansort.core.manifest import Manifest
from leansort.core.run_folder import RunFolder, SolveFolder, StressFolder, StudyFolder
from leansort.measure.accuracy.metrics import Interval
from leansort.measure.robustness.stress_result import StressedBundle, StressResult
from leansort.search.study_result import StudyResult
from leansort.workflows.training.doubt.doubt_result import DoubtResult

R = TypeVar("R", bound=TypedResult)


class JudgedCandidate(BaseModel):
    """What a solve keeps of a recipe that it tried, of which a page needs this much.

    Attributes:
        name: of the recipe.
        macro_f1: on val.
        fraction: of the recipe's epochs that it was trained for.
        bytes: of the bundle.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    name: str
    macro_f1: Interval
    fraction: float
    bytes: int


def read_stress(folder: RunFolder, given: Path | None, digest: str) -> StressedBundle | str:
    """The severity curves of the run's bundle, or why there are none.

    Args:
        folder: the run's.
        given: see `PageSources.stress`.
        digest: of the run's bundle.

    Raises:
        UserError: the named result is not there, or of other bundles.
        IntegrityError: it is not what was written.
    """
    solve = solve_of(folder)
    usual = [StressFolder(folder.path / "stress").result, *([solve.stress.result] if solve else [])]
    result = _read(StressResult, given, usual)
    if result is None:
        return "No stress test lies in the run folder; the command below makes one."
    found = next((item for item in result.bundles if item.digest == digest), None)
    fault = f"the stress test is of other bundles than the run's, {digest}"
    return found or _refused(fault, given)


def read_unknown(folder: RunFolder, given: Path | None, scored: ScoreResult) -> UnknownScore | str:
    """How well unknown photos are told, or why that is not known.

    Args:
        folder: the run's.
        given: see `PageSources.unknown`.
        scored: the run's score, by which a result of the same crops is known to be of the same bundle.

    Raises:
        UserError: the named result is not there, tells nothing of unknown photos, or is of another bundle.
        IntegrityError: it is not what was written.
    """
    result = scored if scored.unknown else _read(ScoreResult, given, [folder.unknown])
    if result is None:
        return "No photos of none of the classes were given; the command below scores them."
    if result.unknown is None:
        return _refused("the score was made without --unknown", given)
    if (
        result.split == scored.split
        and result.all.crops == scored.all.crops
        and result.all.confusion != scored.all.confusion
    ):
        return _refused("the score of unknown photos is of another bundle than the run's", given)
    return result.unknown


def read_doubts(folder: RunFolder, given: Path | None, manifest: Manifest) -> DoubtResult | str:
    """The most doubtful labels of the run's data, or why they are not known.

    Args:
        folder: the run's.
        given: see `PageSources.doubt`.
        manifest: the run's.

    Raises:
        UserError: the named result is not there, or of other data.
        IntegrityError: it is not what was written.
    """
    solve = solve_of(folder)
    usual = [folder.doubt, RunFolder(folder.path / "doubt").doubt, *([solve.look.doubt] if solve else [])]
    result = _read(DoubtResult, given, usual)
    if result is None:
        return "Labels were not judged; the command below judges them."
    known = {row.image for row in manifest.rows}
    if any(item.file not in known for item in result.top):
        return _refused("doubtful labels are of other data than the run's", given)
    return result


def read_study(folder: RunFolder, given: Path | None) -> StudyResult | None:
    """The search that a run is a trial of, that its solve made, or that was named; None where there is none.

    Raises:
        UserError: the named result is not there.
        IntegrityError: it is not what was written.
    """
    parents, solve = folder.path.resolve().parents, solve_of(folder)
    inside = [StudyFolder(parents[1]).result] if len(parents) > 1 and parents[0].name == "trials" else []
    return _read(StudyResult, given, [*inside, *([solve.study.result] if solve else [])])


def solve_of(folder: RunFolder) -> SolveFolder | None:
    """The solve that a run is a candidate of; None where it is none."""
    parents = folder.path.resolve().parents
    if len(parents) < 2 or parents[0].name != "candidates":
        return None
    solve = SolveFolder(parents[1])
    return solve if solve.plan.path.is_file() else None


def judged_candidates(folder: RunFolder) -> list[tuple[JudgedCandidate, bool]]:
    """The candidates of the same solve that were judged, and whether each is the run itself, by name.

    Raises:
        IntegrityError: what is kept of one is not what was written.
    """
    solve, here = solve_of(folder), folder.path.resolve()
    if solve is None:
        return []
    folders = sorted(path for path in here.parent.iterdir() if path.is_dir())
    files = [(solve.candidate(path.name).judged, path == here) for path in folders]
    return [(file.read(JudgedCandidate, "report"), is_here) for file, is_here in files if file.path.is_file()]


def _read(kind: type[R], given: Path | None, usual: list[JsonFile]) -> R | None:
    """The named file, or that of its usual name in the named folder; else the first of the usual ones there."""
    if given is None:
        return next((file.read(kind, "report") for file in usual if file.path.is_file()), None)
    name = usual[0].name if usual else StudyFolder(given).result.name
    return (JsonFile(given, name) if given.is_dir() else JsonFile(given.parent, given.name)).read(kind, "report")


def _refused(fault: str, given: Path | None) -> str:
    if given is not None:
        raise UserError(f"report: {given}: {fault}")
    return f"{fault[0].upper()}{fault[1:]}."

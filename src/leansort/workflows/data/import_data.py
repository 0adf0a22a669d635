"""`leansort data sample|import|download`: draw, fetch and import data sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, JsonValue

from leansort.core import manifest as manifests
from leansort.core import plugins
from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject
from leansort.core.locations.location import location
from leansort.core.manifest import SPLITS, Manifest
from leansort.core.process.console import bar, say
from leansort.core.run_folder import DataFolder
from leansort.core.writing.escaping import printable
from leansort.data.download.store_inputs import bring_data, bring_small
from leansort.data.importing.class_selection import scarce_class_warnings
from leansort.data.importing.corrections import Corrections, apply_corrections, read_corrections, summarize
from leansort.data.importing.data_source import DataSource
from leansort.data.importing.items import CORRECTIONS, Items
from leansort.data.importing.manifest_builder import MAX_UNREADABLE, build_manifest
from leansort.data.quality.issues import Issues
from leansort.recipe.data_section import corrections_file, data_faults, data_source, keep_classes, split_config
from leansort.recipe.schema import Recipe
from leansort.workflows.data.data_results import (
    CorrectionRecord,
    ImportRecord,
    ImportResult,
    IssueCount,
    SampleResult,
    SurveyResult,
)
from leansort.workflows.data.resume_check import keep_import, require_own, require_same_import, same_manifest

CORRECTED = "corrections"  # in the notes of a manifest

if TYPE_CHECKING:
    from leansort.data.download.photo_downloads import DownloadResult


def draw_sample(out: Path, *, seed: int, train: int, val: int, test: int) -> SampleResult:
    """Draw the sample data set: `annotations.json` and `images/` in `out`."""
    from leansort.data.synthetic.dataset import draw_dataset

    with bar("drawing scenes") as advance:
        scenes = {"train": train, "val": val, "test": test}
        tree = draw_dataset(out, seed=seed, scenes=scenes, progress=advance)
    return SampleResult(annotations=out / "annotations.json", scenes=scenes, boxes=len(tree["annotations"]))


def import_data(data: dict[str, object], out: Path, *, seed: int = 0) -> Manifest:
    """Import a data set; write `manifest.parquet`, and `import.json` with all that was found wrong, into `out`.

    Args:
        data: as the `data` section of a recipe: `source`, the keys of that source, and `split`.
        out: gets the manifest, and crops where the source cuts them.
        seed: of the splits, where the data set gives none.

    Raises:
        UserError: the data set cannot be used, or too many of its pictures cannot be read.
    """
    folder = DataFolder(out)
    local = _local(data, out)
    source = data_source(local, out=out, path=folder.imported)
    say(f"data: reading {data['source']} {describe_source(data_source(data, out=out, path=folder.imported).config)}")
    _say_recognized(source)
    corrections = _corrections(local)
    result, corrected = _corrected(_items(source), corrections)
    with bar("checking pictures") as advance:
        manifest, faults = build_manifest(
            result,
            seed=seed,
            split=split_config(data),
            progress=advance,
            tolerate=getattr(source.config, "tolerate", MAX_UNREADABLE),
            keep=keep_classes(data),
        )
    for line in faults.lines():
        say(f"found {line}")
    warn(manifest)
    counted = counts(manifest)
    record = ImportRecord(
        splits=counted.splits,
        notes=counted.notes,
        faults=issue_counts(faults),
        warnings=tuple(scarce_class_warnings(manifest)),
        corrections=corrected,
        data=_named(data),
        seed=seed,
    )
    keep_import(result, manifest, out)
    folder.import_record.write(record)
    manifest.save(folder.manifest)  # last: where it lies the import is whole
    return manifest


def _local(data: dict[str, object], out: Path | None) -> dict[str, object]:
    """A `data` section with local copies of what lies in a store; `out` gets the photos that are used as they are."""
    kind = plugins.load("sources", str(data["source"]), DataSource)
    cuts = "out" in kind.Config.model_fields  # it writes crops of its own
    return bring_data(data, None if cuts else out)


def _corrections(data: dict[str, object]) -> Corrections | None:
    """The corrections file of a `data` section, read before photos are: a fault of it costs no waiting."""
    path = corrections_file(data)
    return read_corrections(path) if path else None


def _corrected(items: Items, corrections: Corrections | None) -> tuple[Items, CorrectionRecord | None]:
    """A source's items with their corrections, which are counted in the notes and told by name."""
    if corrections is None:
        return items, None
    corrected = apply_corrections(items, corrections)
    told = Issues()
    for item in (*corrected.relabelled, *corrected.dropped):
        told.add("label corrected" if item.label else "dropped by a correction", str(item))
    for line in told.lines():
        say(f"corrections: {line}")
    notes = {**items.notes, CORRECTED: summarize(corrected, corrections.blank)}
    say(f"corrections: {corrections.path}: {len(corrected.relabelled):,} labels corrected, "
        f"{len(corrected.dropped):,} photos dropped, {len(corrected.confirmed):,} labels confirmed, "
        f"{corrections.blank:,} rows undecided")  # fmt: skip
    inputs = None if items.inputs is None else {**items.inputs, corrections.path: CORRECTIONS}
    return replace(corrected.items, notes=notes, inputs=inputs), CorrectionRecord(
        str(corrections.path.resolve()),
        corrected.relabelled,
        corrected.dropped,
        corrected.confirmed,
        corrections.blank,
    )


def warn(manifest: Manifest) -> None:
    """Say which classes are short of crops, and what that does to the score."""
    for sentence in scarce_class_warnings(manifest):
        say(f"warning: {sentence}")


def data_for(
    recipe: Recipe,
    out: Path,
    manifest: Path | None,
    *,
    resume: bool,
    import_into: Callable[[Recipe, Path], Manifest] | None = None,
) -> Manifest:
    """The data to work on: those of `manifest`, or the recipe's own, imported into `out` or, on resuming, kept there.

    Args:
        recipe: names the data.
        out: the folder.
        manifest: other data, imported before.
        resume: whether what lies in `out` may be taken.
        import_into: imports a recipe's data into a folder; None does so in this process.

    Raises:
        UserError: the data cannot be used, or `out` holds others.
    """
    if manifest:
        given = same_manifest(manifest, out, resume=resume)
        warn(given)
        if corrections_file(recipe.data) and CORRECTED not in given.notes:
            say(f"warning: {manifest} was imported without corrections, and the recipe's data.corrections do not count")
        return given
    if resume:
        require_own(out)
    kept = _kept(recipe.data, out, seed=recipe.seed) if resume else None
    if kept or import_into is None:
        return kept or import_data(recipe.data, out, seed=recipe.seed)
    return import_into(recipe, out)


def _kept(data: dict[str, object], out: Path, *, seed: int) -> Manifest | None:
    """What an earlier import of the same data left in `out`; None where there is nothing.

    Raises:
        UserError: other data were imported there, or their files changed since.
    """
    folder, now = DataFolder(out), _named(data)
    if not folder.manifest.exists():
        return None
    record = folder.import_record.read_if_there(ImportRecord, "resume")
    then = (record and record.data, record and record.seed)
    if then[0] not in (None, now) or then[1] not in (None, seed):
        raise UserError(f"resume: {out} holds other data than the recipe names now; start anew with another --out")
    require_same_import(_local(data, out), out)
    kept = manifests.load(out)
    warn(kept)
    return kept


def _named(data: Mapping[str, object]) -> JsonObject:
    """A `data` section as plain data, its paths as they are called from anywhere."""
    return {key: _plain(value, path=key in ("path", "corrections")) for key, value in data.items()}


def _plain(value: object, *, path: bool) -> JsonValue:
    if isinstance(value, Path) or (path and isinstance(value, str)):
        return str(location(value).resolve())
    if isinstance(value, dict):
        return {str(key): _plain(item, path=path) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, path=path) for item in value]
    return cast(JsonValue, value)


def _items(source: DataSource[BaseModel]) -> Items:
    if not source.progress:
        return source.items()
    with bar(source.progress) as advance:
        return source.items(advance)


def describe_source(config: BaseModel) -> str:
    """The path or paths of a source, for people."""
    named: object = config.path  # type: ignore[attr-defined]  # every source has one
    keyed = named.items() if isinstance(named, dict) else [("", named)]
    several = [(key, path if isinstance(path, tuple) else (path,)) for key, path in keyed]
    return ", ".join(
        f"{key}={location(path)}" if key else str(location(path)) for key, paths in several for path in paths
    )


def _say_recognized(source: DataSource[BaseModel]) -> None:
    """Name what a source took a folder for, where it recognizes folders."""
    for line in source.recognized():
        say(f"data: {line}")


def survey(data: dict[str, object]) -> SurveyResult:
    """Count what an import would give, without opening a photo or writing anything.

    Raises:
        UserError: the data set cannot be used, or its source cannot be counted without importing.
    """
    if corrections_file(data):
        raise UserError("--dry-run: corrections have no effect on it; it counts what the source has, as it has it")
    source = data_source(_local(data, None))
    if type(source).survey is not DataSource.survey:
        _say_recognized(source)
        if (surveyed := source.survey()) is not None:
            return SurveyResult(parts=surveyed)
    raise UserError(f"--dry-run: source {data['source']!r} has nothing to count before it is imported")


def survey_table(surveyed: SurveyResult) -> str:
    """Lay a survey out as text: one block a part, and for COCO the sum that must equal the annotations."""
    lines: list[str] = []
    for part, value in surveyed.parts.items():
        if isinstance(value, dict):
            lines += [f"{part}:", *(f"  {printable(name):<32} {_cell(count)}" for name, count in value.items())]
        else:
            lines.append(f"{part:<34} {_cell(value)}")
    named = [surveyed.parts.get(part) for part in ("classes", "dropped categories", "dropped boxes")]
    counted = [list(part.values()) for part in named if isinstance(part, dict)]
    if len(counted) == len(named):
        sums = [sum(n for n in part if isinstance(n, int)) for part in counted]
        total = surveyed.parts["annotations"]
        lines.append(f"sum: {' + '.join(f'{n:,}' for n in sums)} = {sum(sums):,} of {total:,}")
    return "\n".join(lines)


def _cell(value: JsonValue) -> str:
    return f"{value:>9,}" if isinstance(value, int) else str(value)


def download_taco(
    annotations: Path, out: Path, *, size: str, jobs: int, retries: int, timeout_s: float
) -> DownloadResult:
    """Fetch a COCO file's photos by the URLs in it; photos that are there and whole are left alone.

    Raises:
        UserError: the file is not COCO, names no URLs, or names files outside `out`.
        LeansortError: the disk is full.
    """
    from leansort.data.download.photo_downloads import download, list_photos

    listed = list_photos(annotations, "640" if size == "640" else "original")
    with bar("photos") as advance:
        return download(listed, out, jobs=jobs, retries=retries, timeout_s=timeout_s, progress=advance)


def issue_counts(issues: Issues) -> dict[str, IssueCount]:
    """What was found wrong, by kind."""
    return {kind: IssueCount(count, tuple(issues.examples.get(kind, ()))) for kind, count in issues.counts.items()}


def counts(manifest: Manifest) -> ImportResult:
    """Crops by split and class, and what the import counted."""
    by_split = {split: dict(zip(manifest.labels.names, manifest.counts(split), strict=True)) for split in SPLITS}
    return ImportResult(splits={k: v for k, v in by_split.items() if any(v.values())}, notes=manifest.notes)


def check_source(settings: dict[str, object], out: Path) -> dict[str, object]:
    """Check what the command line said of a source, before anything is made.

    Files beside the data that lie in a store are brought.

    Raises:
        UserError: no such source, or it has no such setting.
    """
    settings = bring_small(settings)
    faults = data_faults(settings, out)
    if faults:
        raise UserError("; ".join(faults))
    return settings

"""`leansort models`: the bundles that are known by name, the card of each, and a copy of one."""

from __future__ import annotations

from pathlib import Path

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError, not_one_of
from leansort.core.files.bundle_card import BundleCard
from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.core.preprocess import Preprocess
from leansort.core.process.console import say
from leansort.core.text.columns import align_columns
from leansort.core.writing import atomic_io
from leansort.report import model_card_page
from leansort.report.model_card_page import NOT_RECORDED
from leansort.runtime import shipped_models
from leansort.runtime.shipped_models import SUFFIX, ShippedModel
from leansort.workflows.cards.bundle_facts import facts_of_bundle

HEAD = ("model", "MB", "macro-F1 (95 %)", "ms alone", "parameters", "input", "data", "from")


class ListedModel(TypedResult):
    """A bundle with what it tells of itself.

    Attributes:
        name: that commands know it by; the file's path where it is none of the known ones.
        file: the bundle file.
        origin: where it comes from, for people: `leansort`, a folder, or a distribution with its version.
        default: whether it sorts where no bundle is named.
        bytes: size of the file.
        sha256: of the file.
        format: of the graph.
        parameters: weights of the network.
        macs: multiply-adds for one picture.
        preprocess: how pictures become its input.
        labels: its classes, in order.
        temperature: divides the logits before the softmax.
        reject_below: predictions less probable than this are not accepted.
        provenance: what made it: versions, seed, digests of data and recipe, weight packs.
        card: data, licences, scores, latency and limits; None where the bundle has no card.
    """

    name: str
    file: Path
    origin: str
    default: bool
    bytes: int
    sha256: str
    format: str
    parameters: int
    macs: int
    preprocess: Preprocess
    labels: tuple[str, ...]
    temperature: float
    reject_below: float
    provenance: JsonObject
    card: BundleCard | None


class ModelsResult(TypedResult):
    """The models that were asked for.

    Attributes:
        models: by name; one where one was asked for.
        copied: file that its bundle was copied to; None where that was not asked for.
    """

    models: tuple[ListedModel, ...]
    copied: Path | None = None

    def headline(self) -> dict[str, str]:
        """Return a line for each model."""
        return {item.name: ", ".join(_row(item)[1:]) for item in self.models}


def list_models() -> ModelsResult:
    """List every bundle that is known by name; one that is damaged is left out, which is said."""
    found = []
    for model in shipped_models.list_models().values():
        try:
            found.append(_listed(model))
        except LeansortError as error:
            say(f"warning: left out: model {model.name!r} of {model.origin}: {error}")
    return ModelsResult(models=tuple(sorted(found, key=lambda item: (not item.default, item.name))))


def show_model(name: str, out: Path | None = None) -> ModelsResult:
    """Open one bundle, and copy it.

    Args:
        name: of a model, or the path of any bundle.
        out: file or folder to copy the bundle to; None copies nothing.

    Raises:
        UserError: there is no such model, or the file is there already.
        IntegrityError: the bundle is damaged.
    """
    model = _named(name)
    listed = _listed(model)
    return ModelsResult(models=(listed,), copied=_copy(model, out) if out else None)


def _named(name: str) -> ShippedModel:
    path = shipped_models.find_bundle(name)
    known = shipped_models.find_model(name)
    if known and known.path == path:
        return known
    if path.is_file():
        return ShippedModel(name, path, "a file")
    raise not_one_of("models", name, shipped_models.list_models())


def _copy(model: ShippedModel, out: Path) -> Path:
    path = out / f"{Path(model.name).stem}{SUFFIX}" if out.is_dir() else out
    if path.exists():
        raise UserError(f"models: {path} is there already; name another file with --out")
    atomic_io.require_file(path)
    atomic_io.write_bytes(path, model.path.read_bytes())
    return path


def _listed(model: ShippedModel) -> ListedModel:
    bundle, content = bundles.load(model.path), model.path.read_bytes()
    meta = bundle.meta
    return ListedModel(
        name=model.name,
        file=model.path,
        origin=model.origin,
        default=model.path == shipped_models.default_model().path,
        bytes=len(content),
        sha256=atomic_io.sha256(content),
        format=bundle.format,
        parameters=meta.parameters,
        macs=meta.macs,
        preprocess=meta.preprocess,
        labels=meta.labels,
        temperature=meta.temperature,
        reject_below=meta.reject_below,
        provenance=meta.provenance,
        card=meta.card,
    )


def models_text(result: ModelsResult, *, with_card: bool) -> str:
    """As text: a table, or the card of the one model that was asked for."""
    if result.copied:
        item = result.models[0]
        return f"{result.copied}: {item.name}, {item.bytes / 1e6:.2f} MB, sha256 {item.sha256}"
    if with_card:
        return card_text(bundles.load(result.models[0].file)).rstrip()
    table = align_columns([HEAD, *map(_row, result.models)], left=1)
    return f"{table}\n\n* sorts where no bundle is named; leansort models NAME shows a card"


def card_text(bundle: Bundle) -> str:
    """A bundle's card as Markdown; what it does not tell is said to be not recorded."""
    return model_card_page.text(bundle.meta.name, facts_of_bundle(bundle), bundle.meta.card or BundleCard())


def _row(item: ListedModel) -> list[str]:
    card = item.card or BundleCard()
    score, latency = card.score, card.latency
    return [
        f"{item.name}{' *' * item.default}",
        f"{item.bytes / 1e6:.2f}",
        f"{score.macro_f1:.4f} ({score.low:.4f} – {score.high:.4f})" if score else NOT_RECORDED,
        f"{latency.model_ms:.3g}" if latency else NOT_RECORDED,
        f"{item.parameters:,}",
        f"{item.preprocess.size} px",
        card.data or NOT_RECORDED,
        item.origin,
    ]

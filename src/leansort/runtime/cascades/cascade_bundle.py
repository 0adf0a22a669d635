"""Make one bundle of two: the cascade, with what follows from its graphs."""

from __future__ import annotations

from leansort.core.bundle import Bundle, BundleMeta
from leansort.core.errors import UserError
from leansort.core.files.bundle_cascade import CASCADE_FILES, OF_EACH, CascadeSettings, Decode
from leansort.core.files.bundle_decisions import NoveltyScale


def assemble(first: Bundle, second: Bundle, settings: CascadeSettings, name: str = "") -> Bundle:
    """Make a cascade of two bundles.

    Its labels and preprocessing are the large bundle's, its logits need no temperature, it accepts from the large
    bundle's threshold on, and it tells novelty where both graphs do. `macs` is what an image takes on average on val.

    Args:
        first: the small bundle.
        second: the large bundle.
        settings: which of them answers.
        name: of the model, for people; both names where empty.

    Raises:
        UserError: the two cannot be a cascade; see `require_pair`.
    """
    require_pair(first, second, settings.decode)
    meta = BundleMeta(
        name=name or f"{first.meta.name[:60]} + {second.meta.name[:60]}",
        preprocess=second.meta.preprocess,
        labels=second.meta.labels,
        labels_digest=second.meta.labels_digest,
        reject_below=second.meta.reject_below,
        novelty=_scale(first, second),
        parameters=first.meta.parameters + second.meta.parameters,
        macs=first.meta.macs + round((1 - settings.share) * second.meta.macs),
        provenance={"cascade": {"first": first.digest, "second": second.digest}},
        cascade=settings,
    )
    return Bundle(meta, dict(zip(CASCADE_FILES, (first.to_bytes(), second.to_bytes()), strict=True)))


def require_pair(first: Bundle, second: Bundle, decode: Decode) -> None:
    """Refuse two bundles that cannot answer in each other's place.

    Raises:
        UserError: one is a cascade itself; they differ in format or labels; the first one takes larger images; or the
            way of decoding is wrong for what they take.
    """
    for side, bundle in (("first", first), ("second", second)):
        if bundle.stages:
            raise UserError(f"cascade: the {side} bundle, {bundle.meta.name}, is a cascade itself; need one graph each")
    if first.format != second.format:
        raise UserError(
            f"cascade: got graphs in the formats {first.format} and {second.format}, need one format for both; "
            "leansort export converts a bundle"
        )
    if first.meta.labels != second.meta.labels:
        raise UserError(
            f"cascade: the first bundle's labels are {', '.join(first.meta.labels)}, the second's "
            f"{', '.join(second.meta.labels)}; need the same in the same order"
        )
    _require_decode(first, second, decode)


def default_decode(first: Bundle, second: Bundle) -> Decode:
    """Return `once` where pixels made for the large graph can be shrunk for the small one, else `again`."""
    one, two = first.meta.preprocess, second.meta.preprocess
    return "once" if one.fit == two.fit and one.size <= two.size else "again"


def _require_decode(first: Bundle, second: Bundle, decode: Decode) -> None:
    one, two = first.meta.preprocess, second.meta.preprocess
    if decode == "once" and default_decode(first, second) != "once":
        raise UserError(
            f"cascade: decode once: the small graph takes {one.size} px by {one.fit} and the large one {two.size} px "
            f"by {two.fit}; need one fit, and no more px for the small one; decode again instead"
        )
    if decode == "again" and (one.size, one.fit, one.fill) == (two.size, two.fit, two.fill):
        raise UserError(f"cascade: decode again: has no effect, both graphs take the same {one.size} px by {one.fit}")


def _scale(first: Bundle, second: Bundle) -> NoveltyScale | None:
    scales = first.meta.novelty, second.meta.novelty
    if scales[0] is None or scales[1] is None:
        return None
    recall = min(scales[0].recall, scales[1].recall)
    return NoveltyScale(method=OF_EACH, zero=0.0, span=1.0, recall=recall, reject=scales[1].reject)

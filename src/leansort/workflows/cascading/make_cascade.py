"""`leansort cascade`: a small bundle answers where it is sure, a large one the rest; val tells where that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError, not_one_of
from leansort.core.files.bundle_cascade import GRAPHS, CascadeFit, CascadeSettings, Decode
from leansort.core.files.typed_result import TypedResult
from leansort.core.preprocess import UnreadableImage
from leansort.core.process.console import say
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import printable
from leansort.measure.accuracy.cascade_fit import fit_cascade, stage_answers
from leansort.measure.accuracy.ground_truth import GroundTruth, read_ground_truth
from leansort.measure.accuracy.reference_fit import fit_reference
from leansort.measure.engine_selection import engine_choice
from leansort.runtime.autobatch import usable_cores
from leansort.runtime.cascades.cascade_bundle import assemble, default_decode, require_pair
from leansort.runtime.cascades.cascade_classifier import CascadeClassifier
from leansort.runtime.drift.image_statistics import ImageStatistics, image_statistics, longer_side
from leansort.runtime.predictor import Prediction

MOST_NAMED = 5  # unreadable photos
DECODE = get_args(Decode)


@dataclass(frozen=True)
class _BothAnswers:
    """What both graphs say of one photo, and what it looks like."""

    first: Prediction
    second: Prediction
    statistics: ImageStatistics


@dataclass(frozen=True)
class FittedCascade:
    """A cascade with its threshold.

    Attributes:
        bundle: the cascade.
        settings: threshold, way of decoding, and what they come to.
        unreadable: photos that were left out.
    """

    bundle: Bundle
    settings: CascadeSettings
    unreadable: int


class CascadeResult(TypedResult):
    """A cascade that was written.

    Attributes:
        bundle: its file.
        digest: of its content.
        size_bytes: of the file.
        threshold: from which probability on the small graph answers, 0 to 1.
        decode: `once` or `again`.
        share: fraction of the photos that the small graph answers.
        macs: multiply-adds for an image, on average.
        second_macs: those of the large graph alone.
        fit: macro-F1 on the photos, as fitted and cross-fitted.
        unreadable: photos that were left out.
    """

    bundle: Path
    digest: str
    size_bytes: int
    threshold: float
    decode: Decode
    share: float
    macs: int
    second_macs: int
    fit: CascadeFit
    unreadable: int

    def headline(self) -> dict[str, str]:
        """Return the file, who answers how many, and what that costs and saves."""
        fit = self.fit
        gap = f"95 % of the difference {fit.difference_low:+.4f} to {fit.difference_high:+.4f}"
        return {
            "bundle": f"{self.bundle}, {self.size_bytes / 1e6:.2f} MB",
            "threshold": f"{self.threshold:.4f}: the small graph answers {self.share:.1%} of {fit.photos:,} photos",
            "macro-F1 of the large graph": f"{fit.second_macro_f1:.4f}",
            "macro-F1 of the small graph": f"{fit.first_macro_f1:.4f}",
            "macro-F1 of the cascade": f"{fit.macro_f1:.4f} on the photos that its threshold was fitted on",
            "cross-fitted": f"{fit.crossfitted_macro_f1:.4f} with {fit.crossfitted_share:.1%} answered by the small "
            f"graph ({gap})",
            "multiply-adds": f"{self.macs / 1e6:.1f} M a photo on average, the large graph alone "
            f"{self.second_macs / 1e6:.1f} M",
            "decoding": self.decode,
        }

    def summary(self) -> str:
        """Return the headline as lines, with a warning where more is to be expected to be lost than was allowed."""
        width = max(map(len, self.headline()))
        lines = [f"{name:{width}}  {text}" for name, text in self.headline().items()]
        loss = self.fit.second_macro_f1 - self.fit.crossfitted_macro_f1
        if loss > self.fit.max_f1_drop:
            lines.append(
                f"warning: cross-fitted it loses {loss:.4f}, more than the {self.fit.max_f1_drop:g} that it was fitted "
                "for; on new photos expect this rather than the fitted figure"
            )
        return "\n".join(lines)


def make_cascade(
    first: Path,
    second: Path,
    photos: Path,
    out: Path,
    *,
    max_f1_drop: float,
    decode: str = "",
    engine: str = "",
    name: str = "",
) -> CascadeResult:
    """Make a cascade of two bundles, with a threshold that is fitted on labelled photos.

    Args:
        first: the small bundle.
        second: the large bundle.
        photos: a manifest (its val crops), class folders, or a CSV image,label; nothing may have been trained on them.
        out: the bundle to write.
        max_f1_drop: how much of the large bundle's macro-F1 may be lost on them, 0 to 1.
        decode: `once` or `again`, see `core.files.bundle_cascade`; empty: once where that is possible.
        engine: that runs both; what suits their format where empty.
        name: of the cascade, for people.

    Raises:
        UserError: the bundles cannot be a cascade, the photos cannot be used or are too few, or no threshold keeps the
            macro-F1; nothing is written.
        IntegrityError: a bundle is damaged.
    """
    atomic_io.require_file(out)
    small, large = bundles.load(first), bundles.load(second)
    way = _decoding(small, large, decode)  # what cannot be a cascade is refused before the photos are read
    made = fit_pair(small, large, _truth(photos, large), max_f1_drop=max_f1_drop, decode=way, engine=engine, name=name)
    cascade, settings = made.bundle, made.settings
    cascade.save(out)
    assert settings.fit is not None
    return CascadeResult(
        bundle=out, digest=cascade.digest, size_bytes=out.stat().st_size, threshold=settings.threshold,
        decode=settings.decode, share=settings.share, macs=cascade.meta.macs, second_macs=large.meta.macs,
        fit=settings.fit, unreadable=made.unreadable,
    )  # fmt: skip


def fit_pair(
    small: Bundle,
    large: Bundle,
    truth: GroundTruth,
    *,
    max_f1_drop: float,
    decode: str = "",
    engine: str = "",
    name: str = "",
) -> FittedCascade:
    """Make a cascade of two bundles in memory; see `make_cascade`.

    Args:
        small: the small bundle.
        large: the large bundle.
        truth: labelled photos of the bundles' classes.
        max_f1_drop: as for `make_cascade`.
        decode: as for `make_cascade`.
        engine: as for `make_cascade`.
        name: as for `make_cascade`.

    Raises:
        NoThresholdError: the photos are too few, or no threshold keeps the macro-F1.
        UserError: the bundles cannot be a cascade.
    """
    way = _decoding(small, large, decode)
    draft = assemble(small, large, CascadeSettings(threshold=1.0, decode=way, share=0.0), name)
    answers = _answers(draft, truth, engine)
    pairs = [(entry, at) for entry, at in zip(answers, truth.index.values(), strict=True) if entry is not None]
    labels = [at for _, at in pairs]
    settings = fit_cascade(
        stage_answers([e.first for e, _ in pairs], [e.second for e, _ in pairs], labels, len(draft.labels)),
        max_f1_drop, way,
    )  # fmt: skip
    cascade = _with_reference(assemble(small, large, settings, name), [entry for entry, _ in pairs], labels)
    return FittedCascade(cascade, settings, len(answers) - len(pairs))


def _decoding(small: Bundle, large: Bundle, decode: str) -> Decode:
    """How a cascade of two bundles decodes, once it is known that they can be one."""
    if decode and decode not in DECODE:
        raise not_one_of("decode", decode, DECODE)
    way = cast(Decode, decode) or default_decode(small, large)
    require_pair(small, large, way)
    return way


def _truth(photos: Path, large: Bundle) -> GroundTruth:
    truth = read_ground_truth(photos, "val", large.labels)
    for note in truth.notes:
        say(printable(note))
    if truth.labels.names != large.meta.labels:
        raise UserError(
            f"cascade: {photos} has the classes {', '.join(truth.labels.names)}; "
            f"the bundles {', '.join(large.meta.labels)}"
        )
    return truth


def _answers(draft: Bundle, truth: GroundTruth, engine: str) -> list[_BothAnswers | None]:
    """What both graphs say of each photo; None of those that cannot be read, which are counted and named."""
    files = [truth.files[name] for name in truth.index]
    faults: list[str] = []
    with engine_choice.classifier_of(draft, engine, say=say) as classifier:
        assert isinstance(classifier, CascadeClassifier)
        steps = classifier.steps

        def both(path: Path) -> _BothAnswers | None:
            try:
                x_hwc = steps.held(path)
            except (UnreadableImage, UserError) as error:
                faults.append(f"{path} {error}")
                return None
            [one], [two] = steps.first_answers(x_hwc[None]), steps.second_answers(x_hwc[None], [path])
            if one.error or two.error:
                faults.append(f"{path} {one.error or two.error}")
                return None
            return _BothAnswers(one, two, image_statistics(x_hwc, longer_side(path)))

        with ThreadPoolExecutor(usable_cores()) as pool:
            result = list(pool.map(both, files))
    if faults:
        named = "; ".join(map(printable, sorted(faults)[:MOST_NAMED]))
        say(f"cascade: {len(faults):,} of {len(files):,} photos cannot be read and are left out: {named}")
    return result


def _with_reference(cascade: Bundle, answers: Sequence[_BothAnswers], labels: Sequence[int]) -> Bundle:
    """Keep what the photos look like to the cascade, to tell drift by."""
    with engine_choice.classifier_of(cascade, "") as classifier:
        assert isinstance(classifier, CascadeClassifier)
        decided = [
            replace(
                classifier.decide(entry.first if classifier.steps.is_sure(entry.first) else entry.second),
                statistics=entry.statistics,
            )
            for entry in answers
        ]
    counts = Counter(item.graph for item in decided)
    say(f"cascade: of {len(decided):,} photos " + ", ".join(f"{counts[name]:,} by the {name} graph" for name in GRAPHS))
    reference = fit_reference(decided, labels, cascade.meta.labels)
    return replace(cascade, meta=cascade.meta.model_copy(update={"reference": reference}))

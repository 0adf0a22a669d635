"""The model card (arXiv:1810.03993): what a network is, what it was trained on, how well it sorts, what to mind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leansort.core.files.bundle_card import BundleCard, CardLatency, CardScore, CardSeeds, PretrainedWeights
from leansort.core.preprocess import Preprocess
from leansort.core.writing.escaping import markdown_line, printable, printable_lines
from leansort.measure.accuracy.metrics import coverage
from leansort.report import markdown

NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class ModelFacts:
    """What a network or bundle tells of itself.

    Attributes:
        base: the backbone, and its width where that is not 1.
        parameters: weights of the network.
        macs: multiply-adds for one picture.
        preprocess: how pictures become its input.
        labels: its classes, in order.
        weights: size, precision and file.
        data: digest of the manifest that it was trained on.
        versions: of leansort and PyTorch.
        seed: of the training; empty where it is not known.
        packs: weight packs that it keeps a record of.
        sha256: of the file.
        confidence: how a bundle's probabilities are calibrated; empty of a network.
    """

    base: str
    parameters: int
    macs: int
    preprocess: Preprocess
    labels: Sequence[str]
    weights: str
    data: str
    versions: str
    seed: str = ""
    packs: Sequence[PretrainedWeights] = ()
    sha256: str = ""
    confidence: str = ""


def text(name: str, model: ModelFacts, card: BundleCard) -> str:
    """The card as Markdown.

    Args:
        name: of the model.
        model: what the model tells of itself.
        card: what is told besides.
    """
    weights = (*model.packs, *(item for item in card.weights if item not in model.packs))
    parts = [
        f"# {markdown_line(name)}" + (f"\n\n{markdown_line(card.title)}" if card.title else ""),
        markdown.table(["", ""], [[key, value] for key, value in facts(model).items()]),
        "## How well it sorts",
        *_scores(card.score, card.seeds),
        f"## How fast it is\n\n{_speed(card.latency)}",
        "## Data, weights and licences",
        markdown.table(["", "what", "licence", "source"], list(_licences(card, weights))),
        *_made(card),
        "## What it cannot do\n\n" + "\n".join(f"- {markdown_line(line)}" for line in _limits(card, model.labels)),
        *(["## Please note\n\n" + "\n\n".join(map(printable_lines, card.notes))] if card.notes else []),
    ]
    return "\n\n".join(parts) + "\n"


def facts(model: ModelFacts) -> dict[str, str]:
    """The lines of the first table: parameters, multiply-adds, input, classes, provenance."""
    how = model.preprocess
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (how.mean, how.std))
    lines = {
        "network": model.base,
        "parameters": f"{model.parameters:,}",
        "multiply-adds": f"{model.macs / 1e6:.1f} M",
        "input": f"{how.size} x {how.size} RGB, fit: {how.fit}",
        "normalization": f"mean {mean}; deviation {std}, of pixels/255; in the graph",
        "classes": ", ".join(model.labels),
        "probabilities": model.confidence,
        "weights": model.weights,
        "data": f"digest {model.data}",
        "seed": model.seed,
        "trained with": model.versions,
        "sha256": model.sha256,
    }
    return {name: value for name, value in lines.items() if value}


def _scores(score: CardScore | None, seeds: CardSeeds | None) -> Iterator[str]:
    if score is None:
        yield f"Macro-F1: {NOT_RECORDED}."
        return
    over = coverage([item.name for item in score.classes], [item.crops for item in score.classes])
    missing = f" {markdown_line(over.sentence(score.split))}." if over.left_out else ""
    between = f"95 % bootstrap interval {score.low:.4f} – {score.high:.4f}"
    chosen = " The best epoch was chosen on these crops, so the figure is a little too high."
    crops = f"{score.crops} {markdown_line(score.split)} crops"
    yield (
        f"Macro-F1 {score.macro_f1:.4f} on {crops}, {over} ({between}).{missing}"
        f"{chosen if score.split == 'val' else ''}{_measured(score)}"
    )
    if seeds:
        yield _seeds(seeds)
    rows = [
        [item.name, *(f"{value:.3f}" for value in (item.precision, item.recall, item.f1)), str(item.crops)]
        for item in score.classes
    ]
    yield markdown.table(["class", "precision", "recall", "F1", "crops"], rows)


def _measured(score: CardScore) -> str:
    """By what; nothing where that is not recorded."""
    if not score.engine:
        return ""
    return f" Measured by {markdown_line(score.engine)} on {markdown_line(score.machine or NOT_RECORDED)}."


def _seeds(seeds: CardSeeds) -> str:
    between = "" if seeds.low is None else f", 95 % t-interval {seeds.low:.4f} – {seeds.high:.4f}"
    spread = "" if seeds.std is None else f" ± {seeds.std:.4f}"
    return f"The same recipe with {seeds.n} seeds: {seeds.mean:.4f}{spread} (mean ± standard deviation{between})."


def _speed(latency: CardLatency | None) -> str:
    if latency is None:
        return f"Latency: {NOT_RECORDED}."
    threads = f"{latency.threads} thread" + "s" * (latency.threads > 1)
    warning = f" But {markdown_line(latency.warning)}." if latency.warning else ""
    return (
        f"{latency.model_ms:.3g} ms (99th percentile {latency.model_p99_ms:.3g} ms) for the network alone and "
        f"{latency.label_ms:.3g} ms ({latency.label_p99_ms:.3g} ms) from the encoded photo to the label, medians of "
        f"one photo a call, by {markdown_line(latency.engine)} on {threads} of {markdown_line(latency.machine)}."
        f"{warning}"
    )


def _licences(card: BundleCard, weights: Sequence[PretrainedWeights]) -> Iterator[list[str]]:
    """A row each: the training data, every set of pretrained weights, and the model with its code."""
    photos = f" (photos of {card.photos})" if card.photos else ""
    yield ["training data", f"{card.data or NOT_RECORDED}{photos}", *_shown(card.data_licence, card.data_source)]
    for item in weights:
        digest = f", sha256 {item.sha256}" if item.sha256 else ""
        role = f"pretrained weights, {item.used}" if item.used else "pretrained weights"
        data = f", trained on {item.data}" if item.data else ""
        yield [role, f"{item.name}{data}{digest}", *_shown(item.licence, item.source)]
    if not weights:
        taught = f"none on record; taught by {', '.join(card.teachers)}" if card.teachers else "none on record"
        yield ["pretrained weights", taught, "", ""]
    yield ["model and code", "leansort", card.licence or NOT_RECORDED, ""]


def _shown(licence: str, source: str) -> list[str]:
    return [licence or NOT_RECORDED, source or NOT_RECORDED]


def _made(card: BundleCard) -> list[str]:
    if not card.reproduce:
        return []
    return [
        "## How it was trained\n\nBy the recipe beside this card (`recipe.json`):\n\n"
        f"```\n{printable(card.reproduce)}\n```"
    ]


def _limits(card: BundleCard, labels: Sequence[str]) -> list[str]:
    """What the card states, behind what holds for every classifier of these classes."""
    names = ", ".join(labels)
    return [f"It knows {len(labels)} classes, {names}, and gives anything else one of these names, too.", *card.limits]

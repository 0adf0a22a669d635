"""What a bundle tells of itself beside its graph: data, licences, scores, latency and limits.

The card lies in the bundle (`core.bundle`), so that it goes wherever the file goes. What people must state is
`CardFacts`, the `card` section of a recipe; the rest of `BundleCard` is measured by `leansort card`. An empty text
means that a fact was not recorded, and is shown so.
"""

from __future__ import annotations

from pydantic import Field

from leansort.core.strict_model import StrictModel

TEXT, LINES = 2000, 40  # characters, and items of a list, that a card may have: a bundle may be hostile


class PretrainedWeights(StrictModel):
    """Weights of others that a network, or a teacher of its, began with.

    Attributes:
        name: such as `pack:efficientnet_lite0`.
        used: for what: `pretrained` of this network or one that it was made of, or `teacher`.
        licence: such as `Apache-2.0`.
        source: who trained them.
        data: that they were trained on.
        sha256: of their file.
    """

    name: str = Field(max_length=TEXT)
    used: str = Field(default="", max_length=TEXT)
    licence: str = Field(default="", max_length=TEXT)
    source: str = Field(default="", max_length=TEXT)
    data: str = Field(default="", max_length=TEXT)
    sha256: str = Field(default="", max_length=64)


class CardFacts(StrictModel):
    """What no program can tell of a model, the `card` section of a recipe.

    Attributes:
        data: name of the data set that the network was trained on.
        data_source: who made the data, and where they are.
        data_licence: such as `MIT`.
        photos: what its photos show, in a few words: `one object on a white board`.
        weights: pretrained weights that went into it, through teachers too, beside the packs that the network keeps.
        licence: of the model and its code.
        limits: what it cannot do, a sentence each.
    """

    data: str = Field(default="", max_length=TEXT)
    data_source: str = Field(default="", max_length=TEXT)
    data_licence: str = Field(default="", max_length=TEXT)
    photos: str = Field(default="", max_length=TEXT)
    weights: tuple[PretrainedWeights, ...] = Field(default=(), max_length=LINES)
    licence: str = Field(default="", max_length=TEXT)
    limits: tuple[str, ...] = Field(default=(), max_length=LINES)


class CardClass(StrictModel):
    """How well one class is told.

    Attributes:
        name: of the class.
        precision: 0 to 1.
        recall: 0 to 1.
        f1: 0 to 1.
        crops: of the class that it was scored on.
    """

    name: str
    precision: float = Field(ge=0.0, le=1.0)
    recall: float = Field(ge=0.0, le=1.0)
    f1: float = Field(ge=0.0, le=1.0)
    crops: int = Field(ge=0)


class CardScore(StrictModel):
    """How well the bundle itself sorts, measured by running it.

    Attributes:
        split: that it was scored on.
        crops: of that split.
        data: digest of the manifest that they belong to.
        engine: that ran it; on some processors engines compute int8 otherwise, and less exactly.
        machine: processor, its vector extensions, system.
        macro_f1: 0 to 1, over the classes that the split shows.
        low: lower end of its 95 % bootstrap interval over the crops.
        high: upper end.
        classes: class by class.
    """

    split: str
    crops: int = Field(ge=0)
    data: str
    engine: str = ""
    machine: str = ""
    macro_f1: float = Field(ge=0.0, le=1.0)
    low: float = Field(ge=0.0, le=1.0)
    high: float = Field(ge=0.0, le=1.0)
    classes: tuple[CardClass, ...]


class CardSeeds(StrictModel):
    """How the recipe scores with several seeds.

    Attributes:
        n: number of seeds.
        mean: macro-F1.
        std: standard deviation, with n - 1; None of one seed.
        low: lower end of the 95 % t-interval of the mean.
        high: upper end.
    """

    n: int = Field(ge=1)
    mean: float
    std: float | None = None
    low: float | None = None
    high: float | None = None


class CardLatency(StrictModel):
    """How fast the bundle is on the machine that the card was made on, one picture a call.

    Attributes:
        engine: that ran it.
        threads: compute threads.
        model_ms: median of the network alone, in ms.
        model_p99_ms: 99th percentile.
        label_ms: median from encoded picture to label.
        label_p99_ms: 99th percentile.
        machine: processor, cores and system.
        warning: where other work disturbed the measurement, else empty.
    """

    engine: str
    threads: int = Field(ge=1)
    model_ms: float = Field(ge=0.0)
    model_p99_ms: float = Field(ge=0.0)
    label_ms: float = Field(ge=0.0)
    label_p99_ms: float = Field(ge=0.0)
    machine: str
    warning: str = ""


class BundleCard(CardFacts):
    """The whole card.

    Attributes:
        title: what the model is, one line.
        teachers: networks that it learned from, as its recipe names them.
        score: None where it was not measured.
        seeds: of the same recipe with several seeds, None where there is one.
        latency: None where it was not measured.
        reproduce: the command that makes it again.
        notes: further paragraphs.
    """

    title: str = Field(default="", max_length=TEXT)
    teachers: tuple[str, ...] = Field(default=(), max_length=LINES)
    score: CardScore | None = None
    seeds: CardSeeds | None = None
    latency: CardLatency | None = None
    reproduce: str = Field(default="", max_length=TEXT)
    notes: tuple[str, ...] = Field(default=(), max_length=LINES)

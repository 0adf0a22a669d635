"""The report page: whole, self-contained, escaped, and at ease with reports that lack parts."""

from __future__ import annotations

import base64
import dataclasses
import math
import re
import sys
from html.parser import HTMLParser
from typing import Any

import cv2
import numpy as np
import pytest

from leansort.contest.score_result import ContestScore
from leansort.core.errors import MissingExtraError
from leansort.measure.accuracy.metrics import ClassScore, Interval, confusion, macro_f1_interval, per_class
from leansort.measure.measurement import Measurement
from leansort.report import page
from leansort.report.charts import plots
from leansort.report.content import Figure, Mistake, Report
from leansort.report.page import render

HOSTILE = "<script>alert('1')</script>\"&"
VOID = {"meta", "img", "br", "wbr", "link"}
SHAPES = {"rect", "line", "circle", "polyline"}
SECTIONS = {"notes", "classes", "confusion", "mistakes", "training", "latency", "contest", "provenance"}


class Page(HTMLParser):
    """Reads a page and refuses tags that do not balance."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: dict[str, list[list[str]]] = {}
        self.section = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.section = dict(attrs)["id"] or ""
        if tag == "tr":
            self.rows.setdefault(self.section, []).append([])
        if tag in ("td", "th"):
            self.rows[self.section][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID | SHAPES, tag
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[self.section][-1][-1] += data.strip()

    @property
    def sections(self) -> set[str]:
        return {values["id"] or "" for tag, values in self.tags if tag == "section"}

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def picture(shade: int) -> bytes:
    return cv2.imencode(".jpg", np.full((32, 32, 3), shade, np.uint8))[1].tobytes()


def history(epochs: int) -> tuple[dict[str, Any], ...]:
    return tuple({"epoch": e, "loss": 2 / e, "val_macro_f1": 0.9 - abs(e - 7) / 20} for e in range(1, epochs + 1))


def timed(name: str, value: float, unit: str = "ms", **more: Any) -> Measurement:
    return Measurement(name=name, value=value, unit=unit, low=value * 0.9, high=value * 1.1, count=1234, **more)


def full(names: tuple[str, ...] = ("Paper", "Plastic", "Glass"), per_row: int = 60) -> Report:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(len(names)), per_row)
    text = np.where(rng.random(len(truth)) < 0.8, truth, rng.integers(0, len(names), len(truth)))
    matrix = confusion(truth, text, len(names)).tolist()
    return Report(
        title="Belt 3",
        summary="A network, scored.",
        headline=(Figure("macro-F1", "0.812", "95 % interval"), Figure("decode to label", "4.31 ms")),
        f1=macro_f1_interval(truth, text, len(names), draws=50),
        split="test",
        crops=len(truth),
        classes=tuple(per_class(truth, text, names)),
        matrix=tuple(tuple(row) for row in matrix),
        mistakes=(
            Mistake("a/b_c.jpg", picture(40), names[0], names[-1], 0.974),
            Mistake("d.jpg", b"", names[-1], names[0], 0.5),
        ),
        history=history(12),
        latency=(
            timed(
                "model alone", 1.8, percentiles={"p50": 1.8, "p90": 2.2, "p99": 3.9}, host={"cpu": "Z80", "cores": 2}
            ),
            timed("decode to label", 4.3, percentiles={"p50": 4.3, "p90": 5.5, "p99": 9.25}),
            timed("throughput", 812.0, "images/s", batch=32, threads=2),
        ),
        contest=(ContestScore("macs", "all", 0.812, 13_863_553, "MACs", 0.94171),),
        notes=("one picture was skipped",),
        provenance={
            "bundle": "9f2c" * 16,
            "recipe": {"train": {"epochs": 12, "clip": None}, "data": [{"kind": "coco"}]},
        },
    )


def bare(report: Report) -> Report:
    return dataclasses.replace(
        report, headline=(), classes=(), matrix=(), mistakes=(), history=(), latency=(), contest=(), notes=(),
        provenance={},
    )  # fmt: skip


def test_a_full_report_has_every_section_and_a_bare_one_none() -> None:
    assert Page(render(full())).sections == SECTIONS
    assert Page(render(bare(full()))).sections == set()


@pytest.mark.parametrize(
    ("field", "section"),
    [("notes", "notes"), ("classes", "classes"), ("mistakes", "mistakes"), ("history", "training"),
     ("latency", "latency"), ("contest", "contest"), ("matrix", "confusion")],
)  # fmt: skip
def test_a_section_without_content_is_left_out(field: str, section: str) -> None:
    emptied: dict[str, Any] = {field: (), **({"matrix": ()} if field == "classes" else {})}
    expected = SECTIONS - {section} - ({"confusion"} if field == "classes" else set())
    assert Page(render(dataclasses.replace(full(), **emptied))).sections == expected


def test_the_page_asks_for_nothing() -> None:
    text = render(full())
    for tag, values in Page(text).tags:
        assert tag not in {"script", "link", "iframe", "object"}
        for name in ("src", "href", "srcset", "action", "data"):
            assert (values.get(name) or "data:").startswith(("data:", "#"))
        assert not [name for name in values if name.startswith("on")]
    assert not re.search(r"https?://|url\(|@import", text)
    assert "default-src 'none'" in text


def test_hostile_names_are_text() -> None:
    report = full((HOSTILE, HOSTILE + "2", "x"))
    hostile = dataclasses.replace(
        report,
        title=HOSTILE,
        summary=HOSTILE,
        split=HOSTILE,
        headline=(Figure(HOSTILE, HOSTILE, HOSTILE),),
        mistakes=(Mistake(HOSTILE, picture(9), HOSTILE, HOSTILE, 0.9),),
        latency=(timed(HOSTILE, 1.0, HOSTILE, host={HOSTILE: HOSTILE}),),
        contest=(ContestScore(HOSTILE, HOSTILE, 0.1, 1, HOSTILE, 0.1),),
        notes=(HOSTILE,),
        provenance={HOSTILE: {HOSTILE: HOSTILE, "list": [HOSTILE]}},
    )
    read = Page(render(hostile))
    assert "script" not in {tag for tag, _ in read.tags}
    assert read.text.count("<script>") >= 15
    alts = [values["alt"] for tag, values in read.tags if tag == "img"]
    assert alts == [f"{HOSTILE}: {HOSTILE}, predicted as {HOSTILE} 0.90"]


def test_every_class_has_its_row_of_figures() -> None:
    report = full()
    rows = {row[0]: row for row in Page(render(report)).rows["classes"]}
    scored = sorted(report.classes, key=lambda entry: entry.f1)
    tags = {scored[0].name: "worst", scored[-1].name: "best"}
    for item in report.classes:
        row = rows[item.name + tags.get(item.name, "")]
        assert row[1:4] == [f"{item.precision:.3f}", f"{item.recall:.3f}", f"{item.f1:.3f}"]
        assert row[-1] == str(item.support)
    assert rows["macro average"][3] == f"{report.f1.value:.3f}"
    assert rows["macro average"][-1] == str(report.crops)


def test_the_matrix_is_the_counts_with_their_sums() -> None:
    report = full()
    _, *rows = Page(render(report)).rows["confusion"]
    shown = [[int(cell) for cell in row[1:]] for row in rows]
    assert [tuple(row[:-1]) for row in shown] == list(report.matrix)
    assert (
        [row[-1] for row in shown] == [sum(row) for row in report.matrix] == [item.support for item in report.classes]
    )
    assert page.most_frequent_confusion(report) is not None
    assert page.most_frequent_confusion(dataclasses.replace(report, matrix=((3, 0), (0, 4)))) is None


def test_shading_grows_with_the_row_share_up_to_a_readable_depth() -> None:
    shades = [float(page.shade(count, 100)) for count in (0, 5, 50, 100)]
    assert shades == sorted(shades)
    assert (shades[0], shades[-1], page.shade(0, 0)) == (0, page.STRONGEST, "0.000")


def test_pictures_come_back_as_the_same_bytes() -> None:
    read = Page(render(full()))
    images = [values for tag, values in read.tags if tag == "img"]
    assert [base64.b64decode((image["src"] or "").partition("base64,")[2]) for image in images] == [picture(40)]
    assert images[0]["alt"] == "a/b_c.jpg: Paper, predicted as Glass 0.97"
    assert "Paper, predicted as Glass 0.97" in read.text
    assert "no picture" in read.text


def test_the_latency_table_shows_percentiles_where_there_are_any() -> None:
    _, model, label, throughput = Page(render(full())).rows["latency"]
    assert model[2:] == ["1.80", "1.62 – 1.98", "2.20", "3.90", "ms", "1", "1", "1,234"]
    assert label[5] == "9.25"
    assert throughput[2:] == ["812.0", "730.8 – 893.2", "–", "–", "images/s", "32", "2", "1,234"]


def test_contest_and_provenance_are_tables() -> None:
    rows = Page(render(full())).rows
    assert rows["contest"][1] == ["macs", "all", "0.8120", "13,863,553 MACs", "0.9417"]
    assert ["bundle", "9f2c" * 16] in rows["provenance"]
    assert rows["provenance"][2:] == [["train.epochs", "12"], ["train.clip", "–"], ["data.1.kind", "coco"]]


def test_single_values_stand_before_the_groups() -> None:
    read = Page(render(dataclasses.replace(full(), provenance={"host": {"cores": 2}, "seed": 7})))
    assert read.rows["provenance"] == [["seed", "7"], ["host"], ["cores", "2"]]


@pytest.mark.parametrize(
    "tree", [{}, {"a": {}}, {"a": []}, {"a": [[1, 2], [3]]}, {"a": {"": {"b": 1}}}, {"a": {1: None}}]
)
def test_any_plain_provenance_is_shown(tree: dict[str, Any]) -> None:
    read = Page(render(dataclasses.replace(full(), provenance=tree)))
    assert ("provenance" in read.sections) == bool(tree)


def test_curves_mark_the_first_best_epoch() -> None:
    trained = page.training([*history(12), {"epoch": 13, "loss": 0.1, "val_macro_f1": 0.9}])
    assert trained is not None
    assert trained.sentence == "Trained for 13 epochs. Epoch 7 was kept, val macro-F1 0.900."
    assert [drawing.count('class="kept"') for _, drawing in trained.drawings] == [1, 1]
    assert "0.286 at epoch 7" in trained.drawings[0][1]


@pytest.mark.parametrize("epochs", [0, 1, 2, 400])
def test_any_number_of_epochs(epochs: int) -> None:
    text = render(dataclasses.replace(full(), history=history(epochs)))
    assert text.count("<polyline") == (2 if epochs > 1 else 0)
    assert ("training" in Page(text).sections) == (epochs > 0)


def test_values_that_are_no_numbers_are_not_shown() -> None:
    records = ({"epoch": 1, "loss": math.nan}, {"epoch": 2, "loss": math.inf, "val_macro_f1": None}, {"epoch": 3})
    gaps = (ContestScore("time", "all", math.nan, math.nan, "s", math.inf),)
    report = dataclasses.replace(
        full(), history=records + history(5), contest=gaps, provenance={"loss": math.nan, "list": [math.inf, 1]},
        latency=(timed("a", math.nan, percentiles={"p90": math.inf}), timed("b", 1.0)),
    )  # fmt: skip
    text = render(report)
    assert not re.search(r"\b(nan|inf|NaN|Infinity|None|Undefined)\b", Page(text).text)
    assert not re.search(r'="-?(nan|inf)', text)


@pytest.mark.parametrize("count", [1, 2, 20])
def test_from_one_to_twenty_classes_with_long_names_and_one_without_crops(count: int) -> None:
    names = tuple(f"{'very long name ' * 12}{index}" for index in range(count))
    report = full(names)
    empty = ClassScore("Tetra", 0.0, 0.0, 0.0, 0)
    widened = (*((*row, 0) for row in report.matrix), (0,) * (len(report.classes) + 1))
    read = Page(render(dataclasses.replace(report, classes=(*report.classes, empty), matrix=widened)))
    assert ["Tetrano crops", "0.000", "–", "–", "", "0"] in read.rows["classes"]
    assert read.rows["confusion"][-1][1:] == ["0"] * (len(report.classes) + 2)


def test_equal_classes_are_neither_best_nor_worst() -> None:
    same = tuple(ClassScore(name, 1.0, 1.0, 1.0, 5) for name in "ab")
    report = dataclasses.replace(full(), classes=same, matrix=((5, 0), (0, 5)), f1=Interval(1.0, 1.0, 1.0))
    assert page.marks(report) == {}
    assert "No crop was sorted wrong." in Page(render(report)).text


def test_a_file_name_that_is_not_utf8_can_still_be_written() -> None:
    odd = Mistake("caf\udce9.jpg", picture(1), "Paper", "Glass", 0.9)
    assert r"caf\udce9.jpg" in Page(render(dataclasses.replace(full(), mistakes=(odd,)))).text


def test_equal_reports_give_equal_pages() -> None:
    assert render(full()) == render(full())


def test_without_jinja2_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"leansort\[train\]"):
        render(full())


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.31, 0.94), (2, 2), (0, 0), (1e-5, 3e-5), (-3, 1200), (1, 300)])
def test_ticks_are_round_and_enclose(low: float, high: float) -> None:
    result = plots.ticks(low, high)
    assert result[0] <= low
    assert result[-1] >= high
    assert 3 <= len(result) <= 8
    assert plots.ticks(1, 4, 6, whole=True) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (13_863_553, "13,863,553"), (217.14, "217.1"), (4.314, "4.31"), (0.01234, "0.0123"), (math.nan, "–")],
)
def test_figures_are_shown_with_about_four_digits(value: float, text: str) -> None:
    assert page.figure(value) == text


def test_a_class_without_crops_is_left_out_of_the_averages_and_the_page_says_so() -> None:
    truth = np.array([0, 0, 1, 1])
    names = ("Metal", "Paper", "<Battery>")
    report = dataclasses.replace(
        full(), classes=tuple(per_class(truth, truth, names)), f1=macro_f1_interval(truth, truth, 3, draws=50),
        matrix=tuple(tuple(row) for row in confusion(truth, truth, 3).tolist()), crops=4,
    )  # fmt: skip
    text = page.render(report)
    sentence = "&#39;&lt;Battery&gt;&#39; has no crop in test and was left out of the mean"
    assert f"Macro-F1 is taken over 2 of 3 classes: {sentence}." in text
    rows = re.search(r"<tfoot>.*?</tfoot>", text, re.DOTALL)
    assert rows
    assert rows[0].count("<td>1.000</td>") == 3
    assert "Macro-F1 is taken" not in page.render(full())

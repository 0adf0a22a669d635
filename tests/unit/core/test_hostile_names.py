"""One hostile string as the name of everything: on every page, card, drawing and table it stays a piece of text."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from markdown_it import MarkdownIt

from leansort import cli
from leansort.arch.analysis import summary
from leansort.arch.pretrained import matching
from leansort.cli.options import print_line, print_result
from leansort.compress.layer_sensitivity import LayerHarm, LayerReport
from leansort.compress.pipeline.accuracy_budget import BudgetVerdict
from leansort.compress.pipeline.compress_result import CompressResult
from leansort.compress.pipeline.step_record import StepTry
from leansort.contest.score_result import ContestScore, ListScore, ScoreResult
from leansort.core.errors import UserError
from leansort.core.files import bundle_card
from leansort.core.labels import LabelSet
from leansort.core.manifest import Manifest, Row
from leansort.core.preprocess import Preprocess
from leansort.core.process import console
from leansort.core.text import yaml_config
from leansort.core.text.columns import align_columns
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import printable, printable_lines
from leansort.data.quality import dataset_check
from leansort.data.quality.issues import Issues
from leansort.measure.accuracy.metrics import ClassScore, Interval, coverage
from leansort.measure.confidence import mean_interval
from leansort.measure.measurement import Measurement
from leansort.measure.roofline import PeakFraction
from leansort.report import architecture, compression_page, model_card_page, page, sheets, speeds, study_page
from leansort.report.charts import plots, scatter
from leansort.report.content import Figure, Mistake
from leansort.runtime.engine import LayerTime
from leansort.runtime.predictor import Prediction
from leansort.search.objectives import Objectives
from leansort.search.search_config import SearchConfig
from leansort.search.trials.trial_outcome import TrialOutcome
from leansort.search.trials.trial_records import TrialRecord
from leansort.workflows.contest import score
from leansort.workflows.data import check, contact_sheet, import_data
from leansort.workflows.data.data_results import SurveyResult
from leansort.workflows.deploy import predict
from leansort.workflows.training.ablations import ablation
from leansort.workflows.training.training_results import AblationResult, VariantResult
from tests.unit.report import test_compression_page, test_report_page

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egpj.exe"
HOSTILE = f'=HYPERLINK("http://x")<script>alert(1)</script>"\'&|`[a](http://x)![i](x)<b>*b*{ESCAPES}\r\n# head\n| c |'
CLASS = "".join(c for c in HOSTILE if c.isprintable())[:99]  # a class's name is printable, and at most 100 long
PLAIN = "a/b"  # a name of a file may be broken after a slash; HOSTILE has more of these
Make = Callable[[str], str]


class Tags(HTMLParser):
    """The tags of a page with the names of their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "wbr":
            self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.values.append(data)


def report_page(name: str) -> str:
    rows = tuple(
        dataclasses.replace(item, name=name + str(at)) for at, item in enumerate(test_report_page.full().classes)
    )
    timed = Measurement(name=name, value=1.0, unit="ms", low=0.9, high=1.1, count=9, host={name: name})
    timed = timed.model_copy(update={"percentiles": {"p50": 1.0, "p90": 1.0, "p99": 1.0}})
    contest = (ContestScore(name, name, 0.8, 1.0, name, 0.9),)
    return page.render(
        dataclasses.replace(
            test_report_page.full(), title=name, summary=name, headline=(Figure(name, name, name),), classes=rows,
            split=name, mistakes=(Mistake(name, b"", name, name, 0.9),), latency=(timed, timed), notes=(name,),
            contest=contest, provenance={"bundle": name, "recipe": {"title": name, name: {name: [name]}}},
        )
    )  # fmt: skip


def sheet_page(name: str) -> str:
    tiles = [sheets.Tile(np.zeros((4, 4, 3), np.uint8), name), sheets.Tile(None, name)]
    section = sheets.Section(name, tiles, hint=name, across=2, notes=[name])
    counts = {name: {name: 3}}
    return sheets.to_html(
        sheets.Sheet(name, name, [section], [(name, name, name)], [(name, 1, [name, name])], counts, counts)
    )


def compressed(name: str) -> CompressResult:
    verdict = BudgetVerdict(Interval(0.9, 0.8, 1.0), Interval(0.0, 0.0, 0.1), {name: 0.5}, {name: 0.0}, True, name)
    tries = (StepTry(fraction=0.5, state="accepted", reason=name),)
    start = test_compression_page.step("start", "start", 0.9, 10).model_copy(update={"verdict": verdict})
    done = start.model_copy(update={"name": name, "state": "accepted", "pass_name": name, "tries": tries})
    harm = LayerHarm(0.1, 0.1)
    layer = LayerReport(name, name, (1, 1, 1), 1, 1, 1.0, harm, None, harm)
    result = test_compression_page.compressed(start, done)
    return result.model_copy(update={"title": name, "warning": name, "layers": (layer,)})


def found(name: str) -> study_page.SearchReport:
    outcome = TrialOutcome(
        "trained",
        {"macs": 1.0},
        0.9,
        (0.8, 0.95),
        epochs=1,
        note=name,
        measurements=(Measurement(name=name, value=1.5, unit="ms", low=1, high=2, count=3),),
    )
    records = [
        TrialRecord(
            number=at, params={name: name}, recipe={}, digest="", outcome=outcome, values=(0.9, 1.0), feasible=True,
            ended_s=float(at),
        ) for at in range(3)
    ]  # fmt: skip
    config = SearchConfig.model_construct(name=name, recipe=Path(name), space={})
    return study_page.SearchReport(
        config, Objectives(("macro_f1", "macs"), {}), records, {"macro_f1": {name: 1.0}, "macs": {}}
    )


def drawings(name: str) -> str:
    return plots.curve(name, [(1, 2), (2, 3)], axis=name) + scatter.scatter([scatter.Dot(1, 1, name)], name)


def network(name: str) -> str:
    part = summary.Part(name, name, ["input"], [1], parameters=1, macs=1, memory=1, receptive=1, downsampling=1.0)
    return architecture.draw_architecture([part], summary.total_parts([part]), name)


def card_text(name: str) -> str:
    weights = bundle_card.PretrainedWeights(name=name, used=name, licence=name, source=name, data=name)
    facts = model_card_page.ModelFacts(name, 1, 1, Preprocess(), (name, name), name, name, name, name, (weights,))
    row = bundle_card.CardClass(name=name, precision=0.5, recall=0.5, f1=0.5, crops=3)
    card = bundle_card.BundleCard(
        title=name, data=name, data_source=name, data_licence=name, photos=name, licence=name, limits=(name,),
        teachers=(name,),
        score=bundle_card.CardScore(
            split=name, data=name, classes=(row,), macro_f1=0.5, low=0.4, high=0.6, crops=3
        ),
        seeds=bundle_card.CardSeeds(n=2, mean=0.5), reproduce=name,
        latency=bundle_card.CardLatency(
            engine=name, threads=1, model_ms=1.0, model_p99_ms=1.0, label_ms=1.0, label_p99_ms=1.0, machine=name,
            warning=name,
        ),
    )  # fmt: skip
    return model_card_page.text(name, facts, card)


def ablation_text(name: str) -> str:
    variant = VariantResult(
        name=name, overrides=(name,), runs=(), val_macro_f1=mean_interval([0.5]), seconds=1.0, difference=None,
        verdict=name,
    )  # fmt: skip
    return ablation.ablation_table(AblationResult(complete=True, variants=(variant,)))


HTML: dict[str, Make] = {
    "report": report_page,
    "sheet": sheet_page,
    "compression": lambda name: compression_page.page(compressed(name)),
    "search": lambda name: study_page.page(found(name)),
    "drawings": drawings,
    "network": network,
}
MARKDOWN: dict[str, Make] = {
    "card": card_text,
    "compression": lambda name: compression_page.text(compressed(name)),
    "search": lambda name: study_page.text(found(name)),
    "ablation": ablation_text,
}


@pytest.mark.parametrize("kind", HTML)
def test_a_page_has_the_same_tags_whatever_names_it_shows(kind: str) -> None:
    hostile, plain = Tags(HTML[kind](HOSTILE)), Tags(HTML[kind](PLAIN))
    assert hostile.tags == plain.tags
    assert any(printable_lines(HOSTILE) in value for value in hostile.values)
    assert [value for value in hostile.values if printable_lines(value) != value] == []


@pytest.mark.parametrize("kind", ["drawings", "network"])
def test_a_drawing_is_xml(kind: str) -> None:
    text = HTML[kind](HOSTILE)
    root = ET.fromstring(f"<a>{text}</a>")
    assert {item.tag.rpartition("}")[2] for item in root.iter()} <= {
        "a", "svg", "g", "title", "text", "style", "rect", "line", "circle", "polyline", "path",
    }  # fmt: skip


@pytest.mark.parametrize("kind", MARKDOWN)
def test_markdown_has_the_same_tags_whatever_names_it_shows(kind: str) -> None:
    def read(name: str) -> Tags:
        return Tags(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(MARKDOWN[kind](name)))

    assert read(HOSTILE).tags == read(PLAIN).tags
    assert any(printable(HOSTILE) in value for value in read(HOSTILE).values)
    assert printable_lines(MARKDOWN[kind](HOSTILE)) == MARKDOWN[kind](HOSTILE)
    assert MARKDOWN[kind](HOSTILE).count("\n") == MARKDOWN[kind](PLAIN).count("\n")


def scored(name: str) -> str:
    rows = (ClassScore(name, 1.0, 1.0, 1.0, 1),)
    over = coverage([name], [1]).describe("val")
    part = ListScore(1, Interval(1.0, 1.0, 1.0), over, 1.0, 1.0, rows, ((1,),))
    return score.score_table(ScoreResult(split="val", lists={"all": part}, contest=(), faults=(), notes=(name,)))


def matched(name: str) -> str:
    pair = matching.TensorPair(name, name, "order", (1,))
    return matching.match_table(matching.WeightMatch((pair,), (pair,), (name,), (name,), 1.0))


def benched(name: str) -> str:
    timed = Measurement(name=name, value=1.0, unit="ms", low=0.9, high=1.1, count=9)
    layers = speeds.layers(name, [LayerTime(name, "conv", 1.0, 1)])
    return "\n".join([speeds.table([timed, timed]), speeds.peak_text({name: PeakFraction(0.5, "f32")}, []), layers])


def predicted(name: str) -> str:
    results = [(Path(name), Prediction(name, 1.0, False, (1.0,))), (Path(name), Prediction("", 0.0, False, (), name))]
    return "\n".join(
        [*predict.format_predictions(results, [name], "text"), *predict.format_predictions(results, [name], "json")]
    )


def faults(name: str) -> str:
    made = Issues()
    made.add(name, name)
    return "\n".join(made.lines())


TEXTS: dict[str, Make] = {
    "score": scored,
    "weights": matched,
    "bench": benched,
    "predict": predicted,
    "faults": faults,
    "survey": lambda name: import_data.survey_table(SurveyResult(parts={"classes": {name: 1}, "split": 1})),
    "arch": lambda name: align_columns([[name, name], ["x", name]], left=1),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_text_has_the_same_lines_whatever_names_it_shows(kind: str) -> None:
    text = TEXTS[kind](HOSTILE)
    assert len(text.splitlines()) == len(TEXTS[kind](PLAIN).splitlines())
    assert printable_lines(text) == text
    assert "\\x1b[2J" in text or "\\u001b[2J" in text


def test_a_table_of_predictions_has_the_same_cells_and_no_formula() -> None:
    results = [(Path(HOSTILE), Prediction(HOSTILE, 1.0, True, (1.0,)))]
    text = "".join(f"{line}\n" for line in predict.format_predictions(results, [HOSTILE], "csv"))
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [len(row) for row in rows] == [8, 8]
    assert Path(rows[1][0]) == Path(HOSTILE)
    assert [cell for row in rows for cell in row if cell.lstrip()[:1] in tuple("=+-@")] == []


def test_data_with_hostile_names_are_checked_and_shown(tmp_path: Path) -> None:
    names = [HOSTILE.replace("\n", "\x0b\n") + f"{at}.jpg" for at in range(4)]
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
    rows = tuple(Row(name, at % 2, ("train", "val")[at // 2], name, str(at), name) for at, name in enumerate(names))
    labels = LabelSet.of([CLASS, f"{CLASS}2"])
    checked = dataset_check.check_dataset(rows, labels, tmp_path)
    text, shown = check.table(checked), check.page(checked, tmp_path, HOSTILE)
    assert printable_lines(text) == text
    assert (
        len([line for line in text.splitlines() if "TWO LABELS" in line]) == sum(p.conflict for p in checked.pairs) > 0
    )
    assert "<script" not in shown
    assert printable_lines(shown) == shown
    Manifest(rows, labels, tmp_path).save(tmp_path / "m" / "manifest.parquet")
    for ending in (".html", ".png"):
        out = tmp_path / f"sheet{ending}"
        contact_sheet.write_contact_sheet(
            tmp_path / "m", out, split=None, per_class=2, seed=0, recipe=None, augmented=False
        )
        assert b"<script" not in out.read_bytes()
        assert out.stat().st_size > 1000


def test_what_is_said_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.say(HOSTILE)
    print_line(HOSTILE)
    print_line(HOSTILE, to_error=True)
    print_result({}, False, HOSTILE.replace("\r\n", "").replace("\n", ""))
    print_result({HOSTILE: HOSTILE}, True, "")
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 2
    assert len(out.splitlines()) == 2 + 3
    assert printable_lines(out + err) == out + err


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise UserError(f"{HOSTILE} is not there")

    monkeypatch.setattr(cli, "app", fail)
    for arguments in ([], ["predict", HOSTILE]):
        with pytest.raises(SystemExit):
            cli.main(arguments)
        err = capsys.readouterr().err
        assert err.startswith("error: ")
        assert len(err.splitlines()) == 1
        assert printable_lines(err) == err
    assert "alert" in err
    assert sys.stdout is not None


def test_files_that_we_write_hold_no_escapes_and_come_back(tmp_path: Path) -> None:
    atomic_io.write_json(tmp_path / "a.json", {HOSTILE: HOSTILE})
    assert re.search(rb"[\x1b\x07\x9b]|\xe2\x80\xae", (tmp_path / "a.json").read_bytes()) is None
    text = yaml_config.to_yaml({"name": HOSTILE, HOSTILE: [HOSTILE]})
    assert printable_lines(text) == text
    assert yaml_config.parse_yaml(text, "x") == {"name": HOSTILE, HOSTILE: [HOSTILE]}

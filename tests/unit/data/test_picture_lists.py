"""The same list gives the same pictures and classes to an import and to a score; both name the same row in a fault."""

from __future__ import annotations

import codecs
import io
import json
from pathlib import Path

import pytest

from leansort.core import manifest as manifests
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.manifest import Manifest, Row
from leansort.data.sources import table
from leansort.data.splits import SplitConfig
from leansort.measure.accuracy import ground_truth
from leansort.workflows.contest.score import score
from leansort.workflows.data.split import split_manifest
from leansort.workflows.deploy.predict import list_inputs
from tests.conftest import draw

PICTURES = {"a.jpg": "Metal", "b/c.jpg": "Paper, waxed", "=d.jpg": "Metal"}
PLAIN = 'image,label\na.jpg,Metal\nb/c.jpg,"Paper, waxed"\n=d.jpg,Metal\n'
SPELLINGS = {
    "plain.csv": PLAIN.encode(),
    "CAPITALS.CSV": PLAIN.encode(),
    "mark.csv": codecs.BOM_UTF8 + PLAIN.encode(),
    "crlf.csv": PLAIN.replace("\n", "\r\n").encode(),
    "utf16.csv": PLAIN.encode("utf-16"),
    "utf16-le.csv": PLAIN.encode("utf-16-le"),
    "semicolons.csv": b"image;label\na.jpg;Metal\nb/c.jpg;Paper, waxed\n=d.jpg;Metal\n",
    "tabs.tsv": b"image\tlabel\na.jpg\tMetal\nb/c.jpg\tPaper, waxed\n=d.jpg\tMetal\n",
    "excel.csv": b"sep=;\r\nimage;label\r\na.jpg;Metal\r\nb/c.jpg;Paper, waxed\r\n=d.jpg;Metal\r\n",
    "header.csv": PLAIN.replace("image,label", " Image ,LABEL").encode(),
    "blanks.csv": b'image, label\na.jpg , Metal\n\nb/c.jpg, "Paper, waxed"\n,\n=d.jpg,Metal\n\n',
    "windows.csv": PLAIN.replace("b/c.jpg", "b\\c.jpg").encode(),
    "ours.csv": b'image,label,probability,error\na.jpg,Metal,1,\nb/c.jpg,"Paper, waxed",1,\n\'=d.jpg,Metal,1,\n',
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, name in enumerate(PICTURES):
        draw(tmp_path / name, number % 3, number)
    return tmp_path


@pytest.mark.parametrize("name", SPELLINGS)
def test_import_and_score_read_a_list_alike(name: str, photos: Path) -> None:
    (photos / name).write_bytes(SPELLINGS[name])
    result = table.TableSource(table.TableConfig(path=photos / name)).items()
    assert {str(item.image.relative_to(photos)): item.label for item in result.items} == PICTURES
    known = ground_truth.read_ground_truth(photos / name)
    labelled = {str(known.files[key].relative_to(photos)): known.labels.names[at] for key, at in known.index.items()}
    assert labelled == PICTURES


def test_what_a_list_has_besides_is_told(photos: Path) -> None:
    (photos / "l.csv").write_text("image,label,Width\na.jpg,Metal,3\n\nb/c.jpg,Paper,4\n")
    assert table.TableSource(table.TableConfig(path=photos / "l.csv")).items().notes == {
        "blank rows": 1,
        "columns not used": ["Width"],
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("image,label\na.jpg,Metal\nb/c.jpg,Paper, waxed\n", "row 3 has 3 fields where the header has 2: a comma"),
        ("image,label\na.jpg,Metal\n\nb/c.jpg\n", "row 4 has 1 field where the header has 2: 'label' is missing"),
        ('image,label\na.jpg,Metal\nb/c.jpg,"Paper\n', r"row 3 is not CSV .*never ends"),
        ("image,label\na.jpg,\n", "row 2 has no label"),
        ("a.jpg,Metal\nb/c.jpg,Paper\n", "lacks the column 'image'"),
        (PLAIN.replace("Metal", "Müll").encode("latin-1"), "line 2; it seems to be Windows-1252"),
    ],
)
def test_import_and_score_name_the_same_row(text: str | bytes, reason: str, photos: Path) -> None:
    (photos / "l.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=f"^table: .*{reason}"):
        table.TableSource(table.TableConfig(path=photos / "l.csv")).items()
    with pytest.raises(UserError, match=f"^truth: .*{reason}"):
        ground_truth.read_ground_truth(photos / "l.csv")


def test_a_backslash_in_a_files_name_stays(photos: Path) -> None:
    draw(photos / "e\\f.jpg", 0, 0)
    (photos / "l.csv").write_text("image,label\ne\\f.jpg,Metal\na.jpg,Paper\n")
    assert table.TableSource(table.TableConfig(path=photos / "l.csv")).items().items[0].image == photos / "e\\f.jpg"
    (photos / "l.csv").write_text("image,label\n..\\f.jpg,Metal\na.jpg,Paper\n")
    with pytest.raises(UserError, match=r"row 2: file name .* leaves"):
        table.TableSource(table.TableConfig(path=photos / "l.csv")).items()


def test_a_parquet_list_is_held_to_the_same(photos: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {" Image": ["a.jpg", "b\\c.jpg"], "LABEL": ["Metal", " Paper "], "width": [1, 2]}
    parquet.write_table(arrow.table(columns), photos / "l.PARQUET")
    result = table.TableSource(table.TableConfig(path=photos / "l.PARQUET")).items()
    assert [item.image for item in result.items] == [photos / "a.jpg", photos / "b/c.jpg"]
    assert result.notes == {"columns not used": ["width"]}
    parquet.write_table(arrow.table({"image": ["a.jpg", None], "label": ["x", "y"]}), photos / "l.parquet")
    with pytest.raises(UserError, match="row 2 has no image"):
        table.TableSource(table.TableConfig(path=photos / "l.parquet")).items()


def test_public_and_private_lists_are_read_in_any_form(photos: Path) -> None:
    (photos / "truth.CSV").write_text("image,label\na.jpg,Metal\nb.jpg,Paper\nc.jpg,Paper\n")
    answers = {"inference": {"a.jpg": "Metal", "b.jpg": "Glass", "c.jpg": "Paper"}}
    costs = {"time": {"runtime": {"all": 1.0}}, "macs": 5}
    (photos / "output.csv").write_bytes(codecs.BOM_UTF8 + json.dumps(answers | costs).encode())
    (photos / "public.txt").write_bytes("a.jpg \r\n\r\nc.jpg\r\n".encode("utf-16"))
    (photos / "private.txt").write_bytes(b"b.jpg\0c.jpg\0")
    lists = {name: photos / f"{name}.txt" for name in ("public", "private")}
    scored = score(photos / "output.csv", photos / "truth.CSV", **lists)  # type: ignore[arg-type]
    assert [scored.lists[name].crops for name in ("all", "public", "private")] == [3, 2, 2]
    (photos / "public.txt").write_text("a.jpg\n\nd.jpg\n")
    with pytest.raises(UserError, match=r"public list: .*public.txt row 3: 'd.jpg' is not in .*truth.CSV.*1 of 2"):
        score(photos / "output.csv", photos / "truth.CSV", public=photos / "public.txt")


def test_lists_of_splits_are_read_in_any_form(photos: Path) -> None:
    rows = [Row(name, at % 2, "train", name, str(at), name) for at, name in enumerate(("a.jpg", "b/c.jpg", "=d.jpg"))]
    Manifest(tuple(rows), LabelSet.of(["x", "y"]), photos).save(photos / "m" / "manifest.parquet")
    (photos / "t.txt").write_bytes("\ufeffa.jpg\r\n\r\n=d.jpg".encode("utf-16-le"))
    (photos / "v.txt").write_bytes(b"b\\c.jpg\r\n")
    lists = {"train": photos / "t.txt", "val": photos / "v.txt"}
    split_manifest(photos / "m", photos / "new", config=SplitConfig(), seed=0, lists=lists)
    manifest = manifests.load(photos / "new")
    assert {row.image: row.split for row in manifest.rows} == {"a.jpg": "train", "b/c.jpg": "val", "=d.jpg": "train"}
    (photos / "v.txt").write_text("\nb/x.jpg\n")
    with pytest.raises(UserError, match=r"val list: .*v.txt row 2: 'b/x.jpg' is not in the manifest; did you mean"):
        split_manifest(photos / "m", photos / "newer", config=SplitConfig(), seed=0, lists=lists)
    assert not (photos / "newer").exists()


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfa.jpg\r\nb/c.jpg\r\n", b"a.jpg\0b/c.jpg\0", b"a.jpg\nb/c.jpg"])
def test_lists_on_standard_input(text: bytes) -> None:
    assert list(list_inputs(["-"], io.BytesIO(text))) == [Path("a.jpg"), Path("b/c.jpg")]


def test_a_list_in_utf16_on_standard_input_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="standard input: the list is UTF-16"):
        list(list_inputs(["-"], io.BytesIO("a.jpg\nb.jpg\n".encode("utf-16"))))

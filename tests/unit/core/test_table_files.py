"""CSV read and written: every fault with its row, every value as it was."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest

from leansort.core.errors import UserError
from leansort.core.text.table_files import Table, csv_line, csv_path, is_csv, read_csv

ROWS = [(2, {"image": "a.jpg", "label": "Metal"}), (3, {"image": "b, c.jpg", "label": "Paper"})]


def table(path: Path, text: str | bytes) -> Table:
    path = path / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv(path, "table", ("image", "label"), ("split",))


@pytest.mark.parametrize(
    "text",
    [
        'image,label\na.jpg,Metal\n"b, c.jpg",Paper\n',
        "image;label\r\na.jpg;Metal\r\nb, c.jpg;Paper\r\n",
        "image\tlabel\na.jpg\tMetal\nb, c.jpg\tPaper",
        '\ufeffimage,label\na.jpg,Metal\n"b, c.jpg",Paper\n',
        ' Image ,LABEL\na.jpg, Metal \n"b, c.jpg", "Paper"\n',
        'label,image\nMetal,a.jpg\nPaper,"b, c.jpg"\n',
        'image,label,\na.jpg,Metal,\n"b, c.jpg",Paper,\n',
        'image,label\na.jpg,Metal,,\n"b, c.jpg",Paper\n',
        "image;label\na.jpg;Metal\nb, c.jpg;Paper\n".encode("utf-16"),
    ],
)
def test_the_same_rows_in_many_spellings(text: str | bytes, tmp_path: Path) -> None:
    assert table(tmp_path, text).rows == ROWS


def test_excels_line_about_the_separator_is_no_header(tmp_path: Path) -> None:
    assert table(tmp_path, "sep=;\nimage;label\na.jpg;Metal\n").rows == [(3, {"image": "a.jpg", "label": "Metal"})]


def test_what_is_passed_over_is_told(tmp_path: Path) -> None:
    result = table(tmp_path, "image,label,width\na.jpg,Metal,3\n\n , ,\nb.jpg,Paper,4\n")
    assert (result.blank, result.unused) == (2, ["width"])
    assert [number for number, _ in result.rows] == [2, 5]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("image,label\na.jpg,Metal\nb.jpg,Paper, waxed\n", "row 3 has 3 fields where the header has 2: a comma inside"),
        ("image;label\na.jpg;Metal\nb.jpg;Paper; x\n", "row 3 has 3 fields.*a semicolon inside a value needs quotes"),
        ("image,label\n\na.jpg,Metal\nb.jpg\n", "row 4 has 1 field where the header has 2: 'label' is missing"),
        ("image,label\na.jpg,\n", "row 2 has no label"),
        ("image,label\n,Metal\n", "row 2 has no image"),
        ('image,label\na.jpg,"Metal\nb.jpg,Paper\n', r'row 2 is not CSV \(a quote \("\) that is opened there never'),
        ('image,label\na.jpg,"Me"tal\n', "row 2 is not CSV .quotes .* out of place"),
        ("image,label\na.jpg,x\n" + 'b.jpg,"' + "y\n" * 70_000, "row 3 is not CSV.*never ends"),
        ("a.jpg,Metal\nb.jpg,Paper\n", "lacks the column 'image'; it has 'a.jpg', 'Metal'; the first row must name"),
        ("imge,label\na.jpg,Metal\n", "lacks the column 'image'; it has 'imge', 'label'; did you mean 'imge'"),
        ("image,label,Image\na.jpg,Metal,b.jpg\n", "has the column 'image' 2 times"),
        ("", "lacks the column 'image'; it has none"),
        ("image,label\na.jpg,Müll\n".encode("latin-1"), "is not UTF-8 text.*line 2.*Latin-1"),
    ],
)
def test_faults_have_their_row(text: str | bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^table: .*list.csv {reason}"):
        table(tmp_path, text)


def test_tables_are_told_by_their_endings() -> None:
    assert [is_csv(Path(name)) for name in ("a.csv", "b.CSV", "c.tsv", "d.txt")] == [True, True, True, False]


@pytest.mark.parametrize("value", ['a"b', "a,b", "a\nb", "a\rb", " a ", "=1+1", "'=x", "-x", "\ta", "", "'", "\x1b[2J"])
def test_what_is_written_is_read_again(value: str, tmp_path: Path) -> None:
    text = "image,label,split\n" + csv_line([value, "Metal", ""]) + "\n" + csv_line(["b.jpg", "Paper", "val"]) + "\n"
    if not value.strip():
        with pytest.raises(UserError, match="row 2 has no image"):
            table(tmp_path, text)
        return
    assert [row["image"] for _, row in table(tmp_path, text).rows] == [value, "b.jpg"]


def test_any_characters_survive(tmp_path: Path) -> None:
    rng = random.Random(0)
    values = ["x" + "".join(rng.choices("='\"+-@,;\t\r\n a\\|", k=rng.randint(1, 6)))[1:] for _ in range(300)]
    values += ["".join(rng.choices("='\"+-@,;\t\r\n a", k=rng.randint(1, 6))) for _ in range(300)]
    values = [value for value in values if value.strip()]
    text = "image,label\n" + "".join(csv_line([value, "Metal"]) + "\n" for value in values)
    assert [row["image"] for _, row in table(tmp_path, text).rows] == values
    cells = [row[0] for row in csv.reader(io.StringIO(text, newline=""))]
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@") or cell[0] in "\t\r"]


def test_a_path_that_looks_like_a_formula_stays_a_path() -> None:
    assert csv_path("=x.jpg") == "./=x.jpg"
    assert Path(csv_path("-x.jpg")) == Path("-x.jpg")
    assert csv_path("photos/=x.jpg") == "photos/=x.jpg"

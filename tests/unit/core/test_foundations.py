"""Errors, seeds, labels, store, plugins, manifest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leansort.core import manifest as manifests
from leansort.core.errors import IntegrityError, LeansortError, UserError, not_one_of
from leansort.core.graphs.limits import LABEL_CHARACTERS
from leansort.core.labels import LabelSet
from leansort.core.manifest import Manifest, Row
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io


def test_a_wrong_name_gets_the_choices_and_a_guess() -> None:
    assert str(not_one_of("engine", "onnxruntim", ["onnxruntime", "torch"])) == (
        "engine: got 'onnxruntim', allowed: onnxruntime, torch; did you mean 'onnxruntime'?"
    )


def test_seeds_are_named_not_ordered() -> None:
    first, second = Seeds(1).child("a").value, Seeds(1).child("b").value
    assert (second, first) == (Seeds(1).child("b").value, Seeds(1).child("a").value)
    assert Seeds(1).child("a").child("b") == Seeds(1).child("a/b")
    assert len({Seeds(root).child(name).value for root in range(20) for name in "abcdefgh"}) == 160


def test_a_seed_is_pinned_for_good() -> None:
    assert Seeds(0).child("train/epoch-0").value == 4659048608447891341  # from this code; a change breaks resume


LETTERS = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))


@given(
    st.lists(
        st.text(LETTERS, min_size=1, max_size=LABEL_CHARACTERS).filter(str.strip), min_size=2, max_size=6, unique=True
    )
)
def test_labels_keep_their_order(names: list[str]) -> None:
    labels = LabelSet.of(names)
    assert [labels.index(name) for name in names] == list(range(len(names)))
    assert labels.digest != LabelSet.of(names[::-1]).digest


ODD = ["a\nb", "a\tb", "\x1b[31ma", "a\u202eb", "a\ud800", "a\0", "\u2028a", "a" * (LABEL_CHARACTERS + 1)]


@pytest.mark.parametrize(
    "names", [[], ["a"], ["a", "a"], ["a", " "], *(["a", odd] for odd in ODD), map(str, range(10_001))]
)
def test_bad_labels_are_refused(names: list[str]) -> None:
    with pytest.raises(UserError, match="labels"):
        LabelSet.of(names)


def test_differing_labels_show_both_orders() -> None:
    with pytest.raises(UserError, match=r"\[a, b\].*\[b, a\]"):
        LabelSet.of("ab").require_same(LabelSet.of("ba"), "the model", "the data")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    atomic_io.write_text(path, "old")

    def fail() -> None:
        with atomic_io.replace_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_an_unwritable_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LeansortError, match="cannot write"):
        atomic_io.write_text(tmp_path / "file" / "x", "a")


def test_json_is_strict(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        atomic_io.write_json(tmp_path / "f", {"a": float("inf")})
    assert not (tmp_path / "f").exists()


def manifest(root: Path, labels: str = "ab") -> Manifest:
    rows = [
        Row(f"{i}.jpg", i % 2, "train" if i < 6 else "val", f"g{i}", f"h{i}", "s", (0.0, 1.0, 2.5, 3.0))
        for i in range(8)
    ]
    return Manifest(tuple(rows), LabelSet.of(labels), root, {"skipped": 1})


def test_manifest_round_trip_and_moving(tmp_path: Path) -> None:
    made = manifest(tmp_path / "pictures")
    made.save(tmp_path / "out" / "manifest.parquet")
    read = manifests.load(tmp_path / "out")
    assert (read.rows, read.labels, read.notes, read.digest) == (made.rows, made.labels, made.notes, made.digest)
    assert read.path(read.rows[0]) == tmp_path / "pictures" / "0.jpg"
    assert read.counts("train") == [3, 3]
    (tmp_path / "out").rename(tmp_path / "pictures2")
    assert manifests.load(tmp_path / "pictures2" / "manifest.parquet").digest == made.digest


def test_manifest_faults_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there"):
        manifests.load(tmp_path)
    (tmp_path / "manifest.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(IntegrityError, match="not a leansort manifest"):
        manifests.load(tmp_path)
    with pytest.raises(UserError, match="split 'test' is empty"):
        manifest(tmp_path).split("test")
    with pytest.raises(UserError, match="did you mean 'train'"):
        manifest(tmp_path).split("trian")

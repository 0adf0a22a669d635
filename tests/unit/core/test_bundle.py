"""The bundle: equal bytes for equal content, and any other byte refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leansort.core import bundle as bundles
from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import IntegrityError, UserError
from leansort.core.writing import atomic_io
from tests.support.graphs import colour_bundle

each_format = pytest.mark.parametrize("graph_format", FORMATS)
formats = st.sampled_from(sorted(FORMATS))


made = colour_bundle


def refused(content: bytes) -> None:
    with atomic_io.scratch() as folder:
        (folder / "m").write_bytes(content)
        with pytest.raises(IntegrityError):
            bundles.load(folder / "m")


@each_format
def test_round_trip_and_equal_bytes(tmp_path: Path, graph_format: str) -> None:
    made(graph_format).save(tmp_path / "m")
    read = bundles.load(tmp_path / "m")
    assert read == made(graph_format)
    assert read.format == graph_format
    assert read.graph == read.files[FORMATS[graph_format][0]]
    assert made(graph_format).to_bytes() == made(graph_format).to_bytes()
    assert made(graph_format).digest != made(graph_format, temperature=2.0).digest
    assert Bundle(read.meta, dict(reversed(list(read.files.items())))).to_bytes() == made(graph_format).to_bytes()


def test_the_layout_of_onnx_bundles_stays() -> None:
    with zipfile.ZipFile(io.BytesIO(made().to_bytes())) as archive:
        assert archive.namelist() == ["bundle.json", "graph.onnx", "hashes.json"]
    assert bundles.SCHEMA == 1


@pytest.mark.parametrize("names", [(), ("graph.onnx", "graph.bin"), ("graph.xml",), ("graph.pte",), (*"abcdefgh",)])
def test_files_that_are_no_graph_are_refused_in_one_line(tmp_path: Path, names: tuple[str, ...]) -> None:
    files = dict.fromkeys(names, b"")
    with pytest.raises(IntegrityError, match=r"is no graph; known are graph\.onnx \(onnx\), graph\.xml") as caught:
        Bundle(made().meta, files)
    assert "\n" not in str(caught.value)
    (tmp_path / "m").write_bytes(zipped({**files, "bundle.json": b"{}", "hashes.json": b"{}"}))
    with pytest.raises(IntegrityError, match="is no graph"):
        bundles.load(tmp_path / "m")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_one_flipped_bit_anywhere_is_refused(data: st.DataObject) -> None:
    content = bytearray(made(data.draw(formats)).to_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    refused(bytes(content))


@settings(max_examples=60, deadline=None)
@given(formats, st.integers(0, 2000), st.binary(max_size=20))
def test_cut_short_or_with_a_tail_is_refused(graph_format: str, cut: int, tail: bytes) -> None:
    content = made(graph_format).to_bytes()
    changed = content[: cut % len(content)] + tail
    refused(changed)


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"../evil.onnx": b"", "bundle.json": b"{}", "hashes.json": b"{}"},
        {"graph.onnx": b"", "bundle.json": b"{}", "hashes.json": b"{}", "/etc/more": b""},
        {"graph.onnx": b"", "graph.xml": b"", "graph.bin": b"", "bundle.json": b"{}", "hashes.json": b"{}"},
        {"graph.xml": b"", "bundle.json": b"{}", "hashes.json": b"{}"},
        {"graph.onnx": b"", "hashes.json": b"{}"},
        {"graph.onnx": b"", "bundle.json": b"[]", "hashes.json": b"[]"},
        {"graph.onnx": b"", "bundle.json": b"\xff", "hashes.json": b"\xff"},
    ],
)
def test_other_members_are_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    (tmp_path / "m").write_bytes(zipped(members))
    with pytest.raises(IntegrityError):
        bundles.load(tmp_path / "m")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m"]


def test_a_zip_bomb_is_refused_unopened(tmp_path: Path) -> None:
    members = {"graph.onnx": bytes(50_000_000), "bundle.json": b"{}", "hashes.json": b"{}"}
    (tmp_path / "m").write_bytes(zipped(members, zipfile.ZIP_DEFLATED))
    with pytest.raises(IntegrityError, match="compressed or larger"):
        bundles.load(tmp_path / "m")


@pytest.mark.parametrize("name", [name for files in FORMATS.values() for name in files])
def test_swapped_graph_is_refused(tmp_path: Path, name: str) -> None:
    graph_format = next(key for key, files in FORMATS.items() if name in files)
    with zipfile.ZipFile(io.BytesIO(made(graph_format).to_bytes())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (tmp_path / "m").write_bytes(bundles.zip_members(members | {name: b"another"}))
    with pytest.raises(IntegrityError, match=f"{name} does not match".replace(".", r"\.")):
        bundles.load(tmp_path / "m")


def test_another_schema_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(made(bundle_schema=99).to_bytes())
    with pytest.raises(IntegrityError, match="schema version 99"):
        bundles.load(tmp_path / "m")


def test_labels_must_match_their_digest(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(made(labels_digest=made().meta.labels_digest, labels=("b", "a", "c")).to_bytes())
    with pytest.raises(IntegrityError, match="labels"):
        bundles.load(tmp_path / "m")


def test_a_missing_bundle_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not there"):
        bundles.load(tmp_path / "m")


@pytest.mark.parametrize("name", ["hashes.json", "bundle.json"])
def test_endless_brackets_are_refused(name: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made().to_bytes())) as whole, zipfile.ZipFile(buffer, "w") as archive:
        for member in whole.namelist():
            archive.writestr(member, b"[" * 100_000 if member == name else whole.read(member))
    refused(buffer.getvalue())

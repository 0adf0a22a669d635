"""What a data source has to keep: every item can be decoded and has a class, and equal data give equal manifests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import decode
from leansort.data.importing.data_source import DataSource
from leansort.data.importing.manifest_builder import build_manifest
from leansort.testing.contract import PluginContract

Maker = Callable[[Path], Mapping[str, Any]]


class SourceContract(PluginContract):
    """Runs on data that are made for each source.

    Attributes:
        makers: by source, functions that put a data set with the splits train and val, and eight pictures or more,
            into a folder and return the settings that read it.
        draws: sources that make their data themselves, and so miss none.
    """

    group = "sources"
    base = DataSource
    makers: ClassVar[Mapping[str, Sequence[Maker]]] = {}
    draws: ClassVar[Sequence[str]] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that takes `maker` on every data set, the others on every source."""
        if "maker" not in metafunc.fixturenames:
            super().pytest_generate_tests(metafunc)
            return
        pairs = [(name, maker) for name in self.names for maker in self.makers[name]]
        ids = [f"{name}-{getattr(maker, '__name__', 'data')}" for name, maker in pairs]
        metafunc.parametrize(("name", "maker"), pairs, ids=ids)

    def source(self, name: str, settings: Mapping[str, Any]) -> DataSource:
        """A source with its settings."""
        kind = self.plugin_class(name)
        assert issubclass(kind, DataSource)
        return kind(kind.Config(**settings))

    def test_every_source_has_data_to_be_tried_on(self, name: str) -> None:
        """None is passed over."""
        assert self.makers.get(name)

    def test_every_item_is_a_labelled_picture(self, name: str, maker: Maker, tmp_path: Path) -> None:
        """Pictures are decoded, named by class, split and group, and make a manifest without a fault."""
        result = self.source(name, maker(tmp_path / "data")).items()
        assert isinstance(result.labels, LabelSet)
        assert len(result.items) >= 8
        assert {item.label for item in result.items} <= set(result.labels.names)
        assert {item.split for item in result.items} <= {"train", "val", "test", None}
        for item in result.items:
            assert decode(item.image.read_bytes()).ndim == 3
            assert item.group
            assert item.source
        assert len({item.image for item in result.items}) == len(result.items)
        json.dumps(result.notes, allow_nan=False)
        manifest, faults = build_manifest(result)
        assert len(manifest.rows) == len(result.items)
        assert not faults.counts
        assert {"train", "val"} <= {row.split for row in manifest.rows}

    def test_equal_data_give_equal_manifests(self, name: str, maker: Maker, tmp_path: Path) -> None:
        """In another folder, too."""
        first, second = (build_manifest(self.source(name, maker(tmp_path / at)).items())[0] for at in "ab")
        assert first.digest == second.digest
        assert [row.image for row in first.rows] == [row.image for row in second.rows]

    def test_what_it_read_is_there(self, name: str, maker: Maker, tmp_path: Path) -> None:
        """A source that says which files it reads names files, and names them without importing."""
        source = self.source(name, maker(tmp_path / "data"))
        named = source.inputs()
        assert named is None or all(path.exists() for path in named)

    def test_what_is_not_there_is_one_clear_line(self, name: str, tmp_path: Path) -> None:
        """The error names the path."""
        if name in self.draws:
            pytest.skip("it makes its data itself")
        with pytest.raises(UserError, match="nowhere") as caught:
            self.source(name, {"path": tmp_path / "nowhere"}).items()
        assert "\n" not in str(caught.value)

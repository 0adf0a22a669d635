"""What all contract suites share: they are given names of plugins, and run every test on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest

from leansort.core import plugin_checks, plugins


class PluginContract:
    """Base of the suites; a class derived from one of them names the plugins and is run by pytest.

    Attributes:
        names: of the plugins that are held to the contract.
        group: of the plugins.
        base: that their classes derive from.
    """

    names: ClassVar[Sequence[str]] = ()
    group: ClassVar[str]
    base: ClassVar[type]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that takes `name` on every plugin."""
        if "name" in metafunc.fixturenames:
            metafunc.parametrize("name", self.names)

    def plugin_class(self, name: str) -> type:
        """The class of a plugin; the test is skipped where a library of an extra is missing."""
        from leansort.core.errors import MissingExtraError

        try:
            return plugins.load(self.group, name, self.base)
        except MissingExtraError as error:
            pytest.skip(str(error))

    def test_its_class_states_what_the_base_asks_for(self, name: str) -> None:
        """Every attribute is there and of its type."""
        if plugins.find(self.group, name).suffix != ".yaml":
            assert plugin_checks.fault(self.plugin_class(name), self.base) == ""

    def test_it_is_listed_with_where_it_comes_from(self, name: str) -> None:
        """The name is found, and so are a file or a distribution."""
        assert plugins.list_plugins(self.group)[name].origin

"""How `leansort` shows its public names: fetched at first use, and floors that share a name with a verb can be called.

`leansort.train` is two things: the package with the training loop, and the public function. Python sets a package's
attribute to the submodule whenever that is imported, which would hide the function. So the package gets a class of its
own, as the language's data model foresees (`__class__` of a module), that makes such a submodule callable:
`leansort.train("sample")` calls `leansort.api.train`, and `leansort.train.loop` is the module as before.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

API = "leansort.api"


class CallablePackage(ModuleType):
    """A floor of the house whose name is also a public function's: calling it calls that function."""

    @property
    def __wrapped__(self) -> object:
        """The public function; `inspect.signature` and notebooks look here."""
        return getattr(import_module(API), self.__name__.rpartition(".")[2])

    def __call__(self, *arguments: object, **named: object) -> object:
        """Call the public function of the same name; see `help(leansort.api)`."""
        function = self.__wrapped__
        assert callable(function)
        return function(*arguments, **named)


class PublicPackage(ModuleType):
    """The package `leansort`: a public name is imported when it is first asked for."""

    public_places: Mapping[str, str]

    def __getattr__(self, name: str) -> object:
        """Fetch a public name from its module.

        Raises:
            AttributeError: there is no such name.
        """
        place = self.__dict__.get("public_places", {}).get(name)
        if place is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(place), name)
        floor = sys.modules.get(f"{self.__name__}.{name}")
        setattr(self, name, value if floor is None else floor)
        return self.__dict__[name]

    def __setattr__(self, name: str, value: object) -> None:
        """Make a submodule callable that has a public function's name."""
        if isinstance(value, ModuleType) and self.__dict__.get("public_places", {}).get(name) == API:
            value.__class__ = CallablePackage
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        """List the public names beside what is loaded."""
        return sorted({*super().__dir__(), *self.public_places})


def publish(name: str, places: Mapping[str, tuple[str, ...]]) -> None:
    """Give a package its public names.

    Args:
        name: of the package, which is being imported.
        places: public names by the module that has them.
    """
    package = sys.modules[name]
    package.__dict__["public_places"] = {public: module for module, names in places.items() for public in names}
    package.__class__ = PublicPackage

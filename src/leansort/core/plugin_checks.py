"""Whether a class is what its extension point asks for, told in a line that names what is missing and what is allowed.

A base class declares what a plugin states about itself as annotated class attributes (`stage: ClassVar[...]`) and what
it does as methods; those that are abstract have to be there.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

T = TypeVar("T")


def only_class(module: ModuleType, base: type[T]) -> type[T] | str:
    """Return the one public class of a module that derives from `base`, or what is wrong with the module."""
    classes = [
        value
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]
    derived = [value for value in classes if issubclass(value, base)]
    if len(derived) == 1:
        return derived[0]
    names = ", ".join(value.__name__ for value in derived or classes) or "none"
    need = f"need one public class derived from {_full_name(base)}"
    return f"{need}, got {len(derived)} ({names})" if derived else f"{need}; its classes: {names}"


def fault(value: object, base: type) -> str:
    """Return what keeps a value from being a class of an extension point; empty where nothing does."""
    if not (inspect.isclass(value) and issubclass(value, base)):
        return f"got {value!r:.100}, need a class derived from {_full_name(base)}"
    missing = [name for name in (*_declared(base), *_methods(base)) if not _has(value, name, base)]
    if missing:
        attributes = [f"{name}: {_type_name(hint)}" for name, hint in _declared(base).items()]
        methods = [f"{name}()" for name in _methods(base)]
        return f"{value.__name__} lacks {', '.join(missing)}; a {base.__name__} has {', '.join(attributes + methods)}"
    wrong = [text for name, hint in _declared(base).items() if (text := _wrong(name, getattr(value, name), hint))]
    wrong += [
        f"{name}: got {getattr(value, name)!r:.60}, need a method"
        for name in _methods(base)
        if not callable(getattr(value, name))
    ]
    return f"{value.__name__}.{'; '.join(wrong)}" if wrong else ""


def _declared(base: type) -> dict[str, Any]:
    """The class attributes of an extension point with their types."""
    hints = get_type_hints(base)
    return {name: get_args(hint)[0] for name, hint in hints.items() if get_origin(hint) is ClassVar}


def _methods(base: type) -> list[str]:
    """The public methods that an extension point names."""
    return [
        name
        for name, value in vars(base).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, classmethod))
    ]


def _has(value: type, name: str, base: type) -> bool:
    return hasattr(value, name) and name not in getattr(value, "__abstractmethods__", ())


def _wrong(name: str, value: object, hint: Any) -> str:
    try:
        TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value, strict=True)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        return f"{name}: got {value!r:.60}, need {_type_name(hint)} ({message[:1].lower()}{message[1:]})"
    return ""


def _type_name(hint: Any) -> str:
    return hint.__name__ if inspect.isclass(hint) and not get_args(hint) else str(hint).replace("typing.", "")


def _full_name(base: type) -> str:
    return f"{base.__module__}.{base.__qualname__}"

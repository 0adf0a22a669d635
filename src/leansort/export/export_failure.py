"""Why a network cannot be exported, in one line, and in which of its layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_LONGEST = 200  # characters of a reason


def describe_failure(network: nn.Module, example: torch.Tensor, shapes: Any, error: BaseException) -> str:
    """Say where and why an export failed.

    Args:
        network: what was to be exported.
        example: its input.
        shapes: which axes of the input may vary, as the exporter was told.
        error: what the exporter raised.

    Returns:
        The layer, where the network's own code is what cannot be followed, and the innermost reason.
    """
    where, own = _where(network, example, shapes)
    return f"{where}{_reason(own or error)}"


def _where(network: nn.Module, example: torch.Tensor, shapes: Any) -> tuple[str, BaseException | None]:
    """The layer in which following the network's code ends, and what is raised there; nothing where it does not."""
    inside: list[str] = []
    hooks = []
    for name, layer in network.named_modules():
        hooks.append(layer.register_forward_pre_hook(lambda _layer, _given, name=name: inside.append(name)))
        hooks.append(layer.register_forward_hook(lambda _layer, _given, _out: inside.pop() and None))
    try:
        torch.export.export(network, (example,), dynamic_shapes=shapes, strict=False)
    except Exception as error:  # whatever anybody's network raises
        name = inside[-1].removeprefix("network").removeprefix(".") if inside else ""
        kind = type(network.get_submodule(inside[-1])).__name__ if name else ""
        return (f"layer {name!r} ({kind}) cannot be exported: " if name else ""), error
    finally:
        for hook in hooks:
            hook.remove()
    return "", None


def _reason(error: BaseException) -> str:
    """The innermost of a chain of errors, its first lines alone: the exporter appends pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    if type(error).__name__ == "GuardOnDataDependentSymNode":  # whose own words are of symbols
        return "what it does depends on the values of its input, which no graph can follow"
    text = " ".join(str(error).replace("\n\n", "\n").split("\n", 3)[:3]) or type(error).__name__
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

"""A network's graph of layers, traced symbolically, for what needs to know which layer reads which."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.arch.layers import same_padding
from leansort.core.errors import UserError, one_line

# What Python code, anybody's, raises where it is given a symbol in the place of a tensor.
_FAULTS = (
    fx.proxy.TraceError,
    TypeError,
    ValueError,
    RuntimeError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
)
_WHOLE = (_BatchNorm, *same_padding.LAYERS)


class _Tracer(fx.Tracer):
    """Batch norms stay whole, those that bring their own activation too; and so does what cannot be traced."""

    def __init__(self) -> None:
        super().__init__()
        self.symbols: dict[str, Any] = {}  # of parameters, by name

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _WHOLE) or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Trace into a module; where its forward depends on values or sizes, the module is one node of the graph."""
        before, stack = len(self.graph.nodes), self.module_stack.copy()
        try:
            return super().call_module(m, forward, args, kwargs)
        except _FAULTS:
            self._forget(before)
            self.module_stack = stack
            return self.create_proxy("call_module", self.path_of_module(m), args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Give a parameter's symbol; the same as before, while its node is in the graph."""
        self.symbols = parameter_proxy_cache
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def _forget(self, before: int) -> None:
        """Take the nodes out that came after so many."""
        gone = list(self.graph.nodes)[before:]
        for node in reversed(gone):
            self.graph.erase_node(node)
        kept = {name: symbol for name, symbol in self.symbols.items() if symbol.node not in gone}
        self.symbols.clear()
        self.symbols.update(kept)


def trace(model: nn.Module) -> fx.Graph:
    """Trace a network in evaluation mode.

    Args:
        model: the network; neither changed nor held.

    Returns:
        Its graph; `call_module` nodes carry the names of layers, and of whole modules whose forward depends on values
        or sizes.

    Raises:
        UserError: the network's own forward does, so that nothing is known of its layers.
    """
    name = type(model).__name__
    try:
        return _Tracer().trace(deepcopy(model).eval())  # a copy: some modules keep what they computed, here symbols
    except _FAULTS as error:
        raise UserError(f"{name} cannot be traced: {one_line(error)}") from None


def layer_calls(graph: fx.Graph, model: nn.Module) -> list[tuple[fx.Node, Any]]:
    """The nodes that call a layer, in order, each with its layer."""
    return [(node, model.get_submodule(str(node.target))) for node in graph.nodes if node.op == "call_module"]

"""A network's graph of layers, traced symbolically, for what needs to know which layer reads which."""

from __future__ import annotations

from typing import Any

from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.core.errors import UserError


class _Tracer(fx.Tracer):
    """Batch norms stay whole, those that bring their own activation too."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _BatchNorm) or super().is_leaf_module(m, module_qualified_name)


def traced(model: nn.Module) -> fx.Graph:
    """Trace a network in evaluation mode.

    Args:
        model: the network; neither changed nor held.

    Returns:
        Its graph; `call_module` nodes carry the names of layers.

    Raises:
        UserError: its forward depends on values, not only on shapes and settings.
    """
    was_training = model.training
    try:
        return _Tracer().trace(model.eval())
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{type(model).__name__} cannot be traced: {' '.join(str(error).split())[:160]}") from None
    finally:
        model.train(was_training)


def calls(graph: fx.Graph, model: nn.Module) -> list[tuple[fx.Node, Any]]:
    """The nodes that call a layer, in order, each with its layer."""
    return [(node, model.get_submodule(str(node.target))) for node in graph.nodes if node.op == "call_module"]

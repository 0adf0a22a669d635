"""What each part of a network puts out and costs: shapes, weights, multiply-adds, memory, receptive field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils.flop_counter import FlopCounterMode

from leansort.arch.build import parameters, without_gradients
from leansort.arch.spec.fx_trace import trace
from leansort.core.errors import UserError, one_line

# What PyTorch and timm raise where a tensor's shape does not suit a layer.
UNFIT = (RuntimeError, IndexError, ValueError, AssertionError)


@dataclass
class Part:
    """One part of a network: a block, or a layer that stands alone.

    Attributes:
        name: of the module.
        block: its kind.
        reads: names of the parts it reads; none for the image.
        out: shape of what it puts out, without the batch.
        parameters: weights.
        macs: multiply-adds of convolutions and linear layers.
        memory: most bytes of activations alive at once while it runs, batch 1, float32.
        receptive: side in input pixels of what one output value depends on, squeeze-and-excitation aside; None: all.
        downsampling: input pixels a step of the output; None where it has no height and width.
    """

    name: str
    block: str
    reads: list[str] = field(default_factory=list)
    out: list[int] = field(default_factory=list)
    parameters: int = 0
    macs: int = 0
    memory: int = 0
    receptive: int | None = 1
    downsampling: float | None = None


@dataclass(frozen=True)
class PartTotals:
    """What a whole network costs.

    Attributes:
        parameters: sum over its parts.
        macs: multiply-adds, the sum over its parts.
        memory: bytes of activations, of the part that takes most.
    """

    parameters: int
    macs: int
    memory: int


def total_parts(parts: Sequence[Part]) -> PartTotals:
    """Return the sums of parameters and multiply-adds, and the most memory of all parts."""
    return PartTotals(
        sum(part.parameters for part in parts), sum(part.macs for part in parts), max(part.memory for part in parts)
    )


def summarize_parts(model: nn.Module, size: int) -> list[Part]:
    """Take a network apart at an input size.

    Args:
        model: the network.
        size: side of the square input in pixels.

    Returns:
        Its parts in the order they run.

    Raises:
        UserError: the network cannot be traced, or the input is too small for it.
    """
    run = _Run(model, trace(model))
    try:
        with without_gradients(model), run.counter:
            run.run(torch.zeros(1, 3, size, size))
    except UNFIT as error:
        cause = error.__cause__ or error
        raise UserError(f"{run.at}: {size} px is too small: {one_line(cause, 120)}") from None
    return list(run.parts.values())


def require_input_size(model: nn.Module, size: int) -> nn.Module:
    """Return the network if it takes images of `size`.

    Raises:
        UserError: it does not; the message names the row or layer.
    """
    at = [""]

    def note(module: nn.Module, given: Any) -> None:
        at[0] = getattr(module, "row", at[0])

    hooks = [module.register_forward_pre_hook(note) for module in model.modules() if hasattr(module, "row")]
    was_training = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, size, size))
    except UNFIT as error:
        raise UserError(f"{at[0] or 'arch'}: does not take {size} px: {one_line(error, 120)}") from None
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return model


class _Run(fx.Interpreter):
    """Runs the graph node by node and adds up what each part costs."""

    def __init__(self, model: nn.Module, graph: fx.Graph) -> None:
        super().__init__(fx.GraphModule(model.eval(), graph))
        self.model = model
        self.counter = FlopCounterMode(display=False)
        self.parts: dict[str, Part] = {}
        self.at = "input"
        self.owner: dict[fx.Node, str] = {}  # the part that a node belongs to; none for the image
        self.field: dict[fx.Node, tuple[int | None, float]] = {}  # receptive field and step
        self.storage: dict[fx.Node, tuple[fx.Node, int]] = {}  # whose memory it is, and how much
        self.last_use = {used: node for node in graph.nodes for used in node.all_input_nodes}
        self.order = {node: number for number, node in enumerate(graph.nodes)}

    def run_node(self, n: fx.Node) -> Any:
        before = self.counter.get_total_flops()
        name = _part_of(n, self.model)
        self.at = getattr(self.model.get_submodule(name), "row", name) if name else self.at
        result = super().run_node(n)
        if n.op not in ("output", "get_attr") and isinstance(result, Tensor):
            self._account(n, name, result, (self.counter.get_total_flops() - before) // 2)
        return result

    def _account(self, node: fx.Node, name: str | None, result: Tensor, macs: int) -> None:
        self.field[node] = _field(node, self.model, self.field, result)
        self._remember(node, result)
        if node.op == "placeholder":
            return
        name = name or next(reversed(self.parts), "input")  # a function of the network's own goes with what it follows
        if name not in self.parts:
            module = self.model.get_submodule(name)
            self.parts[name] = Part(name, type(module).__name__, parameters=parameters(module))
        self.owner[node], part = name, self.parts[name]
        for used in node.all_input_nodes:
            if used.op == "get_attr":
                continue
            source = self.owner.get(used, "input")
            if source != name and source not in part.reads:
                part.reads.append(source)
        receptive, step = self.field[node]
        part.out, part.macs = list(result.shape[1:]), part.macs + macs
        part.memory = max(part.memory, self._alive(node))
        part.receptive = receptive
        part.downsampling = step if result.ndim == 4 and result.shape[-1] > 1 else None

    def _remember(self, node: fx.Node, result: Tensor) -> None:
        """Note whose memory a result lies in: its own, or that of what it was computed from in place."""
        pointer = result.untyped_storage().data_ptr()
        for used in node.all_input_nodes:
            given = self.env.get(used)
            if isinstance(given, Tensor) and given.untyped_storage().data_ptr() == pointer:
                self.storage[node] = self.storage[used]
                return
        self.storage[node] = (node, result.numel() * result.element_size())

    def _alive(self, node: fx.Node) -> int:
        now = self.order[node]
        held = [self.storage[n] for n in self.storage if n is node or self.order[self.last_use.get(n, n)] >= now]
        return sum(size for _, size in dict(held).items())


def _part_of(node: fx.Node, model: nn.Module) -> str | None:
    """The outermost module that a node runs in and that is not a mere container."""
    paths = [path for path, _ in node.meta.get("nn_module_stack", {}).values() if path]
    for path in paths:
        if type(model.get_submodule(path)) not in (nn.Sequential, nn.ModuleList):
            return str(path)
    return str(node.target) if node.op == "call_module" else None


def _field(
    node: fx.Node, model: nn.Module, known: dict[fx.Node, tuple[int | None, float]], result: Tensor
) -> tuple[int | None, float]:
    """Receptive field and step behind a node; None is the whole image."""
    before = [known[used] for used in node.all_input_nodes if used in known]
    if not before:
        return 1, 1.0
    local = [item for item in before if item[0] is not None]
    if not local:  # behind global pooling; a gate beside local inputs does not count
        return None, before[0][1]
    receptive, step = max(item[0] or 1 for item in local), max(item[1] for item in local)
    module = model.get_submodule(str(node.target)) if node.op == "call_module" else None
    if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        kernel, stride, dilation = (_side(getattr(module, key, 1)) for key in ("kernel_size", "stride", "dilation"))
        return receptive + round((kernel - 1) * dilation * step), step * stride
    shrunk = result.ndim != 4 or result.shape[-2:] == (1, 1)
    given = node.all_input_nodes[0].meta.get("shape", ())
    node.meta["shape"] = tuple(result.shape)
    return (None, step) if shrunk and tuple(given[-2:]) != (1, 1) else (receptive, step)


def _side(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)

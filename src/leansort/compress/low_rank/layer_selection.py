"""Which layers of a network are factorized, to which ranks, and whether that pays on the engine."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Annotated, Any, ClassVar, Literal, Self, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from leansort.arch.layers.branched_conv import BranchedConv
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.spec import Factorize, Factorized
from leansort.arch.trained_model import TrainedModel
from leansort.compress.low_rank.decomposition import (
    factorize_layer,
    largest_ranks,
    method_for,
    ranks_by_energy,
    ranks_by_evbmf,
    reconstruction_error,
)
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome
from leansort.core.strict_model import StrictModel
from leansort.measure.timing import latency

Layer = nn.Conv2d | nn.Linear
Method = Literal["tucker", "cp"]
Rank = Annotated[int, Field(ge=1, le=100_000)]


class FactorizeConfig(StrictModel):
    """Which layers, and how far.

    Attributes:
        ranks: how they are found: `evbmf` (global analytic solution of empirical variational Bayesian matrix
            factorization, JMLR 14:1-37), `energy` (the smallest that keep a fraction of the squared singular values),
            or given as one or two numbers for every layer (channels read, channels made; one stands for both), each at
            most what the layer can have.
        energy: the fraction that `energy` keeps.
        strength: of `evbmf`: 1 takes its ranks, 0 full ones, between them those between.
        layers: names of layers, with * for anything; others are left as they are.
        measured: whether a layer is factorized only where it gets faster on the pipeline's engine; False takes every
            layer whose multiply-adds fall.
    """

    ranks: Literal["evbmf", "energy"] | Annotated[tuple[Rank, ...], Field(min_length=1, max_length=2)] = "evbmf"
    energy: float = Field(default=0.9, gt=0.0, le=1.0)
    strength: float = Field(default=1.0, ge=0.0, le=1.0)
    layers: tuple[str, ...] = ("*",)
    measured: bool = True


class FactorizationPass(CompressionPass[FactorizeConfig, TrainedModel]):
    """Splits the layers that get faster by it into chains of smaller ones.

    Attributes:
        method: how convolutions with larger kernels are split.
    """

    Config = FactorizeConfig
    stage = "model"
    faster = True
    method: ClassVar[Method]

    def weaker(self, fraction: float) -> Self:
        """Cut the ranks less; given ones are halfway raised by dividing them by the fraction."""
        config = self.config
        if config.ranks == "energy":
            return self.changed(energy=1 - fraction * (1 - config.energy))
        if config.ranks == "evbmf":
            return self.changed(strength=fraction * config.strength)
        return self.changed(ranks=tuple(max(1, round(rank / fraction)) for rank in config.ranks))

    def apply(self, model: TrainedModel, context: PassContext) -> PassOutcome:
        """Factorize the layers for which it pays.

        A network with branches is folded first: only their sum is a layer of the robot's, and a branch that is split
        alone could not be merged any more.

        Returns:
            The network; `notes["layers"]` says of each layer what was found: method, ranks, relative reconstruction
            error, milliseconds before and after, and whether it was taken.
        """
        network, spec = model.network(), model.spec
        if any(isinstance(part, BranchedConv) for part in network.modules()):
            network, spec = fold_batch_norms(network, spec)
        chosen: dict[str, Factorized] = {}
        notes: dict[str, dict[str, Any]] = {}
        for name, layer, shape in list_layers(network, model.preprocess.size):
            how = (
                _ranks(layer, self.method, self.config)
                if any(fnmatch(name, pattern) for pattern in self.config.layers)
                else None
            )
            if how is None:
                continue
            chain = factorize_layer(layer, how)
            notes[name] = {"method": how.method, "ranks": list(how.ranks), "error": reconstruction_error(layer, chain)}
            notes[name] |= _gain(layer, chain, shape, self.config.measured, context)
            if notes[name]["taken"]:
                chosen[name] = how
                network.set_submodule(name, chain)
        if not chosen:
            return PassOutcome(
                model, {"layers": notes}, f"no layer gets faster by it (of {len(notes)} that could be split)"
            )
        made = TrainedModel(
            spec.edited(Factorize(layers=chosen)),
            network.state_dict(),
            model.preprocess,
            model.labels,
            model.provenance,
        )
        made.network()  # a strict rebuild
        return PassOutcome(made, {"layers": notes})


def list_layers(network: nn.Module, size: int) -> Iterator[tuple[str, Layer, tuple[int, int, int]]]:
    """Name, layer and input shape (c, h, w) of every convolution and linear layer, in the order they run."""
    shapes: dict[str, tuple[int, int, int]] = {}
    named = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)}

    def noted(name: str) -> Any:
        def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
            *pixels, last = given[0].shape[1:]
            # What a linear layer reads comes last, and its pixels, if any, before.
            shapes[name] = (pixels[0], pixels[1], last) if isinstance(module, nn.Conv2d) else (last, 1, 1)

        return note

    hooks = [layer.register_forward_pre_hook(noted(name)) for name, layer in named.items()]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    yield from [(name, named[name], shape) for name, shape in shapes.items()]


def _ranks(layer: Layer, wanted: Method, config: FactorizeConfig) -> Factorized | None:
    method = method_for(layer, wanted)
    if method is None:
        return None
    if config.ranks == "evbmf":
        ranks = ranks_by_evbmf(layer, method, config.strength)
    elif config.ranks == "energy":
        ranks = ranks_by_energy(layer, method, config.energy)
    else:
        ranks = tuple(map(min, (config.ranks[0], config.ranks[-1]), largest_ranks(layer, method)))
    return Factorized(method=method, ranks=ranks) if ranks else None


def _gain(
    layer: Layer, chain: nn.Sequential, shape: tuple[int, int, int], measured: bool, context: PassContext
) -> dict[str, Any]:
    """Whether the chain is cheaper: by multiply-adds in any case, else no engine could gain; then by the clock."""
    before, after = _macs([layer], shape), _macs(list(chain), shape)
    if after >= before:
        return {"taken": False, "why": "no fewer multiply-adds"}
    if not measured:
        return {"taken": True}
    times = context.time_layers({"whole": [layer], "split": list(chain)}, shape)
    _, low, _ = latency.speed_ratio(times["whole"], times["split"])
    ms = {key: 1e3 * float(sorted(time)[len(time) // 2]) for key, time in times.items()}
    return {"taken": low > 1.0, "ms": ms["whole"], "ms_split": ms["split"], "why": "" if low > 1.0 else "no faster"}


def _macs(layers: list[nn.Module], shape: tuple[int, int, int]) -> int:
    x_bchw, total = torch.zeros(1, *shape), 0
    with torch.no_grad():
        for layer in layers:
            x_bchw = layer(x_bchw.flatten(1) if isinstance(layer, nn.Linear) else x_bchw)
            pixels = x_bchw[0, 0].numel() if x_bchw.ndim == 4 else 1
            total += cast(Tensor, layer.weight).numel() * pixels
    return total

"""Write `docs/timm.md`: which of timm's small networks train and export here, tried one by one.

    python -m docs.timm_table                    the whole table, about five seconds a network on one core
    python -m docs.timm_table vit_tiny_patch16_224 levit_128s    some networks, as text

Each network is tried in a process of its own, so that one that kills it is a row of the table and not its end.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LARGEST = 10e6  # weights
SIZES = (64, 96, 128, 160, 192, 224, 256, 384)  # px, the first that a network takes
SECONDS = 300  # for one network
CLASSES = 6
NAMED = (  # that people name, beside the smallest of every module
    "efficientnet_lite0", "tf_efficientnet_lite0", "tf_efficientnet_b0", "tf_efficientnetv2_b0",
    "tf_mobilenetv3_small_100", "tf_mobilenetv3_large_minimal_100", "tf_mixnet_s", "mixnet_s", "mobilenetv1_100",
    "mobilenetv2_100", "fbnetc_100", "mobilenetv3_small_100", "mobilenetv3_large_100", "mobilenetv4_conv_small",
    "mobilenetv4_hybrid_medium_075", "lcnet_050", "tinynet_e", "tinynet_d", "fbnetv3_b", "regnetx_002", "regnety_002",
    "resnet10t", "resnet14t", "resnet18", "convnext_atto", "edgenext_xx_small", "mobilevit_xxs", "mobilevitv2_050",
    "fastvit_t8", "mobileone_s0", "repvgg_a0", "ghostnetv2_100", "ghostnetv3_050", "vit_tiny_patch16_224",
    "deit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "eva02_tiny_patch14_224", "levit_128s",
    "levit_conv_128s", "efficientvit_m0", "efficientvit_b0", "halonet_h1", "nf_regnet_b0", "maxvit_pico_rw_256",
    "test_efficientnet", "test_resnet", "test_vit",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What became of one network.

    Attributes:
        name: timm's.
        family: its module in timm.
        weights: how many.
        size: side of the pictures in pixels.
        macs: multiply-adds for one of them.
        trains: whether a step of training gave finite weights.
        exports: whether the graph agrees with the network.
        gap: the largest difference of any probability.
        refusal: the line that `leansort train` refuses it with.
    """

    name: str
    family: str
    weights: int = 0
    size: int = 0
    macs: int = 0
    trains: bool = False
    exports: bool = False
    gap: float | None = None
    refusal: str = ""


def small(*, every: bool = False) -> list[tuple[str, str]]:
    """Families and names: of each module the smallest network under the limit, and those that people name.

    Args:
        every: take every network under the limit.
    """
    import torch

    from leansort.arch.workarounds.torchvision_import import import_torchvision

    timm: Any = import_torchvision("timm", "timm")
    result = []
    for family in sorted(timm.models.list_modules()):
        sizes: dict[str, int] = {}
        for name in timm.list_models(module=family):
            with torch.device("meta"):
                try:
                    network = timm.create_model(name, num_classes=CLASSES)
                except (RuntimeError, NotImplementedError):  # it draws numbers that a network without memory has not
                    network = None
            sizes[name] = sum(p.numel() for p in network.parameters()) if network else 0
        under = sorted((name for name in sizes if 0 < sizes[name] < LARGEST), key=lambda name: (sizes[name], name))
        result += [(family, name) for name in sizes if (every and name in under) or name in (*under[:1], *NAMED)]
    return result


def tried(family: str, name: str) -> Row:
    """Train a network for a step, export it and compare."""
    from leansort.arch.build import build, macs, parameters
    from leansort.core.errors import LeansortError

    row = Row(name, family)
    try:
        spec, size = _at_some_size(name)
        network = build(spec)
        row = Row(name, family, parameters(network), size, macs(network, size))
        row = Row(**{**asdict(row), "trains": _step(network, size)})
        return Row(**{**asdict(row), "exports": True, "gap": _gap(spec, size)})
    except LeansortError as error:
        return Row(**{**asdict(row), "refusal": str(error)})


def _at_some_size(name: str) -> tuple[Any, int]:
    from leansort.arch.timm_models import timm_networks
    from leansort.core.errors import UserError
    from leansort.workflows.training.train import buildable_spec

    own = timm_networks.published_size(f"timm:{name}")
    for size in sorted({*SIZES, own}):
        with contextlib.suppress(UserError):
            return buildable_spec(_recipe(name, size), CLASSES), size
    return buildable_spec(_recipe(name, own), CLASSES), own  # to be refused in its own words


def _recipe(name: str, size: int) -> Any:
    from leansort.recipe.load import validate_recipe

    tree = {
        "name": "timm",
        "data": {"source": "folder", "path": "."},
        "arch": {"base": f"timm:{name}"},
        "preprocess": {"size": size},
    }
    return validate_recipe(tree, name)


def _step(network: Any, size: int) -> bool:
    import torch
    from torch.nn import functional

    x_bchw = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    functional.cross_entropy(network.train()(x_bchw), torch.arange(4)).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return all(bool(p.isfinite().all()) for p in network.parameters())


def _gap(spec: Any, size: int) -> float:
    from leansort.workflows.training.export_check import proof

    return proof(spec, _recipe(spec.base.removeprefix("timm:"), size)).gap


def rows(names: Sequence[tuple[str, str]]) -> Iterator[Row]:
    """Try networks, one at a time and each in a process of its own."""
    import leansort.workflows.training.export_check
    import leansort.workflows.training.train  # noqa: F401  loaded once, and not by every process anew

    context: Any = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    for family, name in names:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_send, args=(sender, family, name))
        process.start()
        sender.close()
        try:
            row = receiver.recv() if receiver.poll(SECONDS) else Row(name, family, refusal=f"not done in {SECONDS} s")
        except EOFError:
            process.join()
            row = Row(name, family, refusal=f"the process ended with code {process.exitcode}")
        process.kill()
        process.join()
        yield row


def _send(sender: Any, family: str, name: str) -> None:
    import torch

    torch.set_num_threads(1)
    try:
        sender.send(tried(family, name))
    except Exception as error:  # what no command of ours turns into a line is a fault, and shown as one
        sender.send(Row(name, family, refusal=f"FAULT {type(error).__name__}: {' '.join(str(error).split())[:200]}"))


def summary(result: Sequence[Row]) -> str:
    """Counts, in a sentence."""
    counts = Counter("export" if row.exports else "refused" for row in result)
    families = len({row.family for row in result})
    return (
        f"{len(result)} networks of {families} modules of timm: {counts['export']} train a step, export and agree with "
        f"their graph, {counts['refused']} are refused before the first step."
    )


def line(row: Row) -> str:
    """A row of the Markdown table."""
    came = f"{row.gap:.1e}" if row.gap is not None else row.refusal.replace("|", "\\|")
    yes = {True: "yes", False: "no"}
    return (
        f"| `{row.name}` | {row.weights / 1e6:.2f} | {row.size} | {row.macs / 1e6:,.0f} | {yes[row.trains]} | "
        f"{yes[row.exports]} | {came} |"
    )


def page(result: Sequence[Row], wanted: int) -> str:
    """The whole of `docs/timm.md`; `wanted` networks are in the selection, of which not all may have been tried."""
    import torch

    from leansort.arch.workarounds.torchvision_import import import_torchvision

    timm: Any = import_torchvision("timm", "timm")
    made, limit = f"timm {timm.__version__} and PyTorch {torch.__version__}", f"{LARGEST / 1e6:.0f} million weights"
    head = [
        "# timm's networks", "",
        f"Written by `python -m docs.timm_table` with {made}. Of every module of timm",
        f"that has networks of under {limit} the smallest is tried, and beside them others that people",
        "name. Pictures have the smallest of a few sizes that the network takes. It is trained for one step and",
        "exported, and graph and network are compared on pictures of noise: the last column is the largest difference",
        "of any probability, of which 0.001 is allowed, or the line that it is refused with.",
        "",
        *([] if len(result) == wanted else [f"This table is not whole: {len(result)} of {wanted} were tried.", ""]),
        summary(result), "",
        "| network `timm:` | million weights | px | million MACs | trains | exports | largest difference, or why not |",
        "|---|---:|---:|---:|---|---|---|",
    ]  # fmt: skip
    return "\n".join([*head, *map(line, result)]) + "\n"


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks; none: the whole table")
    parser.add_argument("--all", action="store_true", help=f"every network under {LARGEST / 1e6:.0f} million weights")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "timm.md")
    given = parser.parse_args()
    wanted = [("", name) for name in given.names] or small(every=given.all)
    result = []
    for row in rows(wanted):
        result.append(row)
        print(line(row), flush=True)
    print(summary(result))
    if not given.names:
        given.out.write_text(page(result, len(wanted)), encoding="utf-8")
        print(given.out)


if __name__ == "__main__":
    main()

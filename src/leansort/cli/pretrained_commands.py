"""`leansort arch pretrained`: what pretrained weights hold, how they fit, and pickles turned into safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from leansort.cli.options import Json, print_result
from leansort.core.errors import UserError


def register(app: typer.Typer) -> None:
    """Add the command to `leansort arch`."""
    app.command("pretrained")(arch_pretrained)


def arch_pretrained(
    source: Annotated[
        str | None,
        typer.Argument(
            help="pack:NAME, timm:NAME, hf:OWNER/NAME, torchvision:NAME, a .safetensors file, or a .pth with --out; "
            "left out, the packs are listed."
        ),
    ] = None,
    into: Annotated[
        str | None, typer.Option(help="Show for each tensor how it matches this backbone or model file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the weights to this .safetensors file; needed for a .pth.")
    ] = None,
    key_map: Annotated[
        Path | None, typer.Option(help="YAML or JSON file that maps tensor names, or prefixes of names, to ours.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List weight packs; show pretrained weights, how they fit a backbone, or convert them to safetensors.

    \b
    Example: leansort arch pretrained
    Example: leansort arch pretrained pack:efficientnet_lite0 --into efficientnet_lite0
    Example: leansort arch pretrained torchvision:mobilenet_v2 --out v2.safetensors --into mobilenetv2
    """
    from leansort.arch.pretrained import key_map as key_maps
    from leansort.arch.pretrained import matching, weight_loader

    if source is None:
        _list_packs(as_json, {"--into": into, "--out": out, "--key-map": key_map})
        return
    if key_map and not into:
        raise UserError("arch pretrained: --key-map says what goes where; it needs --into")
    names = key_maps.read_key_map(key_map) if key_map else None
    network = _network(into) if into else {}
    tensors = weight_loader.read_weights(_written(source, out) if out else source)
    if not into:
        _show(source, out, tensors, as_json)
        return
    result = weight_loader.compare_weights(network, tensors, source, names)
    print_result({"source": source, "into": into, **result.to_json()}, as_json, matching.match_table(result))
    weight_loader.require_fit(result, source, into)


def _list_packs(as_json: bool, options: dict[str, Any]) -> None:
    from leansort.arch.pretrained.pack_listing import pack_states, packs_table

    for name, value in options.items():
        if value is not None:
            raise UserError(f"arch pretrained: {name} needs the weights' SOURCE, such as pack:NAME")
    result = pack_states()
    print_result(result, as_json, packs_table(result))


def _show(source: str, out: Path | None, tensors: dict[str, Any], as_json: bool) -> None:
    from leansort.arch.pretrained import pack_listing, weight_pack

    rows: list[dict[str, Any]] = [
        {"name": name, "shape": list(t.shape), "type": str(t.dtype).removeprefix("torch.")}
        for name, t in tensors.items()
    ]
    tree: dict[str, Any] = {"source": source, "tensors": rows}
    text = "\n".join(f"{row['name']}  {'x'.join(map(str, row['shape']))}  {row['type']}" for row in rows)
    if weight_pack.is_pack(source):
        pack = weight_pack.find_pack(source)
        tree["pack"] = pack.facts.model_dump(mode="json", exclude={"key_map"})
        text = f"{pack_listing.describe_pack(pack)}\n\n{text}"
    print_result(tree, as_json, f"{out}: {len(rows)} tensors" if out else text)


def _network(backbone: str) -> dict[str, Any]:
    from leansort.arch.build import build
    from leansort.workflows.arch import spec_for

    return dict(build(spec_for(backbone, classes=6)).state_dict())


def _written(source: str, out: Path) -> str:
    """Write weights as safetensors and return where."""
    from leansort.arch import trained_model
    from leansort.arch.pretrained import checkpoint_conversion, weight_loader
    from leansort.arch.pretrained.weight_origin import packs_behind

    if out.suffix != ".safetensors":
        raise UserError(f"arch pretrained: --out: got {out}, need a name that ends in .safetensors")
    if out.exists():
        raise UserError(f"arch pretrained: {out} is there already; name another file")
    if weight_loader.is_pickle(source):
        checkpoint_conversion.convert(source, out)
    else:
        tensors = weight_loader.read_weights(source)
        meta = {"order": list(tensors), "source": source, "packs": packs_behind([source])}
        trained_model.save_tensors(out, tensors, meta)
    return str(out)

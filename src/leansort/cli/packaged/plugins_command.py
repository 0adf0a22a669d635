"""`leansort plugins`: every backbone, engine, pack of weights, pass, source and tracker, and where it comes from."""

from __future__ import annotations

from leansort.cli.options import Json, print_result


def list_kinds(as_json: Json = False) -> None:
    """List every backbone, engine, weight pack, pass, source and tracker with where it comes from; nothing is imported.

    A kind is a file of leansort, of a folder named in LEANSORT_PLUGINS, or an entry point of an installed distribution.

    \b
    Example: leansort plugins
    """
    from leansort.core import plugins

    origins = {
        group: {name: plugin.origin for name, plugin in sorted(plugins.list_plugins(group).items())}
        for group in plugins.PACKAGES
    }
    width = max(len(name) for names in origins.values() for name in names)
    lines = [
        line
        for group, names in origins.items()
        for line in (f"{group}:", *(f"  {name:<{width}}  {origin}" for name, origin in names.items()))
    ]
    print_result(origins, as_json, "\n".join(lines))

"""Keys and options that had another name once: the old one is refused, and the new one is named.

One table serves recipes, overrides, search spaces, variants of an ablation, the settings of passes and the command
line. `*` stands for the number of a step.
"""

from __future__ import annotations

import re

RENAMED = {
    "arch.weights": "arch.pretrained",
    "arch.weight_names": "arch.pretrained_key_map",
    "export.wanted_error": "export.target_error",
    "compress.engine": "target.engine",
    "compress.threads": "target.threads",
    "bench.threads": "target.threads",
    "search.engine": "target.engine in the recipe",
    "search.threads": "target.threads in the recipe",
    "compress.steps.*.heal": "compress.steps.*.finetune",
    "compress.steps.*.between": "compress.steps.*.finetune_between",
    "compress.steps.*.share": "compress.steps.*.fraction",
    "compress.steps.*.keep_float": "compress.steps.*.ignored_layers",
}
RENAMED_OPTIONS = {
    "export --wanted-error": "export --target-error",
    "train --final": "train --refit",
    "score --truth": "score --ground-truth",
    "arch weights": "arch pretrained",
    "arch pretrained --names": "arch pretrained --key-map",
}


def new_name(place: str) -> str:
    """The place that a key has now.

    Args:
        place: dotted path of a key that is not known, such as `compress.steps.2.heal`.

    Returns:
        The path to write in its stead; empty where the key never had another name.
    """
    numbers = re.findall(r"(?<=\.)\d+(?=\.|$)", place)
    new = RENAMED.get(re.sub(r"(?<=\.)\d+(?=\.|$)", "*", place), "")
    return new.replace("*", numbers[0]) if numbers else new


def new_option(command_line: str) -> str:
    """The command and option in place of an old one, given as in `RENAMED_OPTIONS`; empty where there is none."""
    return RENAMED_OPTIONS.get(command_line, "")

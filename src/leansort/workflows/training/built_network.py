"""A recipe's network, built once for all that is asked of it before it is trained, and then trained itself."""

from __future__ import annotations

from leansort.arch.analysis.summary import require_input_size
from leansort.arch.build import BuiltNetwork, build
from leansort.arch.timm_models import timm_networks
from leansort.core.seeds import Seeds
from leansort.recipe.schema import Recipe
from leansort.workflows.arch import spec_for


def build_network(recipe: Recipe, classes: int) -> BuiltNetwork:
    """Build a recipe's network with weights drawn from the recipe's seed, and run it on a picture of the recipe's size.

    Args:
        recipe: the resolved recipe.
        classes: number of the outputs.

    Raises:
        UserError: there is no such network, or it does not take that size.
    """
    spec = timm_networks.set_input_size(spec_for(classes=classes, **recipe.arch.spec()), recipe.preprocess.size)
    network = build(spec, Seeds(recipe.seed))
    require_input_size(network, recipe.preprocess.size)
    return BuiltNetwork(spec, network)

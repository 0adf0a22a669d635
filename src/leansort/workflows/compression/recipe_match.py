"""Whether a recipe describes the network that it is given: compression reads neither `arch` nor `preprocess` of it."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel

from leansort.arch.pretrained.weight_origin import content_digest
from leansort.arch.timm_models import timm_networks
from leansort.arch.trained_model import TrainedModel
from leansort.recipe.schema import Recipe
from leansort.workflows.arch import spec_for
from leansort.workflows.compression.step_teachers import steps_have_teachers, steps_read_teachers


def mismatches(recipe: Recipe, model: TrainedModel) -> list[str]:
    """Name what a recipe sets otherwise than a network has it; keys that it leaves out are not compared.

    Args:
        recipe: of a compression.
        model: the network that is to be compressed; edits by earlier passes count for nothing.

    Returns:
        A line for each key that would have no effect.

    Raises:
        UserError: there is no such network as the recipe describes.
    """
    faults = []
    asked = timm_networks.set_input_size(
        spec_for(classes=len(model.labels), **recipe.arch.spec()), model.preprocess.size
    )
    named = [name for name in recipe.arch.spec() if name in recipe.arch.model_fields_set]
    faults += _differences("arch", asked, model.spec, named)
    faults += _differences("preprocess", recipe.preprocess, model.preprocess, recipe.preprocess.model_fields_set)
    return [*faults, *_distillation_faults(recipe, model)]


def _distillation_faults(recipe: Recipe, model: TrainedModel) -> list[str]:
    """What the `distill` section names that neither the network says that it learned from, nor a step reads."""
    known, distill = model.provenance, recipe.distill
    unsaid, faults = "the network does not say that it learned from", list[str]()
    if not steps_read_teachers(recipe):
        teachers = [content_digest(str(teacher)) for teacher in distill.teachers]
        others = teachers and (known.get("teachers") or [])[: len(teachers)] != teachers
        ways_out = "leave them out, or name teachers in the steps, where recipe stands for these"
        if others:
            faults.append(f"distill.teachers: {unsaid} these, and no step reads them; {ways_out}")
        if distill.teacher_recipes and not known.get("teachers"):
            faults.append(f"distill.teacher_recipes: {unsaid} any teacher, and no step reads them; {ways_out}")
    if distill.unlabelled and not known.get("unlabelled") and not steps_have_teachers(recipe):
        faults.append(f"distill.unlabelled: {unsaid} photos without labels, and no step has a teacher; leave it out")
    return faults


def _differences(section: str, asked: BaseModel, given: BaseModel, names: Collection[str]) -> list[str]:
    return [
        f"{section}.{name}: got {getattr(asked, name)}, the network has {getattr(given, name)}"
        for name in sorted(names)
        if getattr(asked, name) != getattr(given, name)
    ]

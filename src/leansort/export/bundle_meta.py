"""What a bundle says of its network, whatever format that is in."""

from __future__ import annotations

from torch import nn

from leansort.arch.build import macs, parameters
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.trained_model import TrainedModel
from leansort.core.bundle import BundleMeta


def describe_bundle(
    model: TrainedModel, name: str = "", *, temperature: float = 1.0, reject_below: float = 0.0
) -> tuple[nn.Module, BundleMeta]:
    """The network with its batch norms folded, and the meta of a bundle that holds it.

    Args:
        model: what to export.
        name: for people; the backbone's name where empty.
        temperature: divides the logits before the softmax.
        reject_below: least probability of an accepted prediction.
    """
    network, spec = fold_batch_norms(model.network(), model.spec)
    meta = BundleMeta(
        name=name or spec.base,
        preprocess=model.preprocess,
        labels=model.labels.names,
        labels_digest=model.labels.digest,
        temperature=temperature,
        reject_below=reject_below,
        parameters=parameters(network),
        macs=macs(network, model.preprocess.size),
        provenance={**model.provenance, "spec": spec.to_json()},
    )
    return network, meta

"""What a bundle holds, beside its graph, to decide which predictions a robot may act on.

Both sections are fitted or checked where a bundle is made (`workflows.deploy.bundle_calibration`), and used where it
runs (`runtime.decisions`). A bundle without them decides by its temperature and its threshold alone.
"""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from leansort.core.strict_model import StrictModel

LogitMethod = Literal["energy", "max_logit", "max_softmax", "margin", "entropy", "generalized_entropy"]
LOGIT_METHODS: tuple[LogitMethod, ...] = get_args(LogitMethod)
DEFAULT_METHOD: LogitMethod = "energy"  # where a graph gives no distance
DISTANCE: Literal["mahalanobis"] = "mahalanobis"  # of features, the graph's second output
NoveltyMethod = LogitMethod | Literal["mahalanobis", "cascade"]  # the last: `core.files.bundle_cascade.OF_EACH`
RECALL = 0.95  # of known crops, that the threshold leaves known
LEAST_SPAN = 1e-9
_MOST = 1e30


class NoveltyScale(StrictModel):
    """How novel an image is, on a scale that is 1 where known ends.

    Attributes:
        method: which score of the logits, see `runtime.decisions.novelty`; or `mahalanobis`, which the graph itself
            gives as its second output, see `export.distance_graph`; or `cascade`, what the answering graph of two says.
        zero: the score of the most familiar val crop, which is novelty 0.
        span: how far above it known ends; `zero + span` is novelty 1, and what is above is unknown.
        recall: fraction of val crops that the threshold was chosen to leave known, 0 to 1.
        reject: whether what is unknown is not accepted.
    """

    method: NoveltyMethod
    zero: float = Field(ge=-_MOST, le=_MOST)
    span: float = Field(ge=LEAST_SPAN, le=_MOST)
    recall: float = Field(default=RECALL, gt=0.0, le=1.0)
    reject: bool = False

    @property
    def threshold(self) -> float:
        """The score that is novelty 1."""
        return self.zero + self.span

"""What a bundle of two graphs holds beside them: when the first one's answer is taken, and what that came to on val.

Such a bundle is a cascade. Its files are two whole bundles, each with its own labels, temperature and scale of novelty:
the first is small and answers where it is sure, the second is large and answers the rest. The section is fitted where a
cascade is made (`measure.accuracy.cascade_fit`) and used where it runs (`runtime.cascades`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from leansort.core.strict_model import StrictModel

CASCADE = "cascade"  # the format of such a bundle
CASCADE_FILES = ("first.leansort", "second.leansort")
OF_EACH: Literal["cascade"] = "cascade"  # its method of novelty: that of the graph that answered, on that graph's scale
Decode = Literal["once", "again"]
GRAPHS = ("first", "second")  # as predictions name them


class CascadeFit(StrictModel):
    """What a cascade came to on the val photos that its threshold was fitted on.

    Attributes:
        photos: how many there were.
        max_f1_drop: that was allowed.
        second_macro_f1: of the large graph alone, 0 to 1.
        first_macro_f1: of the small graph alone.
        macro_f1: of the cascade, on the photos that its threshold was fitted on; it is flattered by that.
        crossfitted_macro_f1: each photo decided by a threshold that was fitted without it.
        difference_low: of the cross-fitted macro-F1 minus the large graph's, the lower end of the paired 95 % interval.
        difference_high: its upper end.
        crossfitted_share: fraction of photos that the small graph answered there.
    """

    photos: int = Field(ge=1)
    max_f1_drop: float = Field(ge=0.0, le=1.0)
    second_macro_f1: float = Field(ge=0.0, le=1.0)
    first_macro_f1: float = Field(ge=0.0, le=1.0)
    macro_f1: float = Field(ge=0.0, le=1.0)
    crossfitted_macro_f1: float = Field(ge=0.0, le=1.0)
    difference_low: float = Field(ge=-1.0, le=1.0)
    difference_high: float = Field(ge=-1.0, le=1.0)
    crossfitted_share: float = Field(ge=0.0, le=1.0)


class CascadeSettings(StrictModel):
    """How a cascade decides which graph answers.

    Attributes:
        cascade_schema: version of this section.
        threshold: the small graph answers an image whose most probable class has at least this calibrated probability,
            and that it knows where it tells novelty; 0 to 1.
        decode: `once` decodes an image for the large graph and shrinks these pixels for the small one; `again` decodes
            it for the small graph and, where that is not sure, once more for the large one.
        share: fraction of the val photos that the small graph answers, 0 to 1.
        fit: what that came to; None where it was not fitted.
    """

    cascade_schema: Literal[1] = 1
    threshold: float = Field(ge=0.0, le=1.0)
    decode: Decode = "once"
    share: float = Field(ge=0.0, le=1.0)
    fit: CascadeFit | None = None

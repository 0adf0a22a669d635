"""leansort: from labelled photos of trash to the smallest, fastest classifier that still sorts right.

    from leansort import Classifier
    with Classifier.load("model.leansort") as classifier:
        print(classifier.predict("photo.jpg").label)

Importing this package loads nothing else; names are fetched at first use.
"""

import os
from typing import TYPE_CHECKING, Any

from leansort.core.process import telemetry

# OpenCV allocates whatever a picture's header promises, up to this many pixels, and a PNG of 100 KB may promise
# gigabytes. It reads the limit once, as it is imported, so this stands before all of leansort that does.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))

telemetry.switch_off()  # before any library that would report is imported

if TYPE_CHECKING:
    from leansort.runtime.predictor import Classifier, Prediction

__all__ = ["Classifier", "Prediction", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in ("Classifier", "Prediction"):
        from leansort.runtime import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module 'leansort' has no attribute {name!r}")

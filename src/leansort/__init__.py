"""leansort: from labelled photos of trash to the smallest, fastest classifier that still sorts right.

    from leansort import Classifier
    with Classifier.load("model.leansort") as classifier:
        print(classifier.predict("photo.jpg").label)

Importing this package loads nothing else; names are fetched at first use.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leansort.runtime.predictor import Classifier, Prediction

__all__ = ["Classifier", "Prediction", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in ("Classifier", "Prediction"):
        from leansort.runtime import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module 'leansort' has no attribute {name!r}")

"""What a run's page is made of besides the run, and how much of it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MOST_MAPS = 12
MOST_PHOTOS = 240


@dataclass(frozen=True)
class PageSources:
    """Further results for a page, and how much it shows.

    Attributes:
        stress: `stress.json`, or the folder of it; None takes that in the folder `stress` of the run, if it is there.
        study: `tune.json`, or the folder of a search; None takes that of which the run is a trial.
        unknown: the JSON of `leansort score --unknown`; None takes `unknown.json` in the run folder, if it is there.
        doubt: `doubt.json`, or the folder of it; None takes that in the run folder, or in its folder `doubt`.
        maps: mistakes, and half as many doubtful labels, of which evidence is computed; 0 for none.
        photos: behind the cells of the confusion matrix, at most; 0 for none.
    """

    stress: Path | None = None
    study: Path | None = None
    unknown: Path | None = None
    doubt: Path | None = None
    maps: int = MOST_MAPS
    photos: int = MOST_PHOTOS

"""The label of an object, voted on by its frames."""

from __future__ import annotations

from leansort.runtime.predictor import Prediction


class ObjectVotes:
    """Votes of one object's frames, each weighted with its confidence.

    Attributes:
        voted: number of frames that voted.
        changes: how often the label of a frame was another than that of the frame before.
    """

    def __init__(self) -> None:
        self.voted = self.changes = 0
        self._last = ""
        self._weights, self._known, self._accepted = dict[str, float](), 0.0, 0.0
        self._tells_known = False

    def add(self, prediction: Prediction) -> None:
        """Take a frame's vote; one with an error has none."""
        if prediction.error:
            return
        self.changes += bool(self._last) and self._last != prediction.label
        self._last = prediction.label
        self.voted += 1
        self._weights[prediction.label] = self._weights.get(prediction.label, 0.0) + prediction.probability
        self._accepted += prediction.probability * prediction.accepted
        if prediction.known is not None:
            self._tells_known = True
            self._known += prediction.probability * prediction.known

    @property
    def total(self) -> float:
        """Weight of all votes."""
        return sum(self._weights.values())

    def winner(self) -> tuple[str, float, bool, bool | None]:
        """Return what won.

        Returns:
            The label (the first that was voted for where several have the same weight, empty without a vote); its
            weight per frame, which is its mean confidence over all frames that voted, 0 to 1; whether frames
            with more than half of the weight were accepted; the same for known, None where the bundle does not tell.
        """
        if not self.voted:
            return "", 0.0, False, None
        label, weight = max(self._weights.items(), key=lambda item: item[1])
        known = self._known > self.total / 2 if self._tells_known else None
        return label, weight / self.voted, self._accepted > self.total / 2, known

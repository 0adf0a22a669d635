"""One decision an object, before the line, by all of its frames; and what is counted in place of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import pytest

from leansort.core.errors import UserError
from leansort.core.pixels.camera_frames import Box, Frame
from leansort.runtime.predictor import Classifier, Prediction, failed_prediction
from leansort.runtime.sorting.belt_sorter import BeltSorter, cut_box
from leansort.runtime.sorting.object_votes import ObjectVotes
from leansort.runtime.sorting.sort_decision import SortDecision
from leansort.runtime.sorting.timed_frames import TimedFrame

WIDTH, HEIGHT = 400, 200


def prediction(label: str, sure: float, known: bool | None = True, accepted: bool = True) -> Prediction:
    return Prediction(label, sure, accepted, (sure, 1 - sure), known=known)


class Scripted:
    """A classifier whose answers a function of the box gives."""

    def __init__(self, answer: Callable[[Box], Prediction]) -> None:
        self.answer, self.asked = answer, list[Box]()

    def predict_boxes(self, frame: Frame, boxes: Sequence[Box]) -> list[Prediction]:
        self.asked += boxes
        return [self.answer(box) for box in boxes]

    def predict(self, frame: Frame) -> Prediction:
        return self.answer((0, 0, frame.width, frame.height))


def sorter_of(answer: Callable[[Box], Prediction], boxes: dict[int, list[Any]], **options: Any) -> BeltSorter:
    return BeltSorter(cast(Classifier, Scripted(answer)), lambda timed: boxes.get(timed.number, []), **options)


def timed(number: int, width: int = WIDTH, height: int = HEIGHT) -> TimedFrame:
    return TimedFrame(Frame(np.zeros((height, width), np.uint8), "GRAY", width, height), number, number / 30, 0.0)


def passing(step: int = 10, side: int = 40, y: int = 50) -> dict[int, list[Any]]:
    """An object that comes in on the left and goes out on the right."""
    boxes: dict[int, list[Any]] = {}
    for number in range((WIDTH + side) // step + 1):
        cut = cut_box((number * step - side, y, side, side), WIDTH, HEIGHT)
        boxes[number] = [cut] if cut else []
    return boxes


def all_of(sorter: BeltSorter, frames: int) -> list[SortDecision]:
    made = [decision for number in range(frames) for decision in sorter.take(timed(number))]
    return made + sorter.end()


def test_an_object_is_decided_once_by_its_whole_frames_and_before_the_line() -> None:
    boxes = passing()
    sorter = sorter_of(lambda box: prediction("can", 0.9), boxes, deadline=0.6)
    [decision] = all_of(sorter, 60)
    front = decision.box[0] + decision.box[2]
    assert front <= 0.6 * WIDTH < front + 11  # the next frame would be at it or behind it
    assert (decision.object, decision.label, decision.decided, decision.known) == (1, "can", "deadline", True)
    whole = [box for number, items in boxes.items() for box in items if box[0] >= 2 and number <= decision.frame]
    assert decision.voted == len(whole) == sorter.counts.boxes
    assert decision.confidence == pytest.approx(0.9)


@pytest.mark.parametrize("direction", ["right", "left", "down", "up"])
def test_the_line_lies_across_the_belts_direction(direction: str) -> None:
    boxes = {}
    for number in range(38):
        at = 10 * number if direction in ("right", "left") else 5 * number
        start = {"right": (at, 80), "left": (360 - at, 80), "down": (80, at), "up": (80, 160 - at)}[direction]
        cut = cut_box((*start, 40, 40), WIDTH, HEIGHT)
        boxes[number] = [cut] if cut else []
    [decision] = all_of(sorter_of(lambda box: prediction("a", 0.5), boxes, deadline=0.5, direction=direction), 60)
    x, y, w, h = decision.box
    front = {"right": (x + w) / WIDTH, "left": 1 - x / WIDTH, "down": (y + h) / HEIGHT, "up": 1 - y / HEIGHT}[direction]
    assert 0.46 < front <= 0.5
    assert decision.decided == "deadline"


def test_sure_frames_outweigh_unsure_ones() -> None:
    answers = lambda box: prediction("can", 0.95, True) if box[0] < 130 else prediction("bag", 0.3, False)  # noqa: E731
    [decision] = all_of(sorter_of(answers, passing()), 60)
    assert (decision.label, decision.known, decision.changes) == ("can", True, 1)
    assert decision.confidence == pytest.approx(0.95 * 12 / decision.voted, abs=1e-5)


def test_votes_by_hand() -> None:
    votes = ObjectVotes()
    assert votes.winner() == ("", 0.0, False, None)
    for item in (
        prediction("a", 0.4, False, False),
        failed_prediction("no"),
        prediction("b", 0.9),
        prediction("a", 0.45),
    ):
        votes.add(item)
    label, confidence, accepted, known = votes.winner()
    assert (label, votes.voted, votes.changes) == ("b", 3, 2)
    assert confidence == pytest.approx(0.3)
    assert (accepted, known) == (True, True)
    silent = ObjectVotes()
    silent.add(prediction("a", 0.4, None))
    assert silent.winner()[3] is None


def test_frames_that_were_dropped_change_nothing_but_the_number_of_votes() -> None:
    sorter = sorter_of(lambda box: prediction("can", 0.9), passing())
    made = [item for number in [*range(10), *range(10, 45, 3)] for item in sorter.take(timed(number))] + sorter.end()
    assert [item.decided for item in made] == ["deadline"]


def test_one_that_crosses_the_line_unseen_is_decided_as_it_crosses() -> None:
    boxes = {number: items for number, items in passing().items() if number < 30}
    [decision] = all_of(sorter_of(lambda box: prediction("can", 0.9), boxes, deadline=0.8), 60)
    assert (decision.decided, decision.seen) == ("deadline", 29)
    assert decision.frame in (31, 32)


def test_what_is_no_object_is_counted_and_not_decided() -> None:
    boxes: dict[int, list[Any]] = {3: [(100, 20, 30, 30)], 4: [(100, 20, 30, 30)]}  # two frames are too few
    boxes |= {number: [(370, 60, 30, 30)] for number in range(20, 26)}  # behind the line from the first frame on
    boxes |= {number: [(0, 0, 30, 30)] for number in range(40, 46)}  # never whole
    sorter = sorter_of(lambda box: prediction("can", 0.9), boxes)
    assert all_of(sorter, 70) == []
    assert (sorter.counts.fleeting, sorter.counts.late) == (2, 1)


def test_frames_of_another_size_decide_what_is_open() -> None:
    sorter = sorter_of(lambda box: prediction("can", 0.9), {number: [(100, 20, 30, 30)] for number in range(20)})
    made = [item for number in range(10) for item in sorter.take(timed(number))]
    made += [item for number in range(10, 20) for item in sorter.take(timed(number, 300))]
    made += sorter.end()
    assert [(item.object, item.decided) for item in made] == [(1, "resized"), (2, "end")]
    assert sorter.counts.resized == 1


def test_boxes_are_cut_to_the_frame_and_those_outside_are_counted() -> None:
    odd = [(390, 190, 50, 50), (500, 0, 9, 9), (-20, 3, 20, 5), (5, 5, 0, 4), (5, 5, -3, 4), (float("nan"), 0, 5, 5)]
    sorter = sorter_of(lambda box: prediction("can", 0.9), {0: odd})
    sorter.take(timed(0))
    assert sorter.counts.outside == 5
    assert cut_box((390, 190, 50, 50), WIDTH, HEIGHT) == (390, 190, 10, 10)
    assert cut_box((1.2, 2.7, 3.1, 4.0), WIDTH, HEIGHT) == (1, 2, 4, 5)
    assert cut_box((0, 0, float("inf"), 5), WIDTH, HEIGHT) is None


def test_without_boxes_each_frame_is_an_object() -> None:
    sorter = BeltSorter(cast(Classifier, Scripted(lambda box: prediction("can", 0.8))), None)
    made = all_of(sorter, 3)
    assert [(item.object, item.decided, item.box) for item in made] == [
        (number, "frame", (0, 0, WIDTH, HEIGHT)) for number in (1, 2, 3)
    ]


def test_nothing_is_kept_of_objects_that_have_gone() -> None:
    boxes = {number + 60 * again: items for again in range(20) for number, items in passing().items()}
    sorter = sorter_of(lambda box: prediction("can", 0.9), boxes)
    made = [item for number in range(1200) for item in sorter.take(timed(number))]
    assert [item.object for item in made] == list(range(1, 21))
    assert sorter.in_sight == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deadline": 0.01}, "deadline: got 0.01, allowed: 0.05 to 1"),
        ({"deadline": 1.5}, "deadline: got 1.5"),
        ({"deadline": float("nan")}, "deadline: got nan"),
        ({"direction": "rigth"}, "did you mean 'right'"),
    ],
)
def test_a_mistake_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        sorter_of(lambda box: prediction("a", 1.0), {}, **options)


def full(objects: int = 12) -> dict[int, list[Any]]:
    """Objects one behind the other, 30 pixels apart and 20 wide, which all go 5 pixels a frame."""
    return {
        number: [
            cut
            for at in range(objects)
            if (cut := cut_box((5 * number - 30 * at, 50 + 3 * (at % 2), 20, 20 + at), WIDTH, HEIGHT))
        ]
        for number in range(130)
    }


def test_a_frame_votes_on_no_more_than_so_many_boxes_and_each_object_gets_its_share() -> None:
    decided = {}
    for votes in (None, 3):
        sorter = sorter_of(lambda box: prediction("can", 0.9), full(), votes=votes)
        decided[votes] = [decision for number in range(130) for decision in sorter.take(timed(number))]
        assert len(decided[votes]) == 12
        assert sum(decision.voted for decision in decided[votes]) == sorter.counts.boxes
    assert sorter.counts.spared > 0
    assert [decision.frame for decision in decided[3]] == [decision.frame for decision in decided[None]]
    assert min(decision.voted for decision in decided[3]) >= 15
    assert sum(each.voted for each in decided[3]) + sorter.counts.spared >= sum(each.voted for each in decided[None])


def test_an_object_whose_last_chance_it_is_votes_beyond_the_limit() -> None:
    boxes = {number: [(180 + 5 * number, 40 * lane, 30, 30) for lane in range(4)] for number in range(40)}
    asked = list[int]()

    def answer(box: Box) -> Prediction:
        asked.append(box[1])
        return prediction("can", 0.9)

    sorter = sorter_of(answer, boxes, deadline=0.6, votes=1)
    made = [decision for number in range(40) for decision in sorter.take(timed(number))]
    assert len(made) == 4
    assert set(asked) == {0, 40, 80, 120}


def test_no_votes_at_all_are_refused() -> None:
    with pytest.raises(UserError, match=r"votes: got 0, allowed: 1 or more"):
        sorter_of(lambda box: prediction("can", 0.9), {}, votes=0)

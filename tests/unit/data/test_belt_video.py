"""Belt videos: the same for the same seed, and the truth is where the objects are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from leansort.contest.contest_classes import CONTEST_CLASSES
from leansort.core.errors import UserError
from leansort.data.synthetic.belt_layout import BeltLook, belt_layout
from leansort.data.synthetic.belt_video import belt_frames, draw_belt_video
from leansort.runtime.sorting.motion.box_tracker import overlap

LOOK = BeltLook(width=320, height=180)


def test_objects_go_from_left_to_right_and_lie_apart() -> None:
    places: dict[int, list[tuple[int, int]]] = {}
    for number, (rgb, things) in enumerate(belt_frames(4, 90, LOOK)):
        assert rgb.shape == (180, 320, 3)
        assert rgb.dtype == np.uint8
        for thing in things:
            x, y, w, h = thing.box
            assert thing.frame == number
            assert thing.label in CONTEST_CLASSES
            assert 0 <= x < x + w <= 320
            assert 0 <= y < y + h <= 180
            assert 0 < thing.visible <= 1
            places.setdefault(thing.object, []).append((number, x + w))
        fronts = [(thing.box[0], thing.box[1]) for thing in things]
        assert len(set(fronts)) == len(fronts)
    assert len(places) >= 6
    for steps in places.values():
        assert [number for number, _ in steps] == list(range(steps[0][0], steps[-1][0] + 1))
        assert all(later >= sooner for (_, sooner), (_, later) in zip(steps, steps[1:], strict=False))  # noqa: RUF007


def test_an_object_is_seen_in_its_box() -> None:
    frames = list(belt_frames(4, 70, LOOK))
    ground = np.median([rgb for rgb, _ in frames[::4]], axis=0)
    rgb, things = frames[60]
    changed = np.abs(rgb - ground).sum(axis=2) > 60
    inside = np.zeros_like(changed)
    for thing in things:
        x, y, w, h = thing.box
        inside[y : y + h, x : x + w] = True
    assert changed[inside].mean() > 10 * changed[~inside].mean()


@pytest.mark.parametrize(
    ("look", "sharper", "brighter"),
    [
        (BeltLook(width=320, height=180, blur=9), False, False),
        (BeltLook(width=320, height=180, glare=0.8), None, True),
    ],
)
def test_blur_and_glare_can_be_seen(look: BeltLook, sharper: bool | None, brighter: bool) -> None:
    plain, changed = (list(belt_frames(2, 40, each))[39][0] for each in (LOOK, look))
    rough = [np.abs(np.diff(rgb.astype(int), axis=1)).mean() for rgb in (plain, changed)]
    if sharper is not None:
        assert rough[1] < 0.9 * rough[0]
    middle = [rgb[:, 160:200].mean() for rgb in (plain, changed)]
    assert (middle[1] > middle[0] + 20) == brighter


def test_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        (tmp_path / name).mkdir()
        drawn = draw_belt_video(tmp_path / name, seed=seed, frames=20, look=LOOK)
        lines = [json.loads(line) for line in (tmp_path / name / "truth.jsonl").read_text().splitlines()]
        assert (len(lines), len({line["object"] for line in lines})) == (drawn.boxes, drawn.objects)
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["belt.mp4", "truth.jsonl"]
    truth = {name: (tmp_path / name / "truth.jsonl").read_bytes() for name in "abc"}
    assert truth["a"] == truth["b"] != truth["c"]
    pixels = [[rgb.tobytes() for rgb, _ in belt_frames(seed, 8, LOOK)] for seed in (5, 5, 6)]
    assert pixels[0] == pixels[1] != pixels[2]


def test_a_video_that_could_not_be_drawn_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_belt_video(tmp_path, seed=1, frames=20, look=LOOK, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("density", "crossing"), [(10.0, 2.0), (25.0, 1.5), (45.0, 1.0)])
def test_a_dense_belt_has_so_many_objects_a_second_and_none_covers_another(density: float, crossing: float) -> None:
    look = BeltLook(width=320, height=180, density=density, crossing=crossing)
    frames, seen = 90, set[int]()
    for _, things in belt_frames(4, frames, look):
        seen |= {thing.object for thing in things}
        boxes = [thing.box for thing in things]
        pairs = [(one, other) for at, one in enumerate(boxes) for other in boxes[:at]]
        assert not any(overlap(one, other) for one, other in pairs)
    assert len(seen) == pytest.approx(density * frames / look.rate, rel=0.1)


def test_the_fewer_objects_the_larger_they_are() -> None:
    sides = [belt_layout(BeltLook(density=density)).side for density in (0.5, 20, 80)]
    assert sides[0] > sides[1] > sides[2]


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (BeltLook(density=5000), "density: got 5000 objects a second, allowed: up to"),
        (BeltLook(crossing=0.1), "crossing: got 0.1 s, need more: objects of 162 pixels would go 213 in a frame"),
    ],
)
def test_a_belt_whose_objects_could_not_be_told_is_refused(look: BeltLook, message: str) -> None:
    with pytest.raises(UserError, match=message):
        belt_layout(look)

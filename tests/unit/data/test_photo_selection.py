"""Photos that are worth a label: uncertain, novel, unlike each other, within a limit."""

from __future__ import annotations

import numpy as np
import pytest

from leansort.data.quality.photo_selection import photo_worth, select_photos

P = np.array([[0.98, 0.01, 0.01], [0.5, 0.49, 0.01], [0.5, 0.49, 0.01], [0.02, 0.49, 0.49], [0.34, 0.33, 0.33]])


def test_worth_is_uncertainty_or_novelty() -> None:
    worth = photo_worth(P, np.array([0.5, 0.2, np.nan, 0.9, 1.0]))
    assert worth == pytest.approx([0.03, 0.99, 0.99, 1.0, 0.99])
    assert photo_worth(P[:1], np.array([1.6]))[0] == pytest.approx(0.6)
    assert photo_worth(P[:1], np.array([9.0]))[0] == 1.0


def test_what_is_like_a_chosen_photo_waits() -> None:
    order = select_photos(P, photo_worth(P), most=4)
    assert order[0] == 3
    assert set(order[:3]) == {3, 1, 4} or set(order[:3]) == {3, 2, 4}
    assert sorted(select_photos(P, photo_worth(P))) == [0, 1, 2, 3, 4]


def test_labelled_photos_keep_their_likes_away() -> None:
    assert select_photos(P, photo_worth(P), most=1, labelled_nc=P[[3, 4]])[0] in (1, 2)


def test_a_photo_that_does_not_fit_is_passed_over_for_a_smaller_one() -> None:
    sizes = [10, 10, 10, 500, 30]
    order = select_photos(P, photo_worth(P), sizes_n=sizes, most_bytes=45)
    assert 3 not in order
    assert sum(sizes[at] for at in order) <= 45
    assert select_photos(P, photo_worth(P), sizes_n=sizes, most_bytes=5) == []

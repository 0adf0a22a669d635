from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leansort.core.errors import UserError
from leansort.core.manifest import Row
from leansort.data.splits import SplitConfig, assign_folds, assign_splits, groups_across_splits, split_by_lists


def rows(groups: int, per_group: int = 3, classes: int = 4, first: int = 0) -> tuple[Row, ...]:
    """Crops of photos; class k is rarer the larger k is."""
    made = []
    for group in range(first, first + groups):
        for crop in range(per_group):
            label = min(classes - 1, (group * 7 + crop * 3) % (2**classes) // 4)
            made.append(Row(f"{group}_{crop}.jpg", label, "train", f"photo{group}", "h", f"photo{group}.jpg"))
    return tuple(made)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 80), st.integers(1, 5), st.integers(0, 1000), st.sampled_from(["hash", "class"]))
def test_no_group_straddles_and_nobody_is_lost(groups: int, per_group: int, seed: int, method: str) -> None:
    given_rows = rows(groups, per_group)
    made = assign_splits(given_rows, SplitConfig.model_validate({"method": method}), seed)
    assert not groups_across_splits(made)
    assert [row.image for row in made] == [row.image for row in given_rows]
    backwards = assign_splits(given_rows[::-1], SplitConfig.model_validate({"method": method}), seed)
    assert made == backwards[::-1]


def test_hash_splits_move_nobody_when_data_are_added() -> None:
    before = {row.image: row.split for row in assign_splits(rows(300), SplitConfig(), 3)}
    after = {row.image: row.split for row in assign_splits(rows(600), SplitConfig(), 3)}
    assert all(after[image] == split for image, split in before.items())
    assert {row.image: row.split for row in assign_splits(rows(300), SplitConfig(), 4)} != before


def test_class_splits_give_every_class_its_share() -> None:
    made = assign_splits(rows(1000, per_group=1), SplitConfig(method="class"), 0)
    totals = Counter(row.label for row in made)
    for split, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
        counts = Counter(row.label for row in made if row.split == split)
        for label, total in totals.items():
            assert abs(counts[label] - share * total) <= 1.01


def test_class_splits_move_few_and_kept_ones_nobody() -> None:
    config = SplitConfig(method="class")
    old = {row.group: row.split for row in assign_splits(rows(1000), config, 0)}
    added = {row.group: row.split for row in assign_splits(rows(1100), config, 0)}
    assert sum(added[group] != split for group, split in old.items()) <= 0.05 * len(old)
    kept = assign_splits(rows(1100), config, 0, keep=old)
    assert all(old.get(row.group, row.split) == row.split for row in kept)
    share = Counter(row.split for row in kept)
    assert abs(share["val"] / len(kept) - 0.15) < 0.02


def test_shares_of_zero_get_nothing() -> None:
    for method in ("hash", "class"):
        config = SplitConfig.model_validate({"method": method, "train": 0.8, "val": 0.2, "test": 0.0})
        assert {row.split for row in assign_splits(rows(200), config, 0)} == {"train", "val"}


@pytest.mark.parametrize("count", [2, 5, 10])
def test_folds_cover_everything_once(count: int) -> None:
    given_rows = rows(200)
    seen: Counter[str] = Counter()
    for fold in range(count):
        made = assign_folds(given_rows, count, fold, 1)
        assert not groups_across_splits(made)
        val = [row.image for row in made if row.split == "val"]
        seen.update(val)
        assert abs(len(val) - len(made) / count) <= 0.25 * len(made) / count
    assert set(seen.values()) == {1}
    assert len(seen) == len(given_rows)


def test_folds_leave_test_alone() -> None:
    given_rows = assign_splits(rows(100), SplitConfig(), 0)
    made = assign_folds(given_rows, 5, 2, 0)
    for before, after in zip(given_rows, made, strict=True):
        assert (before.split == "test") == (after.split == "test")


@pytest.mark.parametrize(("count", "fold"), [(5, 5), (5, -1), (300, 0), (1, 0)])
def test_folds_that_are_not_there(count: int, fold: int) -> None:
    with pytest.raises(UserError, match="folds: got fold"):
        assign_folds(rows(200), count, fold, 0)


def test_lists_name_crops_or_photos() -> None:
    given_rows = rows(3)
    made = split_by_lists(
        given_rows, {"train": ["photo0.jpg"], "val": ["photo1.jpg"], "test": ["2_0.jpg", "2_1.jpg", "2_2.jpg"]}
    )
    sides = defaultdict(set)
    for row in made:
        sides[row.group].add(row.split)
    assert sides == {"photo0": {"train"}, "photo1": {"val"}, "photo2": {"test"}}


@pytest.mark.parametrize(
    ("lists", "part"),
    [
        ({"train": ["photo0.jpg"], "val": ["photo0.jpg"]}, "is in train and in val"),
        ({"train": ["foto0.jpg"]}, "'foto0.jpg'; did you mean 'photo0.jpg'"),
        ({"train": ["photo0.jpg"]}, "3 of 6 crops are in no list"),
        (
            {"train": ["photo0.jpg", "1_0.jpg"], "val": ["1_1.jpg", "1_2.jpg"]},
            "1 groups would straddle, first 'photo1'",
        ),
    ],
)
def test_lists_that_cannot_be_used(lists: dict[str, list[str]], part: str) -> None:
    with pytest.raises(UserError, match=part):
        split_by_lists(rows(2), lists)

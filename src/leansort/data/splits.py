"""Splits that do not lie: what belongs together stays on one side.

Every method starts from a hash of the group's name and the seed, so equal data split equally on every machine
and in every order.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field, model_validator

from leansort.core.errors import UserError, did_you_mean
from leansort.core.manifest import SPLITS, Row
from leansort.core.strict_model import StrictModel

RATIOS = {"train": 0.7, "val": 0.15, "test": 0.15}


class SplitConfig(StrictModel):
    """How crops without a given split are split.

    Attributes:
        method: `hash` decides each group by its name alone, so that added data move nobody; `class` gives every class
            its share in every split, and may move a few groups when data are added (unless they are kept).
        train: fraction of the training crops.
        val: fraction of the crops that choose.
        test: fraction of the crops that score.
    """

    method: Literal["hash", "class"] = "hash"
    train: float = Field(default=RATIOS["train"], ge=0.0, le=1.0)
    val: float = Field(default=RATIOS["val"], ge=0.0, le=1.0)
    test: float = Field(default=RATIOS["test"], ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _whole(self) -> SplitConfig:
        if abs(self.train + self.val + self.test - 1.0) > 1e-6:
            raise ValueError(f"train, val and test must add up to 1, not {self.train + self.val + self.test:g}")
        return self

    @property
    def ratios(self) -> dict[str, float]:
        """Share of each split."""
        return {split: getattr(self, split) for split in SPLITS}


def split_for_group(group: str, seed: int, ratios: Mapping[str, float] = RATIOS) -> str:
    """Return the split of a group: a function of the group's name and the seed alone.

    Raises:
        UserError: the ratios do not add up to 1.
    """
    if abs(sum(ratios.values()) - 1.0) > 1e-6 or min(ratios.values()) < 0:
        raise UserError(f"split ratios: got {dict(ratios)}, they must be positive and add up to 1")
    return _at(_point(group, seed), ratios)


def _point(group: str, seed: int) -> float:
    digest = hashlib.blake2b(f"{seed}:{group}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _at(point: float, ratios: Mapping[str, float]) -> str:
    reached = 0.0
    for name, fraction in ratios.items():
        reached += fraction
        if point < reached:
            return name
    return [name for name, fraction in ratios.items() if fraction > 0][-1]


def assign_splits(
    rows: Sequence[Row], config: SplitConfig, seed: int, keep: Mapping[str, str] | None = None
) -> tuple[Row, ...]:
    """Give every row a split, whatever it had.

    Args:
        rows: crops.
        config: method and fractions.
        seed: of the hash.
        keep: splits of groups that must stay where they are; new groups then fill up what is short.
    """
    if config.method == "hash":
        where = {row.group: split_for_group(row.group, seed, config.ratios) for row in rows} | dict(keep or {})
    else:
        where = _by_class(rows, config.ratios, seed, keep or {})
    return tuple(replace(row, split=where[row.group]) for row in rows)


def assign_folds(rows: Sequence[Row], count: int, fold: int, seed: int) -> tuple[Row, ...]:
    """Make one fold val and the other folds train; what is test stays test and takes no part.

    Args:
        rows: crops.
        count: number of folds.
        fold: the one that becomes val, from 0.
        seed: of the hash.

    Raises:
        UserError: no such fold, or fewer groups than folds.
    """
    apart = {row.group for row in rows if row.split == "test"}
    inside = [row for row in rows if row.group not in apart]
    groups = len({row.group for row in inside})
    if not 2 <= count <= max(2, groups) or not 0 <= fold < count:
        raise UserError(f"folds: got fold {fold} of {count}, need 2 to {groups} folds (groups) and a fold from 0")
    order = [group for stratum in _strata(inside, seed).values() for group in stratum]  # dealt out in turn
    sides = {group: "val" if at % count == fold else "train" for at, group in enumerate(order)}
    sides |= dict.fromkeys(apart, "test")
    return tuple(replace(row, split=sides[row.group]) for row in rows)


def split_by_lists(rows: Sequence[Row], lists: Mapping[str, Sequence[str]]) -> tuple[Row, ...]:
    """Split by given lists of names: of the crop's file, or of the photo that it was cut from.

    Raises:
        UserError: a name is in two lists or unknown, a crop is in none, or a group would straddle.
    """
    where: dict[str, str] = {}
    for split, names in lists.items():
        for name in names:
            if where.setdefault(name, split) != split:
                raise UserError(f"split lists: {name!r} is in {where[name]} and in {split}")
    known = {row.image for row in rows} | {row.source for row in rows}
    lost = [name for name in where if name not in known]
    if lost:
        hint = did_you_mean(lost[0], known)
        raise UserError(f"split lists: {len(lost)} names are not in the manifest, first {lost[0]!r}{hint}")
    made = [(row, where.get(row.image) or where.get(row.source)) for row in rows]
    without = [row.image for row, split in made if split is None]
    if without:
        raise UserError(f"split lists: {len(without)} of {len(made)} crops are in no list, first {without[0]!r}")
    done = tuple(replace(row, split=split) for row, split in made if split)
    torn = groups_across_splits(done)
    if torn:
        raise UserError(f"split lists: {len(torn)} groups would straddle, first {torn[0]!r}; list whole photos")
    return done


def groups_across_splits(rows: Sequence[Row]) -> list[str]:
    """Groups with crops in more than one split, sorted."""
    sides: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        sides[row.group].add(row.split)
    return sorted(group for group, splits in sides.items() if len(splits) > 1)


def _by_class(rows: Sequence[Row], ratios: Mapping[str, float], seed: int, keep: Mapping[str, str]) -> dict[str, str]:
    """Within each class, groups in the order of their hash fill the splits up to their fractions."""
    where: dict[str, str] = {}
    for label, sizes in _strata(rows, seed).items():
        where |= _filled(sizes, ratios, keep) if keep else _cut(sizes, ratios, _point(f"class/{label}", seed))
    return where


def _strata(rows: Sequence[Row], seed: int) -> dict[int, dict[str, int]]:
    """For each class its groups in the order of their hash, with the crops of the class that each has.

    A group of several classes counts for the rarest of them, which can least afford a bad draw; rare to the nearest
    power of two, so that a few added crops do not turn the order of two classes around.
    """
    total = Counter(row.label for row in rows)
    labels: dict[str, Counter[int]] = defaultdict(Counter)
    for row in rows:
        labels[row.group][row.label] += 1
    strata: dict[int, dict[str, int]] = defaultdict(dict)
    for group in sorted(labels, key=lambda name: _point(name, seed)):
        label = min(labels[group], key=lambda item: (total[item].bit_length(), item))
        strata[label][group] = labels[group][label]
    return strata


def _cut(sizes: Mapping[str, int], ratios: Mapping[str, float], start: float) -> dict[str, str]:
    """Cut a row of groups at the fractions, from a random start on, so that lone groups do not all become train."""
    whole, reached, where = sum(sizes.values()), 0.0, {}
    for group, size in sizes.items():
        where[group] = _at((start + (reached + size / 2) / whole) % 1.0, ratios)
        reached += size
    return where


def _filled(sizes: Mapping[str, int], ratios: Mapping[str, float], keep: Mapping[str, str]) -> dict[str, str]:
    """Kept groups stay; each new one goes where most is short of its share."""
    whole, held, where = sum(sizes.values()), Counter[str](), {}
    for group in sorted(sizes, key=lambda name: name not in keep):  # stable: hash order within each half
        short = {split: fraction * whole - held[split] for split, fraction in ratios.items() if fraction > 0}
        where[group] = keep.get(group) or max(short, key=lambda split: short[split])
        held[where[group]] += sizes[group]
    return where

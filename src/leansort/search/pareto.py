"""Which of several results are beaten by another in everything, and how much the others cover. Less is better."""

from __future__ import annotations

from collections.abc import Sequence

Point = Sequence[float]


def dominates(a: Point, b: Point) -> bool:
    """Whether `a` is nowhere worse than `b`, and somewhere better."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def front(points: Sequence[Point]) -> list[int]:
    """Which points no other dominates, in their order; of equal ones the first."""
    result = []
    for at, point in enumerate(points):
        beaten = any(dominates(other, point) for other in points)
        if not beaten and list(map(tuple, points)).index(tuple(point)) == at:
            result.append(at)
    return result


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Volume between a reference point and what the points reach below it (Zitzler and Thiele 1998).

    Exact, by slicing along the last coordinate: quick for the few objectives and hundreds of points of a study.

    Args:
        points: of equal length; those not below `reference` everywhere count nothing.
        reference: the worst that counts.
    """
    inside = [tuple(point) for point in points if all(x < r for x, r in zip(point, reference, strict=True))]
    inside = [inside[at] for at in front(inside)]
    if not inside:
        return 0.0
    if len(reference) == 1:
        return float(reference[0] - min(point[0] for point in inside))
    ordered = sorted(inside, key=lambda point: point[-1])
    ends = [point[-1] for point in ordered[1:]] + [reference[-1]]
    total = 0.0
    for count, (point, end) in enumerate(zip(ordered, ends, strict=True), 1):
        if end > point[-1]:
            total += (end - point[-1]) * hypervolume([item[:-1] for item in ordered[:count]], reference[:-1])
    return total

"""Holm's correction: p-values of several tests, so that no more than 5 % of such families hold a false alarm."""

from __future__ import annotations

from collections.abc import Sequence


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for the number of tests (Holm 1979).

    The smallest is multiplied by the number of tests, the next by one less, and so on; none gets smaller than one that
    was smaller before. Rejecting what is below 0.05 afterwards errs anywhere in the family with a chance of at most
    5 %, however the tests depend on each other, as tests against one reference do.

    Args:
        p_values: of the tests, each 0 to 1.

    Returns:
        The adjusted p-values in the order given, each 0 to 1; a single one stays as it is.
    """
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = least
    return adjusted

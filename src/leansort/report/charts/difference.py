"""A difference with its interval as a small bar around zero, for a table's cell."""

from __future__ import annotations

from leansort.measure.accuracy.metrics import Interval


def difference_bar(difference: Interval, most: float) -> str:
    """Draw a difference on a scale from -`most` to `most`; in another colour where B is surely worse.

    Args:
        difference: with its interval.
        most: above 0; what lies beyond is cut.
    """
    at, low, high = (
        50 + 50 * max(-1.0, min(1.0, x / most)) for x in (difference.value, difference.low, difference.high)
    )
    style = "worse" if difference.high < 0 else "fill" if difference.low > 0 else "track-bar"
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" y="4" width="100" height="2"/><rect class="band" x="49.8" width="0.4" height="10"/>'
        f'<rect class="{style}" x="{low:.1f}" y="4" width="{max(high - low, 0.4):.1f}" height="2"/>'
        f'<rect class="{style}" x="{min(max(at - 0.8, 0), 98.4):.1f}" y="1" width="1.6" height="8"/></svg>'
    )

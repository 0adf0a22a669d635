"""Drift told without labels: whether photos in the field look, and are sorted, as those of val.

May import `core` and the rest of `runtime`, never PyTorch. Begin with `drift_watch`.
"""

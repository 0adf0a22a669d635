"""Training crops corrupted as a stress test corrupts them, by the same functions (`measure.corruptions`).

Begin with `robust_config` (what a recipe can ask for), then `robust_corruption`.
"""

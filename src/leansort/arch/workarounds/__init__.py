"""Faults of other libraries that are worked around, each in one file that says when it can go."""

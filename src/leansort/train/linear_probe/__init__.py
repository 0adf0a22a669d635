"""A linear probe: features that a network's body makes once, and a classifier on them. Begin with `body_features`.

May import the rest of `train` and every floor below it.
"""

"""The contest's two jobs: a submission file from a bundle, and the scores of one.

May import every floor below the workflows, and of the workflows' rooms none. Begin with `submit`; `score` needs no
contest: it also scores a bundle on any labelled pictures.
"""

"""Structured pruning: which channels belong together, which matter, and how they are removed.

Imports no other room. Begin with `channel_pruning`; `dependency_graph` is the hard part and says why.
"""

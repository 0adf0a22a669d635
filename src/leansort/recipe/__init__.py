"""Recipes: the resolved intent behind a run, as strict YAML with `key=value` overrides.

May import every floor below it, and none of the workflows. Begin with `schema`.
"""

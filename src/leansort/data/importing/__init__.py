"""From what a source lists to a manifest. May import `quality` and `splits`.

Begin with `items`, then `manifest_builder`; `category_map` turns a data set's categories into classes.
"""

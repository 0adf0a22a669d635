"""Search spaces: which keys of a recipe are open, how that is written, and how their values are asked for.

May import `core`. Begin with `space`, which shows the notation.
"""

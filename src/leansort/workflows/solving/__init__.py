"""`leansort solve`: from photos and a goal to the bundle that meets it, or to a plain word on what is in the way.

May import every floor below the workflows and all other rooms. Begin with `solve`.
"""

"""`leansort cascade`: one bundle of a small and a large one.

May import `data` and `training`. Begin with `make_cascade`.
"""

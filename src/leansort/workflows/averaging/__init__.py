"""`leansort average`: one network from several trainings.

May import `data` and `training`. Begin with `average`.
"""

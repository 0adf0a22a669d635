"""`leansort leave-out`: how well a network that never saw a class tells that it does not know it.

Above `training` and `deploy`, which it uses. Begin with `leave_out`.
"""

"""The architecture as plain data (`spec`), the edits that pruning and factorization make, and how they are applied.

May import `layers` and `workarounds`. Begin with `spec`, then `apply_edits`.
"""

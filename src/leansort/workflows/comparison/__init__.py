"""`leansort compare`: two bundles, or two files of answers, on the same crops.

May import the rooms `deploy` and `data`, and every floor below. Begin with `compare`.
"""

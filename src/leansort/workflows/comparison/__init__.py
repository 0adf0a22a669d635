"""`leansort compare`: bundles, or files of answers, on the same crops, two or more.

May import the rooms `deploy` and `data`, and every floor below. Begin with `compare`, then `compare_all`; both rest on
`compared_crops`.
"""

"""One file a pass; the file's name is what a recipe's step names. May import every room but `pipeline`.

See `leansort.compress.passes_api` for what a file must have.
"""

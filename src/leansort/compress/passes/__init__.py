"""One file a pass; the file's name is what a recipe's step names. May import every room but `pipeline`.

Each has a class derived from `leansort.compress.passes_api.CompressionPass`.
"""

"""`leansort data …`: import, check, split, show, cache.

Imports no other room. Begin with `import_data`; what the commands return is in `data_results`.
"""

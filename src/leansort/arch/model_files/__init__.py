"""Model files: networks as rows in YAML, in two grammars. May import `layers` and `spec`.

Begin with `rows`, then `builder` (rows to modules); `list_grammar` reads `[repeat, module, args]`.
"""

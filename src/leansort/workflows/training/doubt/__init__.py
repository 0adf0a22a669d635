"""`leansort data doubt`: labels that are probably wrong, ranked for a person. Begin with `label_doubt`.

May import every floor below the workflows, and of them `data` and the room `quick`.
"""

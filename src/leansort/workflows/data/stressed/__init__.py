"""Val crops under stress, by which compressions, searches and ablations compare networks. Begin with `stressed_val`.

May import every floor below the workflows, and of them `data`.
"""

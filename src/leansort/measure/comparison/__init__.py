"""Two classifiers on the same crops: McNemar's test, class by class, and what both come to.

May import `accuracy`, `timing` and the rooms below them; numpy alone, no scipy. Begin with `comparison_result`.
"""

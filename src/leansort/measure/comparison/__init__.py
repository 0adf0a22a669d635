"""Classifiers on the same crops: McNemar's test, class by class, and what two, or several of them, come to.

May import `accuracy`, `timing` and the rooms below them; numpy alone, no scipy. Begin with `comparison_result`; of more
than two there is `multiple_comparison`.
"""

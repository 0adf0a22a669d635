"""The trials of a study: what is kept with each, which worker has it, what became of it.

May import `spaces` and the objectives and Pareto fronts of `search`. Begin with `trial_attributes`.
"""

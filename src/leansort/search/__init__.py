"""Search under a real budget: spaces, studies, trials, samplers, early stopping by the Pareto front.

May import `core` to `data`; what trains and measures a candidate is handed in by a workflow. Begin with `study`, then
`trials` and `spaces`.
"""

"""Stages of a job: what was done, what waits for what, and what is left alone when the job goes on.

May import every floor below the workflows and none of the other rooms. Begin with `stage_graph`.
"""

"""Predictions by many processes on one machine or many, by Ray Data (extra `ray`).

Imports `deploy` and lower rooms. Begin with `ray_predict`; `ray_worker` is what each process does, `partitions` what
they leave.
"""

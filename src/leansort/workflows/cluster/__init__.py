"""Predictions by many processes on one machine or many, by Ray Data (extra `ray`).

Imports `deploy`, `field` and lower rooms. Begin with `ray_predict`, whose rows `ray_score` and `ray_mine` take too;
`ray_connection` finds the cluster, `version_census` asks its machines, `ray_worker` is what each process does, and
`partitions` are what they leave.
"""

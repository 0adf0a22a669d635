"""The machine at hand as a device: what works here (`doctor`), and `leansort agent`, which measures here for others.

May import `deploy`. Begin with `agent`, then `job_queue`; what is asked and answered is typed in `measure.device`.
"""

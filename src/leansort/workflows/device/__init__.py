"""`leansort agent`: runs on the device, takes bundles in and gives measurements out.

May import `deploy`. Begin with `agent`, then `job_queue`; what is asked and answered is typed in `measure.device`.
"""

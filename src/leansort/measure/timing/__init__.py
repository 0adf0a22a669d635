"""How fast: latency, cold start, the machine's state, and the lock that keeps measurements undisturbed.

Begin with `latency`, then `timing_lock`.
"""

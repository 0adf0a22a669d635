"""Measurements on another machine, where `leansort agent` runs: addresses, what is asked, and the client that asks.

May import `timing`. Begin with `device_client`; the agent itself is `workflows.device`.
"""
